"""Searches that are stored under a name. May import SQLModel."""

from sqlmodel import Session, col, select

from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.db.tables import SavedSearchRow
from embedded_xnat.domain.bundles import read_bundle
from embedded_xnat.domain.names import check_folder_name
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.domain.tables import Row
from service_kit.tables import utc_now

COLUMNS = ("id", "brief_description", "description", "root_element_name", "user", "insert_date")


def list_saved(session: Session, visitor: Visitor) -> list[Row]:
    """Return the stored searches that a visitor may use."""
    found = session.exec(select(SavedSearchRow).order_by(col(SavedSearchRow.inserted_at), col(SavedSearchRow.id)))
    return [
        {
            "id": row.id,
            "brief_description": row.brief_description,
            "description": row.description,
            "root_element_name": row.root_element,
            "user": row.owner,
            "insert_date": f"{row.inserted_at:%Y-%m-%d %H:%M:%S}.0",
        }
        for row in found
        if _may_use(row, visitor)
    ]


def saved(session: Session, visitor: Visitor, search_id: str) -> SavedSearchRow:
    """Return a stored search.

    Raises
    ------
    NoSuchObject
        If there is none, or the visitor may not use it.
    """
    row = session.get(SavedSearchRow, search_id)
    if row is None or not _may_use(row, visitor):
        raise NoSuchObject("saved search")
    return row


def save(session: Session, visitor: Visitor, search_id: str, document: bytes) -> bool:
    """Store a search under an id; True when it is new.

    Raises
    ------
    BadRequest, BadName
    NotAllowed
        If another person's search has this id.
    """
    check_folder_name(search_id, what="id of a search")
    bundle = read_bundle(document)
    row = session.get(SavedSearchRow, search_id)
    is_new = row is None
    row = row or SavedSearchRow(id=search_id, owner=visitor.username, root_element=bundle.root, document="")
    _check_owner(row, visitor)
    row.brief_description = (bundle.brief_description or search_id)[:255]
    row.description, row.root_element = bundle.description, bundle.root[:100]
    row.logins, row.document, row.modified_at = list(bundle.logins), document.decode("utf-8", "replace"), utc_now()
    session.add(row)
    return is_new


def remove(session: Session, visitor: Visitor, search_id: str) -> None:
    """Delete a stored search.

    Raises
    ------
    NoSuchObject, NotAllowed
    """
    row = saved(session, visitor, search_id)
    _check_owner(row, visitor)
    session.delete(row)


def _may_use(row: SavedSearchRow, visitor: Visitor) -> bool:
    return visitor.everything or row.owner == visitor.username or not row.logins or visitor.username in row.logins


def _check_owner(row: SavedSearchRow, visitor: Visitor) -> None:
    if not visitor.everything and row.owner != visitor.username:
        raise NotAllowed("change the search of another person")
