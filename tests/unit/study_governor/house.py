"""A governor to test: its parts over one database, a workflow, sessions, and flows that are only noted down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service_kit.events import Broadcast
from service_kit.flow_orders import MemoryFlowOrders
from service_kit.tables import utc_now
from study_governor.addresses import Addresses
from study_governor.contract.schemas import ExperimentPut
from study_governor.contract.states import ExecutionResult, ExecutionStatus
from study_governor.engine.records import Answer
from study_governor.reach import EVERYTHING
from study_governor.services import join_services

WORKFLOW = """\
label: brain_v1
states:
  - {label: arrived, callbacks: [], transitions: [{destination: extracting}]}
  - label: extracting
    freetext: The volume is measured
    callbacks:
      - label: extract
        function: prefect_flow
        run_timeout: 10
        callback_arguments: {deployment: extract-biomarkers/warm}
        variable_map: {outcome: /outcome}
    transitions:
      - {destination: review, condition: "callbacks['extract'].result == 'success' and experiment.variables['outcome'] == 'measured'"}
      - {destination: failed, condition: "callbacks['extract'].result != 'success'"}
  - label: review
    freetext: A person looks
    callbacks:
      - label: read
        function: create_task
        wait_timeout: 60
        callback_arguments: {task_base: review.json, task_info: {template: review}}
        variable_map: {decision: /decision}
    transitions:
      - {destination: released, condition: "experiment.variables.get('decision') == 'accept'"}
      - {destination: overdue, condition: "callbacks['read'].result == 'timeout'"}
      - {destination: rejected}
  - {label: released, freetext: Released, callbacks: []}
  - {label: rejected, freetext: Rejected, callbacks: []}
  - {label: failed, freetext: The measurement failed, callbacks: [], transitions: [{destination: extracting}]}
  - {label: overdue, freetext: Nobody answered, callbacks: [], transitions: [{destination: review}]}
"""

TWO_CALLBACKS = """\
label: two_v1
states:
  - {label: begin, callbacks: [], transitions: [{destination: work}]}
  - label: work
    callbacks:
      - {label: one, function: prefect_flow, callback_arguments: {deployment: one/warm}}
      - {label: two, function: prefect_flow, callback_arguments: {deployment: two/warm}}
      - {label: never, function: prefect_flow, callback_arguments: {deployment: no/warm}, condition: "False"}
    transitions: [{destination: work_again}]
  - label: work_again
    callbacks:
      - {label: again, function: prefect_flow, callback_arguments: {deployment: again/warm}}
    transitions: [{destination: done}, {destination: work_again}]
  - {label: done, callbacks: []}
"""

SCANNED = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)
DONE = ExecutionStatus.FINISHED
WELL, BADLY = ExecutionResult.SUCCESS, ExecutionResult.FAILED


class House:
    """The parts of a governor, with a clock that can be moved."""

    def __init__(self, database, *, workflow=WORKFLOW):
        self.database = database
        self.flows = MemoryFlowOrders()
        self.broadcast = Broadcast()
        self.governor = join_services(
            database,
            flow_orders=self.flows,
            broadcast=self.broadcast,
            addresses=Addresses("http://site", "http://site"),
        )
        self.later = timedelta(0)
        self.governor.engine._clock = lambda: utc_now() + self.later
        self.engine = self.governor.engine
        self.governor.workflows.import_text(workflow, actor="setup")

    def new_session(self, label="sub1_MR_20240501", *, cohort="brain", subject="sub1", **said):
        said = ExperimentPut(scandate=SCANNED, **said)
        return self.governor.experiments.put(cohort, subject, label, said=said, actor="intake")[0]

    def session(self, experiment_id):
        with self.database.read() as uow:
            return self.governor.experiments.record(uow.session, experiment_id, reach=EVERYTHING)

    def state(self, experiment_id):
        return self.session(experiment_id).state

    def actions(self, experiment_id):
        with self.database.read() as uow:
            return self.governor.experiments.actions(uow.session, experiment_id)

    def executions(self, experiment_id):
        return self.actions(experiment_id)[-1].executions

    def execution(self, experiment_id):
        return self.executions(experiment_id)[0].id

    def record(self, execution_id, *, with_secret=False):
        with self.database.read() as uow:
            row, _, _ = self.governor.executions.place(uow.session, execution_id)
            return self.governor.executions.record(uow.session, row, with_secret=with_secret)

    def answer(self, execution_id, status=DONE, result=WELL, actor="flow", **values):
        if status is not DONE:
            result = None
        self.engine.answer(execution_id, Answer(status, result, values or None), actor=actor)

    def dispatch(self):
        return self.governor.dispatcher.run_due()

    def in_review(self, **names):
        """Return a session whose reviewer was asked, and the execution that waits for the answer."""
        experiment_id = self.new_session(**names)
        self.answer(self.execution(experiment_id), outcome="measured")
        execution_id = self.execution(experiment_id)
        self.answer(execution_id, ExecutionStatus.WAITING)
        return experiment_id, execution_id
