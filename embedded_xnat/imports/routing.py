"""Finds where an import goes: what the administrator's rules say, and which project that is. May import SQLModel."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from sqlmodel import Session, col, select

from embedded_xnat.contract.errors import NoSuchObject, NotAllowed
from embedded_xnat.db import repository
from embedded_xnat.db.site_tables import ReceiverRow
from embedded_xnat.db.tables import ProjectAliasRow, ProjectRow
from embedded_xnat.dicom.elements import read_texts
from embedded_xnat.domain.addresses import Address, ObjectKind, Step
from embedded_xnat.domain.roles import Action, Visitor
from embedded_xnat.domain.routing_rules import Rule, first_found, read_rules
from embedded_xnat.imports.planning import project_candidates
from embedded_xnat.imports.records import Route, Series
from embedded_xnat.locate import locate
from embedded_xnat.site import configurations


def ruled_by(session: Session, path: Path) -> Route:
    """Return where the administrator's rules send a file; project, subject, session by themselves.

    These are the routing expressions of enabled receivers and then the rules of the site. Which receiver took a file in
    is not known here, so those of all count, in the order in which they were made.
    """
    statement = select(ReceiverRow).where(col(ReceiverRow.is_enabled) & col(ReceiverRow.has_rules))
    receivers = session.exec(statement.order_by(col(ReceiverRow.number))).all()

    def rules(texts: Iterable[str], path: str) -> list[Rule]:
        of_site = configurations.text_in_force(session, configurations.DICOM, path)
        return [rule for text in (*texts, of_site) for rule in _read_rules(text)]

    of_project = rules((each.project_rules for each in receivers), configurations.PROJECT_RULES)
    of_subject = rules((each.subject_rules for each in receivers), configurations.SUBJECT_RULES)
    of_session = rules((each.session_rules for each in receivers), configurations.SESSION_RULES)
    tags = {rule.tag for rule in (*of_project, *of_subject, *of_session)}
    text_of = (read_texts(path, tags) if tags else {}).get
    return Route(first_found(of_project, text_of), first_found(of_subject, text_of), first_found(of_session, text_of))


@lru_cache(maxsize=64)
def _read_rules(text: str) -> tuple[Rule, ...]:
    return tuple(read_rules(text))


def project_for(
    session: Session, visitor: Visitor, series: Series, *, wanted: Route, ruled: Route
) -> ProjectRow | None:
    """Return the project of an import; None when nobody says one that the visitor may write to.

    Parameters
    ----------
    wanted, ruled
        What the request says, and what the administrator's rules say.

    Raises
    ------
    NoSuchObject, NotAllowed
        If the request itself names a project that is not there or may not be written to.
    """
    for candidate in project_candidates(series, wanted, ruled):
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
