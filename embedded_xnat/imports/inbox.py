"""Imports folders that lie in the inbox of the server, in the background. May import SQLModel.

Files whose name ends in ``.xar`` are imported as XARs, each by itself; of the others those that are DICOM. As in XNAT,
what is refused keeps nothing else from being imported; it stays in the folder, and the request says why.
Only below the inbox folder of the settings; people who may not do everything only below the folder of a project there
that they may write to, ``INBOX/PROJECT``.

What a request stored is noted in the transaction that stores it. One that a kill or a full disk cut off goes on from
there: what it stored is not stored again, and what was refused is asked again with nothing more allowed than before.
"""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from sqlmodel import Session

from embedded_xnat.contract.errors import BadRequest, NoSuchObject
from embedded_xnat.db.tables import InboxRequestRow
from embedded_xnat.dicom.elements import is_dicom
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.domain.values import truth
from embedded_xnat.imports.importing import Direction, Importer
from embedded_xnat.imports.options import ImportOptions, read_options
from embedded_xnat.imports.reading import Upload, copied
from embedded_xnat.imports.records import Plan
from embedded_xnat.imports.routing import project_by_name, writable
from embedded_xnat.imports.xar import XarImporter
from embedded_xnat.imports.xar_reading import FilledDocument
from embedded_xnat.storage.archive import Archive, Change
from embedded_xnat.storage.space import disk_errors
from service_kit.errors import ServiceError, Unavailable, without_paths
from service_kit.tables import utc_now

logger = logging.getLogger(__name__)

XAR_SUFFIX = ".xar"
#: Parameters that a request object shows, and that are kept for the import.
KEPT = ("PROJECT_ID", "SUBJECT_ID", "EXPT_LABEL", "project", "subject", "session", "overwrite", "quarantine", "dest",
        "prearchive_code", "rename", "Ignore-Unparsable")  # fmt: skip
#: Kept beside them, and shown to nobody: pairs of a key of what was stored and its address, and, during the clean-up,
#: what was refused and what shall be removed.
STORED, CLEANUP = "stored", "cleanup"


