"""Write the released measurements of a study as a table, CSV and JSON, atomically and idempotently.

Each session of a subject has a file of its own rows; the table is put together anew from all of them, under a lock. Two releases at
once, or one twice, or one cut off in the middle, end in the same table. POSIX only (file locks, rename).
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import logging
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tasks.errors import ReleaseNotWritten
from tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from study_governor.contract.schemas import MeasurementRecord

logger = logging.getLogger(__name__)

_SESSIONS = "sessions"


class ReleaseRow(Record):
    """A line of the table: one measurement of one session."""

    session: str
    subject: str
    name: str
    value: float
    unit: str
    model: str
    version: str
    input_sha256: str = ""
    """Digest over the instances that were measured; the pedigree behind it is in the archive."""


class Release(Record):
    """Where a study's table is, and how many rows it has."""

    csv: Path
    json_file: Path
    row_count: int


def release_table(measurements: Iterable[MeasurementRecord], *, wanted: Sequence[str] = ()) -> tuple[ReleaseRow, ...]:
    """Return the rows of measurements, ordered by session and name; only the names wanted, all when none is named."""
    rows = [
        ReleaseRow(
            session=one.session,
            subject=one.subject,
            name=one.name,
            value=one.value,
            unit=one.unit,
            model=one.model,
            version=one.version,
            input_sha256=_input_digest(one),
        )
        for one in measurements
        if not wanted or one.name in wanted
    ]
    return tuple(sorted(rows, key=_order))


def write_release(
    folder: Path, session: str, rows: Sequence[ReleaseRow], *, stem: str, subject: str | None = None
) -> Release:
    """Release the rows of one session into the table of its study.

    Parameters
    ----------
    folder
        The study's release folder; made when missing.
    session
        Label of the session; its earlier rows are replaced.
    rows
        The rows of that session; none takes the session out of the table.
    stem
        Name of the table's files without ending, the study's name.
    subject
        Label of the subject, since two subjects may have sessions of one label; that of the rows by default.

    Raises
    ------
    ReleaseNotWritten
    """
    if any(row.session != session for row in rows):
        raise ValueError("rows of another session")
    subjects = {row.subject for row in rows} | ({subject} if subject is not None else set())
    if len(subjects) != 1:
        raise ValueError("rows of several subjects, or none and no subject named")
    own = Path(_file_name(subjects.pop())) / f"{_file_name(session)}.json"
    try:
        release = _write_all(folder, own, rows, stem=stem)
    except OSError as error:
        raise ReleaseNotWritten(stem, why=error.strerror or type(error).__name__) from None
    logger.info("release written", extra={"study": stem, "rows": len(rows), "table_rows": release.row_count})
    return release


def _write_all(folder: Path, own: Path, rows: Sequence[ReleaseRow], *, stem: str) -> Release:
    """Write the rows of a session to its own file, then the table of all sessions."""
    sessions = folder / _SESSIONS
    own = sessions / own
    own.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if rows:
            _write(own, _as_json(rows))
        else:
            own.unlink(missing_ok=True)
        table = sorted((row for path in sorted(sessions.glob("*/*.json")) for row in _read(path)), key=_order)
        csv_path, json_path = folder / f"{stem}.csv", folder / f"{stem}.json"
        _write(csv_path, _as_csv(table))
        _write(json_path, _as_json(table))
    return Release(csv=csv_path, json_file=json_path, row_count=len(table))


def _input_digest(measurement: MeasurementRecord) -> str:
    source = measurement.pedigree.get("input")
    return str(source.get("instances_sha256", "")) if isinstance(source, dict) else ""


def _file_name(label: str) -> str:
    """Write a label as the name of a file or folder: different ones stay different, and none leaves its folder."""
    return quote(label, safe="").replace(".", "%2E")


def _order(row: ReleaseRow) -> tuple[str, str, str, str]:
    return (row.subject, row.session, row.name, row.model)


def _read(path: Path) -> list[ReleaseRow]:
    return [ReleaseRow.model_validate(row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _as_json(rows: Iterable[ReleaseRow]) -> str:
    return json.dumps([row.model_dump(mode="json") for row in rows], indent=1) + "\n"


def _as_csv(rows: Iterable[ReleaseRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(ReleaseRow.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump() for row in rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, durable before it is seen; the same text leaves it alone."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
