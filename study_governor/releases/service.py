"""Reads the table that a study released, and gives of it what somebody may see. May import `study_governor.db`."""

from __future__ import annotations

import csv
import io
import json
import logging
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from sqlmodel import col, select

from study_governor.cohorts.service import checked_label
from study_governor.contract.errors import NothingReleased, ReleaseUnreadable
from study_governor.db.tables import CohortRow, ExperimentRow, SubjectRow

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from sqlmodel import Session

    from study_governor.reach import Reach


logger = logging.getLogger(__name__)

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, csv.Error)
"""What reading a table raises that cannot be opened, or is none: no text, no JSON, no columns of subject and session."""


class TableFormat(StrEnum):
    """In which form a table is downloaded."""

    CSV = "csv"
    JSON = "json"

    @property
    def media_type(self) -> str:
        """The form's media type."""
        return "text/csv" if self is TableFormat.CSV else "application/json"


class ReleaseState(StrEnum):
    """What there is of a study's release: rows, or why there are none."""

    NONE = "none"  # nothing was released yet
    EMPTY = "empty"  # what was released has been withdrawn
    ELSEWHERE = "elsewhere"  # only sessions of sites that somebody may not see
    UNREADABLE = "unreadable"  # there is a file, which cannot be opened or is no table
    THERE = "there"


def table_file(releases_dir: Path, study: str, *, form: TableFormat = TableFormat.CSV) -> Path:
    """Return where the table of a study is, once something was released."""
    name = checked_label(study, what="study")
    return releases_dir / name / f"{name}.{form.value}"


def release_state(session: Session, releases_dir: Path | None, study: str, *, reach: Reach) -> ReleaseState:
    """Return what of a study's release there is now, for somebody who may see what `reach` says."""
    if releases_dir is None:
        return ReleaseState.NONE
    try:
        with table_file(releases_dir, study).open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            first = next(rows, None)
            if first is None:
                return ReleaseState.EMPTY
            if reach.covers(study, None):
                return ReleaseState.THERE
            seen = _sessions_seen(session, study, reach=reach)
            is_seen = any((row["subject"], row["session"]) in seen for row in chain([first], rows))
            return ReleaseState.THERE if is_seen else ReleaseState.ELSEWHERE
    except (FileNotFoundError, NotADirectoryError):
        return ReleaseState.NONE
    except _UNREADABLE as error:
        _log_unreadable(error)
        return ReleaseState.UNREADABLE


def released_table(session: Session, releases_dir: Path | None, study: str, *, form: TableFormat, reach: Reach) -> str:
    """Return the table of a study as it was written; for somebody of some sites the rows of those sites.

    Raises
    ------
    NothingReleased, ReleaseUnreadable
    """
    if releases_dir is None:
        raise NothingReleased(study)
    try:
        text = table_file(releases_dir, study, form=form).read_text(encoding="utf-8")
        if reach.covers(study, None):
            return text
        return rows_of(text, _sessions_seen(session, study, reach=reach), form=form)
    except (FileNotFoundError, NotADirectoryError):
        raise NothingReleased(study) from None
    except _UNREADABLE as error:
        _log_unreadable(error)
        raise ReleaseUnreadable(study) from None


def _log_unreadable(error: Exception) -> None:
    """Say what kind of error it was and no more: it may hold the path, or what stands in the table."""
    facts = {"error": type(error).__name__, "errno": getattr(error, "errno", None)}
    logger.warning("a released table cannot be read", extra=facts)


def _sessions_seen(session: Session, study: str, *, reach: Reach) -> set[tuple[str, str]]:
    """Return labels of subject and session of what somebody may see of a study."""
    query = (
        select(SubjectRow.label, ExperimentRow.label)
        .join(ExperimentRow, col(SubjectRow.id) == ExperimentRow.subject_id)
        .join(CohortRow, col(CohortRow.id) == ExperimentRow.cohort_id)
        .where(CohortRow.label == study, reach.sessions())
    )
    return set(session.exec(query).all())


def rows_of(text: str, sessions: Container[tuple[str, str]], *, form: TableFormat) -> str:
    r"""Cut a table down to the rows of some sessions.

    Parameters
    ----------
    sessions
        Labels of subject and session.

    Examples
    --------
    >>> rows_of("session,subject\nS1,A\nS2,B\n", {("A", "S1")}, form=TableFormat.CSV)
    'session,subject\nS1,A\n'
    """
    if form is TableFormat.JSON:
        rows = [row for row in json.loads(text) if (row["subject"], row["session"]) in sessions]
        return json.dumps(rows, indent=1) + "\n"
    reader = csv.DictReader(io.StringIO(text))
    cut = io.StringIO()
    writer = csv.DictWriter(cut, fieldnames=reader.fieldnames or (), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in reader if (row["subject"], row["session"]) in sessions)
    return cut.getvalue()
