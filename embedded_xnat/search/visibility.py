"""Which projects a visitor may see, as SQL. May import SQLAlchemy."""

from typing import Any

from sqlalchemy import or_, select
from sqlmodel import col

from embedded_xnat.db.tables import ExperimentRow, MembershipRow, ProjectRow
from embedded_xnat.domain.roles import Accessibility, Visitor


def visible_projects(visitor: Visitor, also: tuple[Accessibility, ...] = (Accessibility.PUBLIC,)) -> Any:
    """Return a query for the ids of projects a visitor may see; None for all of them."""
    if visitor.everything or visitor.reads_everything:
        return None
    mine = select(col(MembershipRow.project_id)).where(col(MembershipRow.username) == visitor.username)
    opened = [each.value for each in also]
    return select(col(ProjectRow.id)).where(
        or_(
            col(ProjectRow.id).in_(mine),
            col(ProjectRow.id).in_(visitor.collaborates),
            col(ProjectRow.accessibility).in_(opened),
        ),
        col(ProjectRow.is_deleted).is_(False),
    )


def readable_experiments(visitor: Visitor, *columns: Any) -> Any:
    """Return a query for columns of the experiments that a visitor may read, by the projects they belong to."""
    statement = select(*columns)
    visible = visible_projects(visitor)
    return statement if visible is None else statement.where(col(ExperimentRow.project_id).in_(visible))
