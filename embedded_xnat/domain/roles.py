"""Who may do what in a project. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class ProjectRole(StrEnum):
    """A person's part in a project; the value is the group name in addresses and listings."""

    OWNER = "Owners"
    MEMBER = "Members"
    COLLABORATOR = "Collaborators"


class Action(StrEnum):
    """What somebody wants to do with the objects of a project."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MANAGE = "manage"


class Accessibility(StrEnum):
    """How far a project is open to people who are not in it."""

    PRIVATE = "private"
    PROTECTED = "protected"
    PUBLIC = "public"


#: What everybody who is logged in sees of a protected project, by path in lower case.
TITLE_FIELDS = frozenset({"id", "name", "secondary_id", "description", "pi/firstname", "pi/lastname"})


@dataclass(frozen=True)
class Visitor:
    """Who makes a request.

    Parameters
    ----------
    everything
        Whether the person's role on the site allows everything in every project (all-data administration).
    reads_everything
        Whether it allows to read in every project (all-data access).
    is_admin
        Whether the person may change the site itself: its settings, subscriptions to events of all projects.
    is_guest
        Whether nobody is logged in, on a site that does not ask for it: reads what is public.
    collaborates
        Projects that the person reads like a collaborator because of a role in their studies.
    is_of_sites
        Whether the person coordinates single sites of a study, which the archive does not keep apart.
    is_expired
        Whether the person has to set a new password before anything else.
    """

    username: str
    everything: bool = False
    reads_everything: bool = False
    is_admin: bool = False
    is_guest: bool = False
    collaborates: frozenset[str] = frozenset()
    is_of_sites: bool = False
    is_expired: bool = False

    def role_by_study(self, project_id: str) -> ProjectRole | None:
        """Return the role that follows from a study and not from the project's own people.

        Examples
        --------
        >>> Visitor("anna", collaborates=frozenset({"P"})).role_by_study("P").value
        'Collaborators'
        """
        return ProjectRole.COLLABORATOR if project_id in self.collaborates else None


#: Name of whoever is not logged in.
GUEST = "guest"

_ALLOWED: dict[ProjectRole, frozenset[Action]] = {
    ProjectRole.OWNER: frozenset(Action),
    ProjectRole.MEMBER: frozenset({Action.READ, Action.CREATE, Action.UPDATE}),
    ProjectRole.COLLABORATOR: frozenset({Action.READ}),
}


def is_allowed(action: Action, *, visitor: Visitor, role: ProjectRole | None, accessibility: str) -> bool:
    """Tell whether a visitor may do something in a project.

    Examples
    --------
    >>> is_allowed(Action.DELETE, visitor=Visitor("jane"), role=ProjectRole.MEMBER, accessibility="private")
    False
    >>> is_allowed(Action.READ, visitor=Visitor("jane"), role=None, accessibility="public")
    True
    """
    if visitor.everything or (visitor.reads_everything and action is Action.READ):
        return True
    if role is not None and action in _ALLOWED[role]:
        return True
    return action is Action.READ and accessibility == Accessibility.PUBLIC


def group_id(project_id: str, role: ProjectRole) -> str:
    """Return the name of a group of users.

    Examples
    --------
    >>> group_id("P", ProjectRole.OWNER)
    'P_owner'
    """
    return f"{project_id}_{role.value.lower().removesuffix('s')}"
