"""Reads what was uploaded into DICOM instances, one file after another. May import the standard library only."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from embedded_xnat.anonymize.rewriting import Names, rewrite
from embedded_xnat.anonymize.script import Script
from embedded_xnat.contract.errors import NotAnonymized
from embedded_xnat.dicom.elements import is_dicom
from embedded_xnat.domain.layout import INCOMING
from embedded_xnat.imports.headers import read_instance
from embedded_xnat.imports.records import Instance, Series
from embedded_xnat.storage.files import FileStore, Stored
from embedded_xnat.storage.unpacking import CHUNK, Packing, entries, sniff


@dataclass
class Upload:
    """The DICOM files of an upload.

    Parameters
    ----------
    left_out
        How many files were no DICOM.
    filtered
        Temporary files of the series that the importer did not take.
    """

    instances: list[Instance] = field(default_factory=list)
    left_out: int = 0
    filtered: frozenset[Path] = frozenset()
    _known: dict[str, Series] = field(default_factory=dict)

    def add(self, name: str, stored: Stored) -> bool:
        """Take a file; False when it is no DICOM file."""
        instance = read_instance(name, stored, self._known)
        if instance is None:
            self.left_out += 1
            return False
        self.instances.append(instance)
        return True


def read_upload(received: Iterable[tuple[str, Stored]], files: FileStore, stack: ExitStack) -> Upload:
    """Return the DICOM files of bodies: each is an archive, or one file.

    The temporary files live as long as the stack.

    Raises
    ------
    BadArchive
    """
    upload = Upload()
    for name, stored in received:
        if is_dicom(stored.temporary) or sniff(stored.temporary) is Packing.OTHER:
            upload.add(name, stored)
        else:
            _unpack(stored.temporary, upload, files, stack)
    return upload


def _unpack(archive: Path, upload: Upload, files: FileStore, stack: ExitStack) -> None:
    for name, handle in entries(archive):
        keep = ExitStack()
        incoming = keep.enter_context(files.incoming())
        with keep:
            while chunk := handle.read(CHUNK):
                incoming.write(chunk)
            if upload.add(name, incoming.finish(sync=False)):
                stack.enter_context(keep.pop_all())


def copied(path: Path, files: FileStore, stack: ExitStack) -> Stored:
    """Return a copy of a file from outside, under a temporary name."""
    incoming = stack.enter_context(files.incoming())
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            incoming.write(chunk)
    return incoming.finish(sync=False)


def linked(path: Path, files: FileStore, stack: ExitStack) -> Stored:
    """Return a file of the data folder under a second, temporary name: the same bytes, not copied."""
    temporary = files.path(INCOMING) / uuid4().hex
    os.link(path, temporary)
    stack.callback(temporary.unlink, missing_ok=True)
    md5, size = md5_of(path)
    return Stored(temporary, size, md5)


def md5_of(path: Path) -> tuple[str, int]:
    """Return digest and size of a file, read in pieces."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def anonymized(
    instances: Sequence[Instance], scripts: Sequence[Script], names: Names, *, files: FileStore, stack: ExitStack
) -> list[Instance]:
    """Return files as scripts change them, read again; those that nothing changes stay what they are.

    Raises
    ------
    NotAnonymized
        If a script cannot be applied, or leaves a file without its UIDs.
    """
    if not scripts:
        return list(instances)
    known: dict[str, Series] = {}
    changed = []
    for instance in instances:
        keep = ExitStack()
        incoming = keep.enter_context(files.incoming())
        with keep:
            stored = instance.stored
            if rewrite(stored.temporary, incoming, scripts, names):
                stored = incoming.finish(sync=False)
            again = read_instance(instance.name, stored, known)
            if again is None:
                raise NotAnonymized
            stack.enter_context(keep.pop_all())
            changed.append(again)
    return changed
