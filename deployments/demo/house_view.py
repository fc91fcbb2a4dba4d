"""What the demonstration asks the services: arrivals, sessions, measurements. Imports the services' clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from deployments.demo.reader import accept_open_tasks
from deployments.demo.stages import BEFORE_ANSWERS, REVIEW, ArrivalSeen, SessionSeen, Stage, stage_of
from gateway.client import GatewayClient
from study_governor.client import GovernorClient
from study_governor.contract.states import Trigger
from task_supervisor.client import SupervisorClient

if TYPE_CHECKING:
    from deployments.launcher.credentials import PersonLogin
    from deployments.launcher.endpoints import Endpoints


def newest_reason(governor: GovernorClient, experiment_id: int) -> str:
    """Give the reason with which the last step of a session that ran something was answered; empty when there is none."""
    ran = [action.executions for action in governor.actions(experiment_id) if action.executions]
    for brief in reversed(ran[-1] if ran else []):
        if reason := governor.execution(brief.id).result_values.get("reason"):
            return str(reason)
    return ""


def newest_reader(governor: GovernorClient, experiment_id: int) -> str:
    """Give who answered the newest review of a session; empty when nobody did."""
    actions = reversed(governor.actions(experiment_id))
    return next((one.actor for one in actions if one.source_state == REVIEW and one.trigger == Trigger.ANSWER), "")


class HouseView:
    """Looks at a running Cohortflow with a program's token, and answers reviews in a person's name.

    Parameters
    ----------
    reader
        Who answers the reviews; None leaves them open.
    """

    def __init__(self, endpoints: Endpoints, token: str, *, cohort: str, reader: PersonLogin | None = None) -> None:
        self._supervisor = (
            SupervisorClient(endpoints.supervisor_url, auth=(reader.username, reader.password)) if reader else None
        )
        self._gateway = GatewayClient(endpoints.gateway_url, token)
        self._governor = GovernorClient(endpoints.site_url, token)
        self._cohort = cohort

    @property
    def answers_reviews(self) -> bool:
        """See `deployments.demo.follow.View`."""
        return self._supervisor is not None

    def accept_reviews(self, labels: set[str]) -> int:
        """See `deployments.demo.follow.View`."""
        if self._supervisor is None:
            return 0
        return accept_open_tasks(self._supervisor, self._cohort, is_ours=labels.__contains__)

    def arrival(self, study_instance_uid: str) -> ArrivalSeen | None:
        """Give the newest arrival of a DICOM study."""
        found = [row for row in self._gateway.arrivals() if row.study_instance_uid == study_instance_uid]
        if not found:
            return None
        newest = max(found, key=lambda row: row.id)
        return ArrivalSeen(
            state=str(newest.state),
            session_label=newest.session_label,
            reason=newest.reason,
            instance_count=newest.instance_count,
        )

    def session(self, label: str) -> SessionSeen | None:
        """Give the session of a label in the study's cohort."""
        for row in self._governor.experiments(cohort=self._cohort, text=label):
            if row.label == label:
                why = row.why or ""
                if stage_of(row.state) is Stage.aside:
                    why = newest_reason(self._governor, row.id) or why
                by = "" if row.state in BEFORE_ANSWERS else newest_reader(self._governor, row.id)
                return SessionSeen(id=row.id, state=row.state, web_uri=row.web_uri, why=why, by=by)
        return None

    def measurements(self, labels: set[str]) -> list[dict[str, Any]]:
        """Give the measurements of sessions, one row each, in order of session and name."""
        rows = [
            {
                "session": row.session,
                "subject": row.subject,
                "name": row.name,
                "value": row.value,
                "unit": row.unit,
                "model": row.model,
                "version": row.version,
            }
            for row in self._governor.measurements(cohort=self._cohort)
            if row.session in labels
        ]
        return sorted(rows, key=lambda row: (row["session"], row["name"]))

    def __enter__(self) -> Self:
        """Use it in a ``with`` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._gateway.close()
        self._governor.close()
        if self._supervisor is not None:
            self._supervisor.close()
