"""Who may see, answer and manage a task. Pure; imports the roles of `service_kit.accounts` only."""

from collections.abc import Collection
from dataclasses import dataclass

from service_kit.accounts.domain import Principal, Role


@dataclass(frozen=True, slots=True)
class Audience:
    """For whom a task is.

    Parameters
    ----------
    users
        Assigned people; none means every annotator of the study and site.
    """

    project: str
    site: str | None
    users: Collection[str] = ()
    holder: str | None = None


def may_manage(principal: Principal, task: Audience) -> bool:
    """Tell whether somebody coordinates the task's study: sees everything about the task and may abort it."""
    return principal.may(Role.coordinator, study=task.project, site=task.site)


def may_answer(principal: Principal, task: Audience) -> bool:
    """Tell whether somebody may claim and answer the task.

    Examples
    --------
    >>> from service_kit.accounts.domain import Grant
    >>> ada = Principal("ada", "Ada", frozenset({Grant(Role.annotator, study="brain")}))
    >>> may_answer(ada, Audience("brain", None)), may_answer(ada, Audience("brain", None, users=("bo",)))
    (True, False)
    """
    is_annotator = principal.may(Role.annotator, study=task.project, site=task.site)
    return is_annotator and (not task.users or principal.username in task.users)


def may_see(principal: Principal, task: Audience) -> bool:
    """Tell whether somebody may open the task at all."""
    return may_manage(principal, task) or may_answer(principal, task)
