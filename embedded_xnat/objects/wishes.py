"""What a request wants of an object: fields as parameters, or a document. May import SQLModel."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from embedded_xnat.contract.errors import BadRequest, LabelTaken, OtherPlace, OtherType
from embedded_xnat.db.tables import ExperimentRow, ObjectColumns, ProjectAliasRow, ProjectRow, SubjectRow
from embedded_xnat.domain.names import check_project_id
from embedded_xnat.domain.protocols import merged, read_protocols
from embedded_xnat.domain.setters import Changes, apply_changes, read_changes
from embedded_xnat.domain.xml_documents import Document
from embedded_xnat.schema.registry import MODEL
from service_kit.tables import utc_now


@dataclass(frozen=True)
class Wishes:
    """What a request wants of an object: fields as parameters, and perhaps a document.

    Parameters
    ----------
    replaces
        Whether fields that the document leaves out are to be deleted.
    """

    parameters: Sequence[tuple[str, str]] = ()
    document: Document | None = None
    replaces: bool = False

    def with_document(self, document: Document) -> "Wishes":
        """Return the same wishes with a document."""
        return Wishes(self.parameters, document, replaces=self.replaces)

    def read(self, xsi_type: str) -> Changes:
        """Return what is to be changed in an object of a type.

        Raises
        ------
        BadRequest
            If the document is one of another kind of object.
        BadField
        """
        changes = read_changes(self.parameters, xsi_type)
        if self.document is None:
            return changes
        if not (MODEL.is_a(self.document.xsi_type, xsi_type) or MODEL.is_a(xsi_type, self.document.xsi_type)):
            raise BadRequest(f"The document is of a {self.document.xsi_type}; here it has to be of a {xsi_type}.")
        return Changes((*self.document.changes, *changes.changes), {**self.document.identity, **changes.identity})


Parameters = Sequence[tuple[str, str]] | Wishes


def wishes(parameters: Parameters) -> Wishes:
    """Return what a request wants, however it says so."""
    return parameters if isinstance(parameters, Wishes) else Wishes(parameters)


def set_fields(row: ObjectColumns, parameters: Parameters) -> None:
    """Apply the fields of a PUT to an object."""
    wanted = wishes(parameters)
    changes = wanted.read(row.xsi_type).changes
    if changes or wanted.replaces:
        data, lists = ({}, {}) if wanted.replaces else (row.data, row.lists)
        row.data, row.lists = apply_changes(changes, data, lists)
        row.modified_at = utc_now()


def set_project_fields(session: Session, row: ProjectRow, parameters: Parameters) -> None:
    """Apply the fields of a PUT to a project: its custom variables and aliases too.

    Raises
    ------
    LabelTaken
        If an alias is the id or alias of another project.
    """
    wanted = wishes(parameters)
    set_fields(row, parameters)
    if wanted.document is not None and (wanted.document.protocols or wanted.replaces):
        stored = read_protocols(row.protocols)
        found = merged(stored, wanted.document.protocols, replace=wanted.replaces)
        row.protocols = [each.model_dump() for each in found]
    session.add(row)
    session.flush()
    aliases = {str(each["alias"]) for each in row.lists.get("aliases/alias", ()) if each.get("alias")}
    known = session.exec(select(ProjectAliasRow).where(ProjectAliasRow.project_id == row.id)).all()
    for gone in known:
        if gone.alias not in aliases:
            session.delete(gone)
    session.flush()
    for alias in sorted(aliases - {each.alias for each in known}):
        check_project_id(alias)
        taken = select(ProjectRow.id).where(ProjectRow.id == alias)
        if session.get(ProjectAliasRow, alias) is not None or session.exec(taken).first() is not None:
            raise LabelTaken(alias)
        session.add(ProjectAliasRow(alias=alias, project_id=row.id))
    session.flush()


def set_status(row: ExperimentRow, parameters: Parameters) -> None:
    """Put an experiment into quarantine or take it out, when the request asks for it."""
    words = {name.lower(): value.lower() for name, value in wishes(parameters).parameters}
    if words.get("quarantine") == "true":
        row.status = "quarantined"
    if words.get("activate") == "true" or words.get("quarantine") == "false":
        row.status = "active"


def refuse_other_type(xsi_type: str | None, row: ObjectColumns) -> None:
    """Refuse a PUT that names a type which an object is neither of nor could be more exactly.

    Raises
    ------
    OtherType
    """
    named = MODEL.find(xsi_type) if xsi_type else None
    if named is None or MODEL.is_a(row.xsi_type, named.name) or MODEL.is_a(named.name, row.xsi_type):
        return
    raise OtherType(row.xsi_type, named.name)


def refuse_other_place(parameters: Parameters, row: SubjectRow | ExperimentRow) -> None:
    """Refuse a PUT that would move an object to another project.

    Raises
    ------
    OtherPlace
    """
    wanted = wishes(parameters)
    given = wanted.read(row.xsi_type).identity.get("project")
    given = given or next((value for name, value in wanted.parameters if name.lower() == "project"), None)
    if given not in {None, "", row.project_id}:
        raise OtherPlace
