"""Imports folders that lie in the inbox of the server, in the background. May import SQLModel.

Files whose name ends in ``.xar`` are imported as XARs, each by itself; of the others those that are DICOM. As in XNAT,
what is refused keeps nothing else from being imported; it stays in the folder, and the request says why.
Only below the inbox folder of the settings; people who may not do everything only below the folder of a project there
that they may write to, ``INBOX/PROJECT``.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlmodel import Session

from embedded_xnat.contract.errors import BadRequest, NoSuchObject
from embedded_xnat.db.tables import InboxRequestRow
from embedded_xnat.dicom.elements import is_dicom
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.domain.values import truth
from embedded_xnat.imports.importing import Importer
from embedded_xnat.imports.options import ImportOptions, read_options
from embedded_xnat.imports.reading import Upload, copied
from embedded_xnat.imports.records import Overwrite
from embedded_xnat.imports.routing import project_by_name, writable
from embedded_xnat.imports.xar import XarImporter
from embedded_xnat.storage.archive import Archive
from embedded_xnat.storage.space import disk_errors
from service_kit.errors import ServiceError, Unavailable, without_paths
from service_kit.tables import utc_now

logger = logging.getLogger(__name__)

XAR_SUFFIX = ".xar"
#: Parameters that a request object shows, and that are kept for the import.
KEPT = ("PROJECT_ID", "SUBJECT_ID", "EXPT_LABEL", "project", "subject", "session", "overwrite", "quarantine", "dest",
        "prearchive_code", "rename", "Ignore-Unparsable")  # fmt: skip


@dataclass(frozen=True)
class _Stamp:
    """What tells a file from the next one of its name."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "_Stamp":
        """Return that of a file as it is now."""
        found = path.lstat()
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass
class _Outcome:
    """What came of a folder.

    Parameters
    ----------
    uris
        Addresses of what was imported.
    refusals
        Why something was not, a sentence each; files are counted, not named, since names can name people.
    taken
        Files that were imported, as they were just before they were read.
    """

    uris: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    taken: dict[Path, _Stamp] = field(default_factory=dict)

    def add(self, uris: Iterable[str], taken: Mapping[Path, _Stamp]) -> None:
        """Note what was imported, and from which files; what was known already is noted once."""
        self.uris += [uri for uri in uris if uri not in self.uris]
        self.taken.update(taken)

    @contextmanager
    def part(self, what: str = "") -> Iterator[None]:
        """Import a part of the folder; that it is refused is noted, under what it is called."""
        try:
            with disk_errors():
                yield
        except Unavailable:
            raise
        except ServiceError as error:
            self.refusals.append(what + error.detail)
        except OSError as error:
            without_paths(error)
            logger.exception("a part of the inbox cannot be read")
            self.refusals.append(f"{what}It cannot be read; see the log of the server.")


