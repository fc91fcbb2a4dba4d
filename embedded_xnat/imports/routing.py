"""Finds the project that an import is for. May import SQLModel."""

from sqlmodel import Session

from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.db import repository
from embedded_xnat.db.tables import ProjectAliasRow, ProjectRow
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.imports.planning import project_candidates
from embedded_xnat.imports.records import Route, Series
from embedded_xnat.locate import locate


def project_for(session: Session, visitor: Visitor, series: Series, wanted: Route) -> ProjectRow | None:
    """Return the project of an import; None when nobody says one that the visitor may write to.

    Raises
    ------
    NoSuchObject, NotAllowed
        If the request itself names a project that is not there or may not be written to.
    """
    for candidate in project_candidates(series, wanted):
        project = project_by_name(session, candidate)
        if wanted.project_id is not None:
            if project is None:
                raise NoSuchObject("project")
            return writable(session, visitor, project.id)
        if project is None:
            continue
        try:
            return writable(session, visitor, project.id)
        except (NoSuchObject, NotAllowed):
            continue
    return None


def writable(session: Session, visitor: Visitor, project_id: str) -> ProjectRow:
    """Return a project that the visitor may write to.

    Raises
    ------
    NoSuchObject, NotAllowed
    """
    address = Address((Step(ObjectKind.PROJECT, project_id),))
    project = locate(session, address, visitor, action=Action.CREATE).project
    assert project is not None
    return project


def project_by_name(session: Session, name: str) -> ProjectRow | None:
    """Return a project by its id or one of its aliases."""
    if not name.isprintable():
        return None
    found = repository.project_by_id(session, name)
    if found is not None:
        return found
    alias = session.get(ProjectAliasRow, name)
    return None if alias is None else repository.project_by_id(session, alias.project_id)
