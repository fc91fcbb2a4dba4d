"""Texts that tools are configured by, of the site or of a project, in versions. May import SQLModel.

XNAT's configuration service keeps whatever text a tool asks for. What means something here is checked when it is stored:
the site's rules for where received images belong (tool ``dicom``), and which series an import takes.
"""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from embedded_xnat.contract.errors import BadField, BadRequest
from embedded_xnat.db.site_tables import ConfigurationRow
from embedded_xnat.dicom.series_filters import read_filter
from embedded_xnat.domain.documents import check_document
from embedded_xnat.domain.items import sql_date
from embedded_xnat.domain.routing_rules import read_rules

SITE = ""
DICOM = "dicom"
#: Paths of the tool ``dicom`` at the site: rules that find project, subject and session of an import.
PROJECT_RULES, SUBJECT_RULES, SESSION_RULES = "projectRules", "subjectRules", "sessionRules"
#: Which series an import takes, at the site and in a project.
SERIES_FILTER, CONFIG = "seriesImportFilter", "config"
#: Tools whose texts this server keeps elsewhere, where it applies them.
_ELSEWHERE = frozenset({"anon", "edit"})
_TOOL = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
MAX_PATH, MAX_CONTENTS, MAX_REASON = 500, 256 * 1024, 500
COLUMNS = (
    "tool",
    "path",
    "project",
    "user",
    "create_date",
    "reason",
    "contents",
    "unversioned",
    "version",
    "status",
)


def tools(session: Session, project_id: str) -> list[str]:
    """Return the tools that the site, or a project, has a text for."""
    statement = select(ConfigurationRow.tool).where(ConfigurationRow.project_id == project_id).distinct()
    return sorted(session.exec(statement))


def texts_of(session: Session, project_id: str, tool: str) -> Sequence[ConfigurationRow]:
    """Return the newest version at each path of a tool."""
    newest = (
        select(func.max(col(ConfigurationRow.number)))
        .where(ConfigurationRow.project_id == project_id, ConfigurationRow.tool == tool)
        .group_by(col(ConfigurationRow.path))
    )
    statement = select(ConfigurationRow).where(col(ConfigurationRow.number).in_(newest))
    return session.exec(statement.order_by(col(ConfigurationRow.path))).all()


def history(session: Session, project_id: str, tool: str, path: str) -> Sequence[ConfigurationRow]:
    """Return all versions at a path, the oldest first."""
    return session.exec(_versions(project_id, tool, path).order_by(col(ConfigurationRow.version))).all()


def find(session: Session, project_id: str, tool: str, path: str) -> ConfigurationRow | None:
    """Return the newest version at a path."""
    return session.exec(_versions(project_id, tool, path).order_by(col(ConfigurationRow.version).desc())).first()


def _versions(project_id: str, tool: str, path: str) -> SelectOfScalar[ConfigurationRow]:
    return select(ConfigurationRow).where(
        ConfigurationRow.project_id == project_id, ConfigurationRow.tool == tool, ConfigurationRow.path == path
    )


def text_in_force(session: Session, tool: str, path: str, project_id: str = SITE) -> str:
    """Return what the site, or a project, has at a path; nothing when it has nothing there or it is switched off."""
    row = find(session, project_id, tool, path)
    return row.contents if row is not None and row.is_enabled else ""


def store(
    session: Session, row: ConfigurationRow, *, contents: str | None = None, is_enabled: bool | None = None
) -> bool:
    """Put a text in the place of the one that is there, or switch that on or off; True when it is the first one.

    Parameters
    ----------
    row
        Whose, for which tool, at which path, by whom and why.

    Raises
    ------
    BadRequest, BadField
        If the text cannot be kept or, where it means something here, not be applied.
    """
    check_place(row.tool, row.path)
    before = find(session, row.project_id, row.tool, row.path)
    if contents is None:
        if before is None:
            raise BadRequest("There is no text here that could be switched on or off; send one.")
        before.is_enabled = before.is_enabled if is_enabled is None else is_enabled
        session.add(before)
        return False
    _check(row, contents)
    wanted = is_enabled is not False
    if before is not None and before.contents == contents:
        before.is_enabled = wanted
        session.add(before)
        return False
    row.contents, row.is_enabled = contents, wanted
    row.version = 1 if before is None else before.version + 1
    session.add(row)
    session.flush()
    return before is None


def check_place(tool: str, path: str) -> None:
    """Raise unless a text can be kept for a tool at a path.

    Raises
    ------
    BadField, BadRequest
    """
    if not _TOOL.fullmatch(tool):
        raise BadField("tool", "has letters, digits and . _ - only, and at most 100 of them")
    if not path or len(path) > MAX_PATH or not path.isprintable():
        raise BadField("path", f"is empty, longer than {MAX_PATH} characters, or cannot be printed")
    if tool in _ELSEWHERE:
        raise BadRequest(
            "Anonymisation scripts are set at /xapi/anonymize/site and /xapi/anonymize/projects/ID; "
            "kept here they would not be applied."
        )


def _check(row: ConfigurationRow, contents: str) -> None:
    if not contents.strip():
        raise BadRequest("Send the text in the body of the request.")
    try:
        check_document([contents, row.reason], max_chars=MAX_CONTENTS)
        if row.project_id == SITE and row.tool == DICOM and row.path in {PROJECT_RULES, SUBJECT_RULES, SESSION_RULES}:
            read_rules(contents)
        if (row.tool, row.path) == (SERIES_FILTER, CONFIG):
            read_filter(contents)
    except ValueError as error:
        raise BadField(row.path[:100], f"cannot have this text: {error}") from error


def shown(row: ConfigurationRow, *, with_contents: bool = True) -> dict[str, str]:
    """Return a version as tables show it."""
    values: dict[str, Any] = {
        "tool": row.tool,
        "path": row.path,
        "project": row.project_id,
        "user": row.created_by,
        "create_date": sql_date(row.created_at),
        "reason": row.reason,
        "contents": row.contents if with_contents else "",
        "unversioned": "false",
        "version": str(row.version),
        "status": "enabled" if row.is_enabled else "disabled",
    }
    return {name: values[name] for name in COLUMNS}
