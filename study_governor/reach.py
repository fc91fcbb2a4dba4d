"""Which sessions somebody may see or change: rights per study and site. May import `service_kit.accounts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, false, or_, true
from sqlmodel import col

from service_kit.accounts.domain import Principal, Role
from study_governor.db.tables import CohortRow, ExperimentRow, SubjectRow

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

READ = "governor:read"
WRITE = "governor:write"
EXECUTE = "governor:execute"


@dataclass(frozen=True, slots=True)
class Reach:
    """The pairs of study and site that are open; None stands for every one.

    Examples
    --------
    >>> from service_kit.accounts.domain import Grant
    >>> anna = Principal("anna", "Anna", frozenset({Grant(Role.coordinator, study="brain", site="ams")}))
    >>> reach_of(anna).covers("brain", "ams"), reach_of(anna).covers("brain", "rtd")
    (True, False)
    """

    pairs: frozenset[tuple[str | None, str | None]]

    def covers(self, study: str, site: str | None) -> bool:
        """Tell whether sessions of the study at the site are open."""
        return any(
            (own_study is None or own_study == study) and (own_site is None or own_site == site)
            for own_study, own_site in self.pairs
        )

    def covers_study(self, study: str) -> bool:
        """Tell whether something of the study is open."""
        return any(own_study is None or own_study == study for own_study, _ in self.pairs)

    def sessions(self) -> ColumnElement[bool]:
        """Return the condition on sessions joined with their cohorts."""
        if (None, None) in self.pairs:
            return true()
        ways: list[ColumnElement[bool]] = []
        for study, site in self.pairs:
            parts: list[ColumnElement[bool]] = [true()]
            if study is not None:
                parts.append(col(CohortRow.label) == study)
            if site is not None:
                parts.append(col(ExperimentRow.site) == site)
            ways.append(and_(*parts))
        return or_(false(), *ways)

    def subjects(self) -> ColumnElement[bool]:
        """Return the condition on subjects joined with their cohorts: with a session in reach, where a site limits it."""
        if (None, None) in self.pairs:
            return true()
        ways: list[ColumnElement[bool]] = []
        for study, site in self.pairs:
            in_study = true() if study is None else col(CohortRow.label) == study
            if site is None:
                ways.append(in_study)
            else:
                own = exists().where(col(ExperimentRow.subject_id) == SubjectRow.id, col(ExperimentRow.site) == site)
                ways.append(and_(in_study, own))
        return or_(false(), *ways)


EVERYTHING = Reach(frozenset({(None, None)}))


def reach_of(principal: Principal) -> Reach:
    """Return what somebody with a coordinator's right or more may see."""
    return Reach(principal.reach(Role.coordinator))
