"""Keeps anonymisation scripts, and gives those that are in force. May import SQLModel."""

from functools import lru_cache

from sqlmodel import Session

from embedded_xnat.anonymize.script import Script
from embedded_xnat.anonymize.vocabulary import read_script
from embedded_xnat.db.tables import AnonymizeScriptRow
from service_kit.tables import utc_now

#: Scope of the script that changes whatever comes in.
SITE = ""

#: What a site may begin with; in force only when it is stored and enabled.
DEFAULT = """\
// Sessions carry the labels of the archive, and no name.
version "6.1"
project != "Unassigned" ? (0008,1030) := project
(0010,0010) := subject
(0010,0020) := session
"""


def find(session: Session, scope: str) -> AnonymizeScriptRow | None:
    """Return the script of the site or of a project."""
    return session.get(AnonymizeScriptRow, scope)


def store(session: Session, scope: str, text: str, *, username: str) -> None:
    """Store a script; a new one is in force at once, a replaced one stays as it was in this.

    Raises
    ------
    ScriptRefused
    """
    read_script(text)
    row = find(session, scope) or AnonymizeScriptRow(scope=scope, text=text, modified_by=username)
    row.text, row.modified_by, row.modified_at = text, username, utc_now()
    session.add(row)


def in_force(session: Session, *scopes: str) -> list[Script]:
    """Return the scripts of these scopes that are enabled, in this order."""
    rows = [find(session, scope) for scope in scopes]
    return [_read(row.text) for row in rows if row is not None and row.is_enabled]


@lru_cache(maxsize=64)
def _read(text: str) -> Script:
    return read_script(text)
