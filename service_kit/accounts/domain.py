"""Who may do what: roles, grants, scopes and the principal that carries them.

Pure decisions over frozen values. May import the standard library only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a person is in a study: each role is granted for all studies or for one, for all sites or for one."""

    admin = "admin"
    engineer = "engineer"
    coordinator = "coordinator"
    annotator = "annotator"


class Scope(StrEnum):
    """What a program may do with a token."""

    gateway_read = "gateway:read"
    gateway_write = "gateway:write"
    gateway_execute = "gateway:execute"
    governor_read = "governor:read"
    governor_write = "governor:write"
    governor_execute = "governor:execute"
    supervisor_read = "supervisor:read"
    supervisor_write = "supervisor:write"
    supervisor_execute = "supervisor:execute"
    supervisor_answer = "supervisor:answer"


SCOPE_MEANINGS: dict[Scope, str] = {
    Scope.gateway_read: "See arrivals and the quarantine",
    Scope.gateway_write: "Complete and retry arrivals, upload",
    Scope.gateway_execute: "Download and settle arrivals (for the flows)",
    Scope.governor_read: "See sessions, states and measurements",
    Scope.governor_write: "Create and move sessions, store measurements",
    Scope.governor_execute: "Answer callback executions (for the flows)",
    Scope.supervisor_read: "See tasks and answers",
    Scope.supervisor_write: "Create and change tasks",
    Scope.supervisor_execute: "Create tasks that show files of the archive (for the flows)",
    Scope.supervisor_answer: "Claim and answer one's own tasks",
}
"""What each scope allows, in words for the page that issues tokens."""

# A role includes the roles on the right within the same study and site.
_INCLUDED: dict[Role, frozenset[str]] = {
    Role.admin: frozenset(Role),
    Role.engineer: frozenset({Role.engineer, Role.coordinator, Role.annotator}),
    Role.coordinator: frozenset({Role.coordinator}),
    Role.annotator: frozenset({Role.annotator}),
}

