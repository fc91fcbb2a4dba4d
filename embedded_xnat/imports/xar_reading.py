"""Unpacks a XAR, and finds for each resource of its documents the files that belong to it. May import lxml by its documents."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from embedded_xnat.contract.errors import BadRequest
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.patterns import MAX_STEPS, MAX_STEPS_TOGETHER, steps
from embedded_xnat.domain.xml_documents import MAX_BYTES, Document
from embedded_xnat.imports.xar_documents import (
    NamedResource,
    Naming,
    XarDocument,
    folder_of,
    read_catalog,
    read_xar_document,
)
from embedded_xnat.storage.files import FileStore, Stored
from embedded_xnat.storage.unpacking import CHUNK, entries


@dataclass(frozen=True)
class FilledResource:
    """A resource of a document with its files, by their path in it; several elements of one label make one resource."""

    named: NamedResource
    files: tuple[tuple[str, Stored], ...]


@dataclass(frozen=True)
class FilledDocument:
    """What a document says about an object, with the files that it names, and the assessors in it."""

    document: Document
    kind: ObjectKind
    resources: tuple[FilledResource, ...]
    assessors: tuple["FilledDocument", ...] = ()


def read_xar(received: Sequence[tuple[str, Stored]], files: FileStore, stack: ExitStack) -> list[FilledDocument]:
    """Return the documents of a XAR: one of a session, or some of its parts.

    The temporary files live as long as the stack.

    Raises
    ------
    BadArchive, BadRequest, BadField
        If it is no archive, has no such documents, or their resources and its files do not fit to each other.
    """
    if len(received) != 1:
        raise BadRequest("A XAR is one archive; send one at a time.")
    unpacked = _without_container(_unpack(received[0][1], files, stack))
    names = [name for name in unpacked if "/" not in name and name.lower().endswith(".xml")]
    found = [read_xar_document(_bytes_of(unpacked.pop(name))) for name in names]
    if not found:
        raise BadRequest("The XAR has no XML document of a session at its root.")
    if len(found) > 1 and any(each.kind is ObjectKind.EXPERIMENT for each in found):
        raise BadRequest("A XAR is of one imaging session, or of parts of one; send each session on its own.")
    shelves = _Files(unpacked)
    filled = [shelves.fill(each) for each in found]
    if shelves.unnamed:
        raise BadRequest(
            f"{len(shelves.unnamed)} files of the XAR are named by no resource of its document; nothing was stored. "
            "Name them there, or leave them out."
        )
    return filled


def _unpack(archive: Stored, files: FileStore, stack: ExitStack) -> dict[str, Stored]:
    unpacked: dict[str, Stored] = {}
    for name, content in entries(archive.temporary):
        incoming = stack.enter_context(files.incoming())
        while chunk := content.read(CHUNK):
            incoming.write(chunk)
        if name in unpacked:
            raise BadRequest("The XAR has two entries of one name.")
        unpacked[name] = incoming.finish(sync=False)
    return unpacked


def _without_container(unpacked: dict[str, Stored]) -> dict[str, Stored]:
    """Return entries by their path in the root: the folder that everything lies in, when there is one."""
    tops = _folders(unpacked)
    if len(tops) != 1 or any("/" not in name for name in unpacked):
        return unpacked
    return {name.partition("/")[2]: stored for name, stored in unpacked.items()}


def _folders(names: Iterable[str]) -> set[str]:
    return {name.partition("/")[0] for name in names if "/" in name}


def _bytes_of(stored: Stored) -> bytes:
    if stored.size > MAX_BYTES:
        raise BadRequest("A document of the XAR is larger than this server accepts.")
    return stored.temporary.read_bytes()


class _Files:
    """The files of a XAR, each to be taken once.

    Paths are those in the root; where one folder stands beside the documents, they may also be those in that folder.
    """

    def __init__(self, unpacked: dict[str, Stored]) -> None:
        self.unnamed = dict(unpacked)
        self._steps = 0
        self._names: dict[str, list[str]] = {}
        for path in unpacked:
            folder, _, name = path.rpartition("/")
            self._names.setdefault(folder, []).append(name)
        folders = _folders(unpacked)
        is_session_folder = len(folders) == 1 and all("/" in name for name in unpacked)
        self._bases = ("", f"{next(iter(folders))}/") if is_session_folder else ("",)

    def fill(self, found: XarDocument) -> FilledDocument:
        shelves: dict[object, tuple[NamedResource, dict[str, Stored]]] = {}
        for named in found.resources:
            _, files = shelves.setdefault((named.part, named.label), (named, {}))
            for path, stored in self._files_of(named):
                if path in files:
                    raise BadRequest("A resource of the document has two files of one name.")
                files[path] = stored
        resources = tuple(FilledResource(named, tuple(files.items())) for named, files in shelves.values())
        assessors = tuple(self.fill(each) for each in found.assessors)
        return FilledDocument(found.document, found.kind, resources, assessors)

    def _files_of(self, named: NamedResource) -> Iterable[tuple[str, Stored]]:
        if named.naming is Naming.CATALOG:
            yield from self._catalogued(named.uris[0])
        elif named.naming is Naming.FOLDER:
            yield from self._matching(named)
        else:
            for uri in named.uris:
                yield uri.rpartition("/")[2], self._take(uri)

    def _catalogued(self, uri: str) -> Iterable[tuple[str, Stored]]:
        folder = folder_of(uri)
        for entry in read_catalog(_bytes_of(self._take(uri))):
            stored = self._take(f"{folder}{entry.path}")
            if entry.md5 not in {None, stored.md5}:
                raise BadRequest("A file of the XAR has another digest than its catalog says; nothing was stored.")
            yield entry.path, stored

    def _matching(self, named: NamedResource) -> Iterable[tuple[str, Stored]]:
        """Yield the files of a folder, not of those in it, in whose names the pattern is found."""
        names = [name for base in self._bases for name in self._names.get(f"{base}{named.uris[0]}", ())]
        if named.pattern is not None:
            costs = [steps(named.pattern, len(name), anywhere=True) for name in names]
            self._steps += sum(costs)
            if self._steps > MAX_STEPS_TOGETHER or max(costs, default=0) > MAX_STEPS:
                raise BadRequest("The XAR has too many files for its patterns; name them by catalogs.")
            names = [name for name in names if named.pattern.search(name) is not None]
        if not names or named.count not in {None, len(names)}:
            raise BadRequest(
                "A series of files of the document is not in the XAR, or not as many of them as it says; nothing was stored."
            )
        for name in names:
            yield name, self._take(f"{named.uris[0]}/{name}")

    def _take(self, path: str) -> Stored:
        for base in self._bases:
            if (stored := self.unnamed.pop(f"{base}{path}", None)) is not None:
                return stored
        raise BadRequest(
            "A document of the XAR names a file that is not in it, or names one twice; nothing was stored. "
            "Paths are those in the XAR, and those in a catalog begin at the folder of the catalog."
        )
