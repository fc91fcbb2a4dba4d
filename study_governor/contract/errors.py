"""What can go wrong in the governor.

Tree::

    ServiceError
    ├── InvalidInput
    │   ├── WorkflowRefused       the workflow file has mistakes, each with its line
    │   ├── AnswerRefused         the answer of an execution is incomplete
    │   ├── ForeignArtifact       the file is not one of this session's in the archive
    │   └── LabelRefused          a label holds characters that addresses and folders cannot carry
    ├── NotFound
    │   ├── ThingUnknown          no cohort, subject, session, … of this id or label
    │   ├── StateUnknown          the workflow has no such state
    │   └── NothingReleased       the study has no released table yet
    ├── Forbidden
    │   └── SecretRefused         neither the scope nor the execution's secret
    ├── Conflict
    │   ├── LabelTaken            the label is used already
    │   ├── SiteDiffers           the session belongs to another site
    │   ├── NotArchived           it is not known which session of the archive this is
    │   ├── WorkflowDiffers       the label stands for another workflow text
    │   ├── NoTransition          no transition leads there from the present state
    │   ├── ConditionNotMet       there is one, but its condition does not hold
    │   ├── MovedMeanwhile        somebody or something else moved the session first
    │   └── AnswerTooLate         the execution is resolved, or its session has gone on
    └── Unavailable
        └── ReleaseUnreadable     the file of the released table cannot be opened, or is no table

The sentences name ids and labels only. May import `service_kit.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service_kit.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence


class WorkflowRefused(InvalidInput):
    """The workflow file has mistakes.

    Parameters
    ----------
    mistakes
        One sentence each, beginning with file and line.
    """

    title = "The workflow has mistakes"

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("The workflow was not imported. " + " | ".join(self.mistakes))


class AnswerRefused(InvalidInput):
    """The answer of an execution is incomplete."""

    def __init__(self, execution_id: int, *, reason: str) -> None:
        self.execution_id = execution_id
        self.reason = reason
        super().__init__(f"The answer for execution {execution_id} cannot be used: {reason}.")


class LabelRefused(InvalidInput):
    """A label holds characters that addresses and folders cannot carry."""

    def __init__(self, *, what: str) -> None:
        self.what = what
        super().__init__(
            f"The label of the {what} may hold letters, digits, '_', '-' and '.', must begin with a letter or digit "
            "and have at most 100 characters."
        )


class ThingUnknown(NotFound):
    """There is no such thing, or the caller may not know of it."""

    def __init__(self, what: str, key: object) -> None:
        self.what = what
        self.key = key
        super().__init__(f"There is no {what} {key!r}.")


class StateUnknown(NotFound):
    """The workflow of the session has no such state."""

    def __init__(self, *, state: str, workflow: str) -> None:
        self.state = state
        self.workflow = workflow
        super().__init__(f"The workflow {workflow} has no state {state!r}.")


class NothingReleased(NotFound):
    """The study has no released table yet."""

    def __init__(self, study: str) -> None:
        self.study = study
        super().__init__(f"Nothing of the study {study} has been released yet.")


class SecretRefused(Forbidden):
    """Neither the scope nor the execution's secret was given."""

    def __init__(self, execution_id: int) -> None:
        self.execution_id = execution_id
        super().__init__(
            f"Execution {execution_id} is answered with its own secret_key or with the scope governor:execute."
        )


class LabelTaken(Conflict):
    """The label is used already."""

    def __init__(self, what: str, label: str) -> None:
        self.what = what
        self.label = label
        super().__init__(f"There is a {what} {label!r} already.")


class SiteDiffers(Conflict):
    """The session belongs to another site."""

    def __init__(self, label: str, *, site: str) -> None:
        self.label = label
        self.site = site
        super().__init__(f"Session {label} belongs to site {site}; images of it from another site are not taken.")


class ForeignArtifact(InvalidInput):
    """The file is not one of this session's in the archive."""

    def __init__(self, label: str, *, uri: str) -> None:
        self.label = label
        self.uri = uri
        super().__init__(f"Session {label} can show its own files of the archive only, below its own address.")


class NotArchived(Conflict):
    """It is not known which session of the archive this is."""

    def __init__(self, label: str) -> None:
        self.label = label
        super().__init__(
            f"Session {label} has no id in the archive yet, so no file there can be its own. Whoever may execute in every "
            "study gives it one first, as external id XNAT."
        )


class WorkflowDiffers(Conflict):
    """The label stands for another workflow text."""

    def __init__(self, label: str) -> None:
        self.label = label
        super().__init__(
            f"There is another workflow with the label {label!r}. A workflow never changes once it is imported: "
            "give the changed file a new label."
        )


class NoTransition(Conflict):
    """No transition leads there from the present state."""

    def __init__(self, *, source: str, destination: str) -> None:
        self.source = source
        self.destination = destination
        super().__init__(f"No transition leads from {source!r} to {destination!r}.")


class ConditionNotMet(Conflict):
    """There is a transition, but its condition does not hold."""

    def __init__(self, *, source: str, destination: str, condition: str, reason: str | None) -> None:
        self.source = source
        self.destination = destination
        self.condition = condition
        self.reason = reason
        because = f" ({reason})" if reason else ""
        super().__init__(
            f"The condition of the transition from {source!r} to {destination!r} does not hold{because}: {condition}"
        )


class MovedMeanwhile(Conflict):
    """Somebody or something else moved the session first."""

    def __init__(self, experiment_id: int, *, state: str) -> None:
        self.experiment_id = experiment_id
        self.state = state
        super().__init__(f"Session {experiment_id} was moved meanwhile and is in {state!r} now. Look again.")


class AnswerTooLate(Conflict):
    """The execution is resolved, or its session has gone on; the answer was recorded and moves nothing."""

    def __init__(self, execution_id: int, *, status: str, reason: str) -> None:
        self.execution_id = execution_id
        self.status = status
        self.reason = reason
        super().__init__(f"Execution {execution_id} takes no answer any more: {reason}. The answer was recorded.")


class ReleaseUnreadable(Unavailable):
    """The file of a study's released table cannot be opened, or is no table."""

    def __init__(self, study: str) -> None:
        self.study = study
        super().__init__(
            f"The released table of the study {study} cannot be read at the moment. "
            "Whoever runs Cohortflow finds the reason in its log."
        )
