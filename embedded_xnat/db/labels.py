"""An index of parts of labels: which sessions and subjects have three characters in a row. May import SQLModel.

It makes the search by a part of a label cost what it finds, on SQLite and PostgreSQL alike. The rows write themselves
whenever a session or subject is made, renamed or moved, and go with it and with its older label. One that is left over
from an older subject does no harm: whoever searches compares the label itself.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, repeat
from typing import Any

from sqlalchemy import Connection, Select, delete, event, insert, inspect, select
from sqlalchemy.orm import Mapper
from sqlmodel import Field, Session, col

from embedded_xnat.db.tables import Base, ExperimentRow, SubjectRow
from embedded_xnat.domain.addresses import ObjectKind

SUBJECTS, SESSIONS = ObjectKind.SUBJECT.value, ObjectKind.EXPERIMENT.value
LENGTH = 3
_BATCHES = (100, 400, 1_500)
#: A text that is shorter than a part is looked for among so many of the newest.
NEWEST = sum(_BATCHES)
_COUNTED = 300
_BEYOND_ALL = 2**31 - 1
_COMPARED_PARTS = 8


class LabelPartRow(Base, table=True):
    """Three characters in a row of a label, in lower case.

    Attributes
    ----------
    kind, number
        The session or subject; a session is found by its subject's label, too.
    """

    __tablename__ = "label_part"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: str = Field(primary_key=True, max_length=20)
    part: str = Field(primary_key=True, max_length=LENGTH)
    number: int = Field(primary_key=True)


def parts(text: str) -> set[str]:
    """Return each three characters in a row.

    Examples
    --------
    >>> sorted(parts("P01a"))
    ['01a', 'p01']
    >>> parts("P1")
    set()
    """
    text = text.lower()
    return {text[place : place + LENGTH] for place in range(len(text) - LENGTH + 1)}


def candidates(session: Session, kind: str, text: str, *, before: int | None = None) -> Iterator[list[int]]:
    """Yield numbers of sessions or subjects whose labels may have a text in them, newest first, some at a time."""
    wanted = parts(text)
    if wanted:
        number: Any = col(LabelPartRow.number)
        statement = _having(_by_rarity(session, kind, wanted), kind)
        batches: Iterable[int] = chain(_BATCHES, repeat(_BATCHES[-1]))
    else:
        number = col((SubjectRow if kind == SUBJECTS else ExperimentRow).number)
        statement = select(number)
        batches = _BATCHES
    for batch in batches:
        some = statement.where(number < (before or _BEYOND_ALL))
        numbers = list(session.connection().scalars(some.order_by(number.desc()).limit(batch)))
        if numbers:
            yield numbers
        if len(numbers) < batch:
            return
        before = numbers[-1]


def _by_rarity(session: Session, kind: str, wanted: Collection[str]) -> list[str]:
    """Return parts, the one that the fewest have first; beyond some hundred nobody counts."""
    counted = []
    for part in sorted(wanted)[:_COMPARED_PARTS]:
        some = select(col(LabelPartRow.number)).where(col(LabelPartRow.kind) == kind, col(LabelPartRow.part) == part)
        counted.append((len(session.connection().scalars(some.limit(_COUNTED)).all()), part))
    return [part for _, part in sorted(counted)]


def _having(rarest: list[str], kind: str) -> Select[Any]:
    """Return a query for the numbers that have all of some parts, looked up by the first."""
    number = col(LabelPartRow.number)
    statement = select(number).where(col(LabelPartRow.kind) == kind, col(LabelPartRow.part) == rarest[0])
    for part in rarest[1:]:
        other = LabelPartRow.__table__.alias()  # type: ignore[attr-defined]
        same = (other.c.kind == kind) & (other.c.part == part) & (other.c.number == number)
        statement = statement.where(select(other.c.number).where(same).exists())
    return statement


def write(
    connection: Connection, kind: str, number: int, labels: Collection[str], *, before: Collection[str] = ()
) -> None:
    """Write the parts of labels that are not there yet; those of labels that it had before go."""
    wanted = set[str]().union(*(parts(label) for label in labels))
    forget(connection, kind, number, set[str]().union(*(parts(label) for label in before)) - wanted)
    known = select(col(LabelPartRow.part)).where(
        col(LabelPartRow.kind) == kind, col(LabelPartRow.part).in_(wanted), col(LabelPartRow.number) == number
    )
    missing = sorted(wanted - set(connection.scalars(known)))
    if missing:
        rows = [{"kind": kind, "part": part, "number": number} for part in missing]
        connection.execute(insert(LabelPartRow), rows)


def forget(connection: Connection, kind: str, number: int, gone: Collection[str]) -> None:
    """Remove some parts of a session or subject."""
    if gone:
        one = (col(LabelPartRow.kind) == kind) & (col(LabelPartRow.number) == number)
        connection.execute(delete(LabelPartRow).where(one & col(LabelPartRow.part).in_(gone)))


def _changed(target: object, *names: str) -> bool:
    attributes = inspect(target, raiseerr=True).attrs
    return any(attributes[name].history.has_changes() for name in names)


def _before(target: SubjectRow | ExperimentRow) -> list[str]:
    """Return the label that a row had before it was changed."""
    return [str(label) for label in inspect(target, raiseerr=True).attrs["label"].history.deleted or ()]


def _subject_label(connection: Connection, row: ExperimentRow) -> str:
    return connection.scalar(select(col(SubjectRow.label)).where(col(SubjectRow.id) == row.subject_id)) or ""


@event.listens_for(ExperimentRow, "after_insert")
@event.listens_for(ExperimentRow, "after_update")
def _session_written(_mapper: Mapper[Any], connection: Connection, row: ExperimentRow) -> None:
    if row.session_id is not None or row.number is None or not _changed(row, "label", "subject_id"):
        return
    write(connection, SESSIONS, row.number, [row.label, _subject_label(connection, row)], before=_before(row))


@event.listens_for(ExperimentRow, "after_delete")
def _session_gone(_mapper: Mapper[Any], connection: Connection, row: ExperimentRow) -> None:
    if row.session_id is None and row.number is not None:
        write(connection, SESSIONS, row.number, [], before=[row.label, _subject_label(connection, row)])


@event.listens_for(SubjectRow, "after_insert")
@event.listens_for(SubjectRow, "after_update")
def _subject_written(_mapper: Mapper[Any], connection: Connection, row: SubjectRow) -> None:
    if row.number is None or not _changed(row, "label"):
        return
    write(connection, SUBJECTS, row.number, [row.label], before=_before(row))
    its = select(col(ExperimentRow.number), col(ExperimentRow.label)).where(
        col(ExperimentRow.subject_id) == row.id, col(ExperimentRow.session_id).is_(None)
    )
    for number, label in connection.execute(its).all():
        write(connection, SESSIONS, number or 0, [row.label, label], before=_before(row))


@event.listens_for(SubjectRow, "after_delete")
def _subject_gone(_mapper: Mapper[Any], connection: Connection, row: SubjectRow) -> None:
    if row.number is not None:
        write(connection, SUBJECTS, row.number, [], before=[row.label])