@dataclass(frozen=True)
class _Stamp:
    """What tells a file from the next one of its name, after a restart too (which may number devices anew)."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "_Stamp":
        """Return that of a file as it is now."""
        found = path.lstat()
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


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


@dataclass(frozen=True)
class _Notes:
    """What a request stored; what is known of it is from before this process went on with it.

    Parameters
    ----------
    known
        Pairs of key and address, in the order in which they were stored.
    """

    number: int
    known: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, row: InboxRequestRow) -> "_Notes":
        """Return those of a request."""
        assert row.number is not None
        return cls(row.number, tuple((key, uri) for key, uri in row.parameters.get(STORED, ())))

    def uris(self, key: str) -> list[str]:
        """Return where something was stored, nothing if it was not."""
        return list(dict.fromkeys(uri for each, uri in self.known if each == key))

    def add(self, session: Session, key: str, uri: str) -> None:
        """Note that something is stored by this very transaction."""
        row = session.get(InboxRequestRow, self.number)
        if row is not None:
            row.parameters = {**row.parameters, STORED: [*row.parameters.get(STORED, ()), [key, uri]]}
            session.add(row)


@dataclass(frozen=True, kw_only=True)
class _NotedXar(XarImporter):
    """Imports a XAR and notes it under a key."""

    notes: _Notes
    key: str

    def _store(self, change: Change, filled: FilledDocument, options: ImportOptions) -> str:
        uri = super()._store(change, filled, options)
        self.notes.add(change.session, self.key, uri)
        return uri


@dataclass(frozen=True, kw_only=True)
class _NotedImages(Importer):
    """Imports images and notes each session, by what its files contain; one that is noted is not stored again."""

    notes: _Notes

    def _put_or_keep(self, direction: Direction, plans: tuple[Plan, Plan], options: ImportOptions) -> str:
        uris = self.notes.uris(_key_of(direction))
        return uris[0] if uris else super()._put_or_keep(direction, plans, options)

    def _put(self, change: Change, direction: Direction, plans: tuple[Plan, Plan], options: ImportOptions) -> str:
        uri = super()._put(change, direction, plans, options)
        self.notes.add(change.session, _key_of(direction), uri)
        return uri

    def _keep(self, change: Change, direction: Direction, plan: Plan, **entry: Any) -> str:
        uri = super()._keep(change, direction, plan, **entry)
        self.notes.add(change.session, _key_of(direction), uri)
        return uri


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

        That it is done is noted last: who reads it may put the next files there. What is to be removed is noted before
        the clean-up: after a kill only that is removed, and nothing is imported.
        """
        self._note(row, status="Importing", result=row.result)
        outcome = _Outcome()
        if CLEANUP in row.parameters:
            outcome = _noted_outcome(row)
        else:
            with outcome.part():
                self._import(Visitor(row.username, everything=row.has_every_right), row, outcome)
        if row.is_cleaned_up and outcome.taken:
            self._note_taken(row, outcome)
            self._clean_up(Path(row.path), outcome)
        status = "Failed" if outcome.refusals else "Completed"
        self._note(row, status=status, result="\n".join([*outcome.uris, *outcome.refusals]))

    def _import(self, visitor: Visitor, row: InboxRequestRow, outcome: _Outcome) -> None:
        options, notes = _options(row.parameters), _Notes.of(row)
        with self._archive.read() as session:
            source = self._checked(session, visitor, row.path, options)
        found = list(_files_below(source))
        xars = [path for path in found if _is_xar(path)]
        for place, path in enumerate(xars, start=1):
            what = f"XAR {place} of {len(xars)}, in the order of their paths: " if len(xars) > 1 else ""
            with outcome.part(what), ExitStack() as stack:
                stamp = _Stamp.of(path)
                stored = copied(path, self._archive.files, stack)
                key = _key(os.fsencode(path), stored.md5.encode())
                importer = _NotedXar(self._archive, visitor, self._id_prefix, notes=notes, key=key)
                uris = notes.uris(key) or importer.run([(path.name, stored)], options, stack)
                outcome.add(uris, {path: stamp})
        with outcome.part("Images: " if xars else ""), ExitStack() as stack:
            upload, taken = self._upload([path for path in found if not _is_xar(path)], stack)
            if upload.instances or not xars:
                importer_of_images = _NotedImages(
                    self._archive, visitor, self._id_prefix, keeps_conflicts=True, notes=notes
                )
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
        self._remove_empty({path.parent for path in outcome.taken}, source)

    def _remove_empty(self, folders: set[Path], source: Path) -> None:
        """Remove folders that are empty, and those above them up to what the request named."""
        for folder in sorted(folders, key=lambda each: len(each.parts), reverse=True):
            for empty in (folder, *folder.parents):
                if empty == self._root or not empty.is_relative_to(source):
                    break
                try:
                    empty.rmdir()
                except FileNotFoundError:  # removed before a kill
                    continue
                except OSError:
                    break

    def _note(self, row: InboxRequestRow, *, status: str, result: str = "") -> None:
        with self._archive.change() as change:
            found = change.session.get(InboxRequestRow, row.number)
            if found is not None:
                found.status, found.result, found.modified_at = status, result, utc_now()
                if status != "Importing":
                    found.parameters = {name: each for name, each in found.parameters.items() if name != CLEANUP}
                change.session.add(found)

    def _note_taken(self, row: InboxRequestRow, outcome: _Outcome) -> None:
        """Note what came of the folder, and the files that shall be removed."""
        taken = [[quote_from_bytes(os.fsencode(path)), *astuple(stamp)] for path, stamp in outcome.taken.items()]
        with self._archive.change() as change:
            found = change.session.get(InboxRequestRow, row.number)
            if found is not None:
                found.result = "\n".join(outcome.uris)
                found.parameters = {**found.parameters, CLEANUP: {"taken": taken, "refusals": outcome.refusals}}
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
        "parameters": {name: row.parameters[name] for name in row.parameters if name in KEPT},
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


def _noted_outcome(row: InboxRequestRow) -> _Outcome:
    """Return what came of a folder whose clean-up was cut off."""
    noted = row.parameters[CLEANUP]
    taken = {Path(os.fsdecode(unquote_to_bytes(quoted))): _Stamp(*stamp) for quoted, *stamp in noted["taken"]}
    return _Outcome(row.result.splitlines(), noted["refusals"], taken)


def _key(*parts: bytes) -> str:
    return hashlib.sha256(b"\n".join(parts)).hexdigest()[:32]


def _key_of(direction: Direction) -> str:
    """Return the key of a DICOM study: other files, another key."""
    return _key(*sorted(instance.stored.md5.encode() for instance in direction.instances))


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