class Inbox:
    """The inbox of the server.

    Parameters
    ----------
    root
        The folder; requests can name it, folders and files below it, and nothing else.
    """

    def __init__(self, archive: Archive, root: Path, *, id_prefix: str) -> None:
        self._archive = archive
        self._root = root.resolve()
        self._id_prefix = id_prefix

    def request(self, visitor: Visitor, parameters: Mapping[str, str]) -> InboxRequestRow:
        """Note a request; it is carried out in the background.

        Raises
        ------
        BadRequest, BadField, NoSuchObject, NotAllowed
        """
        kept = {name: parameters[name.lower()] for name in KEPT if parameters.get(name.lower())}
        options = _options(kept)
        with self._archive.read() as session:
            path = self._checked(session, visitor, parameters.get("path"), options)
        row = InboxRequestRow(
            username=visitor.username,
            has_every_right=visitor.everything,
            path=str(path),
            parameters=kept,
            is_cleaned_up=truth(parameters.get("cleanupafterimport"), name="cleanupAfterImport"),
        )
        with self._archive.change() as change:
            change.session.add(row)
            change.session.flush()
        return row

    def _checked(self, session: Session, visitor: Visitor, text: str | None, options: ImportOptions) -> Path:
        """Return the real path of what a request names."""
        if not text or "\x00" in text or len(text) > 2000:
            raise BadRequest("Name a folder below the inbox of the server (path=).")
        path = Path(os.path.realpath(self._root / text))
        root = self._root
        wanted = options.wanted.project_id
        if wanted is not None:
            project = project_by_name(session, wanted)
            if project is None:
                raise NoSuchObject("project")
            wanted = writable(session, visitor, project.id).id
        if not visitor.everything:
            if wanted is None:
                raise BadRequest("Name the project (PROJECT_ID=); its own folder in the inbox can be imported.")
            root /= wanted
        if not path.is_relative_to(root) or not path.exists():
            raise BadRequest("There is no such folder below the inbox that you may import from.")
        return path

    def carry_out(self, row: InboxRequestRow) -> None:
        """Import what a request names, clean up, and note what came of it.

        That it is done is noted last: who reads it may put the next files there. What came in is noted before the
        clean-up, which would leave nothing to tell it by after a kill.
        """
        self._note(row, status="Importing", result=row.result)
        outcome = _Outcome(row.result.splitlines())
        with outcome.part():
            self._import(Visitor(row.username, everything=row.has_every_right), row, outcome)
        if row.is_cleaned_up and outcome.taken:
            self._note(row, status="Importing", result="\n".join(outcome.uris))
            self._clean_up(Path(row.path), outcome)
        status = "Failed" if outcome.refusals else "Completed"
        self._note(row, status=status, result="\n".join([*outcome.uris, *outcome.refusals]))

    def _import(self, visitor: Visitor, row: InboxRequestRow, outcome: _Outcome) -> None:
        options = _options(row.parameters)
        if row.status == "Importing" and options.overwrite is None:  # a kill cut it off: what it stored stays
            options = replace(options, overwrite=Overwrite.APPEND)
        is_cut_off = bool(outcome.uris)  # while it was cleaned up: what is left may be little, or nothing
        if is_cut_off and not Path(row.path).exists():
            return
        with self._archive.read() as session:
            source = self._checked(session, visitor, row.path, options)
        found = list(_files_below(source))
        xars = [path for path in found if _is_xar(path)]
        for place, path in enumerate(xars, start=1):
            what = f"XAR {place} of {len(xars)}, in the order of their paths: " if len(xars) > 1 else ""
            with outcome.part(what), ExitStack() as stack:
                stamp = _Stamp.of(path)
                received = [(path.name, copied(path, self._archive.files, stack))]
                importer = XarImporter(self._archive, visitor, self._id_prefix)
                outcome.add(importer.run(received, options, stack), {path: stamp})
        with outcome.part("Images: " if xars else ""), ExitStack() as stack:
            upload, taken = self._upload([path for path in found if not _is_xar(path)], stack)
            if upload.instances or not (xars or is_cut_off):
                importer_of_images = Importer(self._archive, visitor, self._id_prefix, keeps_conflicts=True)
                uris = importer_of_images.run(upload, options, stack)
                outcome.add(uris, dict(one for temporary, one in taken.items() if temporary not in upload.filtered))

    def _upload(self, found: list[Path], stack: ExitStack) -> tuple[Upload, dict[Path, tuple[Path, _Stamp]]]:
        """Copy the images among some files; return what each copy is of, too."""
        upload, taken = Upload(), dict[Path, tuple[Path, _Stamp]]()
        for path in found:
            stamp = _Stamp.of(path)
            if not is_dicom(path):
                upload.left_out += 1
            elif upload.add(path.name, stored := copied(path, self._archive.files, stack)):
                taken[stored.temporary] = (path, stamp)
        return upload, taken

    def _clean_up(self, source: Path, outcome: _Outcome) -> None:
        """Remove the files that were imported, and folders that are empty then; a newer file of the name stays."""
        kept = 0
        for path, stamp in outcome.taken.items():
            try:
                if _Stamp.of(path) == stamp:
                    path.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                without_paths(error)
                logger.warning("a file of the inbox cannot be removed", extra={"error": error.errno})
                kept += 1
        if kept:
            outcome.refusals.append(
                f"Files that were imported ({kept}) cannot be removed from the inbox; let the server write there, "
                "or remove them by hand."
            )
        folders = {path.parent for path in outcome.taken}
        for folder in sorted(folders, key=lambda each: len(each.parts), reverse=True):
            for empty in (folder, *folder.parents):
                if empty == self._root or not empty.is_relative_to(source):
                    break
                try:
                    empty.rmdir()
                except OSError:
                    break

    def _note(self, row: InboxRequestRow, *, status: str, result: str = "") -> None:
        with self._archive.change() as change:
            found = change.session.get(InboxRequestRow, row.number)
            if found is not None:
                found.status, found.result, found.modified_at = status, result, utc_now()
                change.session.add(found)


def find_request(session: Session, visitor: Visitor, number: int) -> InboxRequestRow:
    """Return a request: one's own, or any for those who may do everything.

    Raises
    ------
    NoSuchObject
    """
    row = session.get(InboxRequestRow, number) if 0 < number < 2**31 else None
    if row is None or not (visitor.everything or row.username == visitor.username):
        raise NoSuchObject("request")
    return row


def request_document(row: InboxRequestRow) -> dict[str, Any]:
    """Return a request as clients read it, the misspelt key too."""
    return {
        "id": row.number,
        "status": row.status,
        "username": row.username,
        "parameters": row.parameters,
        "sessionPath": row.path,
        "clenaupAfterImport": row.is_cleaned_up,
        "cleanupAfterImport": row.is_cleaned_up,
        "enabled": True,
        "created": int(row.created_at.timestamp() * 1000),
        "timestamp": int(row.modified_at.timestamp() * 1000),
        "resolution": row.result,
    }


def _options(parameters: Mapping[str, str]) -> ImportOptions:
    lowered = {name.lower(): value for name, value in parameters.items()}
    return read_options(lambda name: lowered.get(name.lower()))


def _is_xar(path: Path) -> bool:
    return path.suffix.lower() == XAR_SUFFIX


def _files_below(source: Path) -> Iterator[Path]:
    """Yield the files of a folder; links are not followed."""
    if source.is_file():
        yield source
        return
    for folder, names, files in os.walk(source, followlinks=False):
        names.sort()
        for name in sorted(files):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path
