"""Makes the rows of resources agree with what lies in their folders: files put there by hand. May import SQLModel."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sqlmodel import Session

from embedded_xnat.contract.errors import BadName, BadRequest
from embedded_xnat.db import repository
from embedded_xnat.db.tables import FileRow
from embedded_xnat.domain.addresses import Address, parse_address
from embedded_xnat.domain.names import check_file_path
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.domain.workflows import REFRESHED
from embedded_xnat.locate import locate
from embedded_xnat.resources import service
from embedded_xnat.resources.service import Shelf
from embedded_xnat.storage.archive import Archive, Cause
from embedded_xnat.storage.files import digest_of, walk

logger = logging.getLogger(__name__)


class Option(StrEnum):
    """What a refresh does; counts and sizes (populateStats) are never stored here, so there is nothing to do."""

    CHECKSUM = "checksum"
    DELETE = "delete"
    APPEND = "append"
    STATS = "populatestats"


@dataclass(frozen=True)
class _Seen:
    """A file on disk at one moment."""

    size: int
    changed_ns: int
    md5: str


@dataclass
class _Survey:
    """What a look at one resource's folder found."""

    shelf: Shelf
    rows: set[str]
    new: dict[str, _Seen] = field(default_factory=dict)
    known: dict[str, _Seen] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


def read_options(text: str | None) -> frozenset[Option]:
    """Read what a refresh shall do; nothing said means everything.

    Raises
    ------
    BadRequest

    Examples
    --------
    >>> sorted(read_options("append,populateStats"))
    [<Option.APPEND: 'append'>, <Option.STATS: 'populatestats'>]
    """
    words = [word.strip().lower() for word in (text or "").split(",") if word.strip()]
    if not words or "all" in words:
        return frozenset(Option)
    try:
        return frozenset(Option(word) for word in words)
    except ValueError as error:
        raise BadRequest("options are checksum, delete, append and populateStats.") from error


def refresh(archive: Archive, visitor: Visitor, address: Address, options: frozenset[Option]) -> None:
    """Make the rows of an object's resources (or of the one that is named) agree with the disk.

    Digests are computed before the transaction; a file that changed since then is left for the next refresh.

    Raises
    ------
    NoSuchObject, NotAllowed
    """
    before = archive.files.folders_changed
    with archive.read() as session:
        surveys = _surveys(session, visitor, address)
    for survey in surveys:
        _look(archive, survey, options)
    with archive.change(Cause(visitor.username, action=REFRESHED)) as change:
        _shelves(change.session, visitor, address)  # the rights may have changed meanwhile
        if archive.files.folders_changed != before:  # what was not there, or was another's, may be there now
            surveys = _surveys(change.session, visitor, address)
            for survey in surveys:
                _look(archive, survey, options)
        for survey in surveys:
            _apply(change.session, archive, survey, visitor=visitor, options=options)


def _surveys(session: Session, visitor: Visitor, address: Address) -> list[_Survey]:
    """Return what is to be looked at, with the files that the resources have."""
    shelves = {shelf.resource.number: shelf for shelf in _shelves(session, visitor, address)}
    paths: dict[int | None, set[str]] = {number: set() for number in shelves}
    for file in repository.file_facts(session, [number for number in shelves if number is not None]):
        paths[file.resource_number].add(file.path)
    return [_Survey(shelf, paths[number]) for number, shelf in shelves.items()]


def _shelves(session: Session, visitor: Visitor, address: Address) -> Sequence[Shelf]:
    found = locate(session, address, visitor, action=Action.UPDATE)
    if found.resource is not None:
        return [service.shelf(found, found.resource)]
    owners = [found]
    if found.experiment is not None and found.scan is None and found.assessor is None:
        owners += service.parts(session, found)
    return service.shelves(session, owners)


def _look(archive: Archive, survey: _Survey, options: frozenset[Option]) -> None:
    folder, rows = archive.files.path(survey.shelf.folder), survey.rows
    survey.missing = set(rows)
    for path in walk(folder):
        name = str(path.relative_to(folder))
        if path.is_symlink() or not path.is_file():
            continue  # a link may lead out of the archive
        survey.missing.discard(name)
        if name not in rows and Option.APPEND in options and _is_usable(name):
            survey.new[name] = _seen(path)
        elif name in rows and Option.CHECKSUM in options:
            survey.known[name] = _seen(path)


def _is_usable(name: str) -> bool:
    try:
        check_file_path(name)
    except BadName:
        logger.warning("a file on disk has a name that cannot be used")
        return False
    return True


def _seen(path: Path) -> _Seen:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())  # whoever put it there may not have
        stat = os.fstat(handle.fileno())
    return _Seen(stat.st_size, stat.st_mtime_ns, digest_of(path))


def _is_unchanged(path: Path, seen: _Seen) -> bool:
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (stat.st_size, stat.st_mtime_ns) == (seen.size, seen.changed_ns)


def _apply(
    session: Session, archive: Archive, survey: _Survey, *, visitor: Visitor, options: frozenset[Option]
) -> None:
    folder, number = archive.files.path(survey.shelf.folder), survey.shelf.resource.number
    assert number is not None
    rows = {file.path: file for file in repository.files_of(session, [number])}
    for name, seen in survey.new.items():
        if name not in rows and _is_unchanged(folder / name, seen):
            session.add(
                FileRow(
                    resource_number=number,
                    path=name,
                    size=seen.size,
                    md5=seen.md5,
                    format=survey.shelf.resource.format,
                    content=survey.shelf.resource.content,
                    inserted_by=visitor.username,
                )
            )
    for name, seen in survey.known.items():
        if name in rows and _is_unchanged(folder / name, seen):
            rows[name].size, rows[name].md5 = seen.size, seen.md5
            session.add(rows[name])
    if Option.DELETE in options:
        for name in survey.missing:
            if name in rows and not (folder / name).exists():
                session.delete(rows[name])
    session.flush()


def address_of(text: str | None) -> Address:
    """Read the address that a service is given: with or without ``/data`` and ``/archive``.

    Raises
    ------
    BadRequest
    """
    path = (text or "").strip("/").removeprefix("REST/").removeprefix("data/")
    address = parse_address(path)
    if address is None or not address.steps or (address.aspect not in {None, "files"}):
        raise BadRequest("Name an object of the archive: /archive/projects/P/subjects/S/experiments/E.")
    return address