_SCOPES: dict[Role, frozenset[str]] = {
    Role.admin: frozenset(Scope),
    Role.engineer: frozenset(Scope),
    Role.coordinator: frozenset(
        {
            Scope.gateway_read,
            Scope.gateway_write,
            Scope.governor_read,
            Scope.governor_write,
            Scope.supervisor_read,
            Scope.supervisor_write,
        }
    ),
    Role.annotator: frozenset({Scope.supervisor_read, Scope.supervisor_answer}),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, for one study or all (`None`), at one site or all (`None`)."""

    role: Role
    study: str | None = None
    site: str | None = None

    def covers(self, *, study: str | None, site: str | None) -> bool:
        """Tell whether the grant reaches `study` at `site`; `None` asks for any study or any site.

        Examples
        --------
        >>> Grant(Role.coordinator, study="brain").covers(study="chest", site=None)
        False
        """
        study_fits = study is None or self.study is None or self.study == study
        site_fits = site is None or self.site is None or self.site == site
        return study_fits and site_fits


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever makes a request: a person at a page, or a program with a token.

    Parameters
    ----------
    username
        The account's name; also written as the actor of what the principal does.
    display_name
        The person's name for pages; never for logs.
    grants
        Roles with their study and site.
    scopes
        What a token was limited to; `None` for a session or a password, which have all that the roles allow.
    """

    username: str
    display_name: str
    grants: frozenset[Grant] = field(default_factory=frozenset)
    scopes: frozenset[str] | None = None

    def may(self, roles: str | Iterable[str], *, study: str | None = None, site: str | None = None) -> bool:
        """Tell whether one of `roles` is held for `study` and `site`.

        Without a study the question is "in any study at all": right for showing a list page, wrong for opening
        one session, so pass the study wherever an object has one. `admin` includes every role, `engineer` includes
        coordinator and annotator.

        Examples
        --------
        >>> anna = Principal("anna", "Anna", frozenset({Grant(Role.coordinator, study="brain")}))
        >>> anna.may(Role.coordinator), anna.may(Role.coordinator, study="chest")
        (True, False)
        """
        wanted = frozenset({roles}) if isinstance(roles, str) else frozenset(roles)
        return any(
            not wanted.isdisjoint(_INCLUDED[grant.role]) and grant.covers(study=study, site=site)
            for grant in self.grants
        )

    def has_scope(self, scope: str, *, study: str | None = None, site: str | None = None) -> bool:
        """Tell whether the roles allow `scope` for `study` and `site`, and the token, if one, was given it."""
        if self.scopes is not None and scope not in self.scopes:
            return False
        return any(scope in _SCOPES[grant.role] and grant.covers(study=study, site=site) for grant in self.grants)

    def has_scope_everywhere(self, scope: str) -> bool:
        """Tell whether `scope` is allowed for every study and site: for what all of them share.

        Examples
        --------
        >>> eve = Principal("eve", "Eve", frozenset({Grant(Role.engineer, study="brain")}))
        >>> eve.has_scope("supervisor:write"), eve.has_scope_everywhere("supervisor:write")
        (True, False)
        """
        return (None, None) in self.scope_reach(scope)

    def scope_reach(self, scope: str) -> frozenset[tuple[str | None, str | None]]:
        """Return the pairs of study and site for which `scope` is allowed; `None` stands for every one.

        Examples
        --------
        >>> eve = Principal("eve", "Eve", frozenset({Grant(Role.engineer, "brain"), Grant(Role.coordinator, "chest")}))
        >>> eve.scope_reach("gateway:execute")
        frozenset({('brain', None)})
        """
        if self.scopes is not None and scope not in self.scopes:
            return frozenset()
        return frozenset((grant.study, grant.site) for grant in self.grants if scope in _SCOPES[grant.role])

    def holds(self, scope: str, *, study: str | None, site: str | None) -> bool:
        """Tell whether `scope` is allowed for a thing of `study` and `site`.

        `None` is no question about any study or site, as in `has_scope`, but a thing that belongs to none: it takes a
        right for all of them.

        Examples
        --------
        >>> eve = Principal("eve", "Eve", frozenset({Grant(Role.engineer, "brain", "ams")}))
        >>> eve.has_scope("gateway:execute", study="brain"), eve.holds("gateway:execute", study="brain", site=None)
        (True, False)
        """
        return any(
            own_study in {None, study} and own_site in {None, site} for own_study, own_site in self.scope_reach(scope)
        )

    def studies(self, roles: str | Iterable[str]) -> frozenset[str] | None:
        """Return the studies in which one of `roles` is held; `None` stands for every study.

        Examples
        --------
        >>> Principal("ada", "Ada", frozenset({Grant(Role.admin)})).studies(Role.annotator) is None
        True
        """
        wanted = frozenset({roles}) if isinstance(roles, str) else frozenset(roles)
        held = [grant for grant in self.grants if not wanted.isdisjoint(_INCLUDED[grant.role])]
        if any(grant.study is None for grant in held):
            return None
        return frozenset(grant.study for grant in held if grant.study is not None)

    def reach(self, roles: str | Iterable[str]) -> frozenset[tuple[str | None, str | None]]:
        """Return the pairs of study and site for which one of `roles` is held; `None` stands for every one.

        Examples
        --------
        >>> anna = Principal("anna", "Anna", frozenset({Grant(Role.coordinator, study="brain", site="ams")}))
        >>> anna.reach(Role.coordinator)
        frozenset({('brain', 'ams')})
        """
        wanted = frozenset({roles}) if isinstance(roles, str) else frozenset(roles)
        held = (grant for grant in self.grants if not wanted.isdisjoint(_INCLUDED[grant.role]))
        return frozenset((grant.study, grant.site) for grant in held)

    def allowed_scopes(self) -> frozenset[str]:
        """Return the scopes that the roles allow somewhere, cut down to the token's own."""
        allowed = frozenset[str]().union(*(_SCOPES[grant.role] for grant in self.grants))
        return allowed if self.scopes is None else allowed & self.scopes

    def acts_as(self, roles: str | Iterable[str]) -> bool:
        """Tell whether one of `roles` is held somewhere, and the token, if one, was given all that the role allows.

        For pages: a token for one thing must not open everything that a person sees and does there.

        Examples
        --------
        >>> script = Principal("anna", "Anna", frozenset({Grant(Role.coordinator)}), frozenset({"gateway:read"}))
        >>> script.may(Role.coordinator), script.acts_as(Role.coordinator)
        (True, False)
        """
        wanted = frozenset({roles}) if isinstance(roles, str) else frozenset(roles)
        return any(self.may(role) and (self.scopes is None or _SCOPES[Role(role)] <= self.scopes) for role in wanted)


@dataclass(frozen=True, slots=True)
class UserRecord:
    """An account as the pages and the command line show it."""

    username: str
    display_name: str
    email: str | None
    is_active: bool
    has_password: bool
    grants: frozenset[Grant]
    created_at: datetime
    password_set_at: datetime | None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """An API token without its secret, which is shown once when it is issued."""

    id: int
    username: str
    name: str
    hint: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
