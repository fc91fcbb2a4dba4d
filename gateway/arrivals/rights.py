"""Who may do what with which arrivals: rights per study and site. May import `service_kit.accounts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service_kit.accounts.domain import Principal, Role
from service_kit.accounts.errors import EVERY_STUDY, ScopeMissing

if TYPE_CHECKING:
    from gateway.db.arrivals import Reach

WRITE = "gateway:write"
EXECUTE = "gateway:execute"


def reach_of(principal: Principal) -> frozenset[tuple[str | None, str | None]]:
    """Return the pairs of study and site whose arrivals somebody may see, None standing for every one."""
    return principal.reach(Role.coordinator)


@dataclass(frozen=True, slots=True)
class Right:
    """A scope as somebody holds it: in some studies, at some sites.

    Examples
    --------
    >>> from service_kit.accounts.domain import Grant
    >>> eve = Principal("eve", "Eve", frozenset({Grant(Role.engineer, "brain"), Grant(Role.coordinator, "chest")}))
    >>> right = Right(eve, EXECUTE)
    >>> right.covers("brain", "ams"), right.covers("chest", "ams"), right.covers(None, None)
    (True, False, False)
    """

    principal: Principal
    scope: str

    @property
    def reach(self) -> Reach:
        """Which arrivals its holder may see; more, perhaps, than the right covers."""
        return reach_of(self.principal)

    def covers(self, study: str | None, site: str | None) -> bool:
        """Tell whether it holds for arrivals of a study and site; what is not routed yet needs it everywhere."""
        return self.principal.holds(self.scope, study=study, site=site)

    def need(self, study: str | None, site: str | None) -> None:
        """Check that it holds for a study and site.

        Raises
        ------
        ScopeMissing
        """
        if not self.covers(study, site):
            raise ScopeMissing(scope=self.scope, study=study or EVERY_STUDY)
