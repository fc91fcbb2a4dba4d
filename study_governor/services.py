"""All parts of a running governor, joined. May import everything of the governor below its pages and endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service_kit.archive_files import ArchiveFiles
from service_kit.database import Database
from service_kit.events import Broadcast
from service_kit.outbox import Dispatcher
from study_governor.db.tables import Outbox
from study_governor.engine.orders import Orders
from study_governor.engine.service import Engine
from study_governor.engine.steps import ORDER_KIND, WITHDRAWAL_KIND
from study_governor.engine.watch import Watch
from study_governor.executions.service import Executions
from study_governor.experiments.service import Experiments
from study_governor.workflows.service import Workflows

if TYPE_CHECKING:
    from service_kit.flow_orders import FlowOrders
    from study_governor.addresses import Addresses

#: Topic of the events that tell pages of a changed session; the data is its id.
SESSION_TOPIC = "session"
#: An outage of the flow server over a long weekend shall fail no session.
_MAX_DELIVERIES = 10_000


@dataclass(frozen=True)
class Services:
    """What endpoints and pages work with."""

    database: Database
    workflows: Workflows
    engine: Engine
    experiments: Experiments
    executions: Executions
    orders: Orders
    dispatcher: Dispatcher
    broadcast: Broadcast
    archive: ArchiveFiles | None
    flow_pages_url: str | None

    def changed(self, experiment_id: int) -> None:
        """Tell the open pages that a session changed."""
        self.broadcast.publish(SESSION_TOPIC, str(experiment_id))

    def watches(self, *, reconcile_every_s: float, timeouts_every_s: float) -> list[Watch]:
        """Return the threads that look for what nobody reports."""
        return [
            Watch("governor-reconcile", self.orders.reconcile, every_s=reconcile_every_s),
            Watch("governor-timeouts", self.engine.check_timeouts, every_s=timeouts_every_s),
        ]


def join_services(
    database: Database,
    *,
    flow_orders: FlowOrders,
    broadcast: Broadcast,
    addresses: Addresses,
    archive: ArchiveFiles | None = None,
    flow_pages_url: str | None = None,
    queue_timeout_s: float = 86_400.0,
) -> Services:
    """Join the parts over one database. Starts nothing."""

    def changed(experiment_id: int) -> None:
        broadcast.publish(SESSION_TOPIC, str(experiment_id))

    def wake() -> None:
        dispatcher.wake()

    workflows = Workflows(database)
    engine = Engine(database, workflows, wake=wake, changed=changed, queue_timeout_s=queue_timeout_s)
    orders = Orders(database, workflows, engine=engine, flow_orders=flow_orders, wake=wake, changed=changed)
    dispatcher = Dispatcher(
        database,
        Outbox,
        handlers={ORDER_KIND: orders.dispatch, WITHDRAWAL_KIND: orders.withdraw},
        on_dead=orders.bury,
        max_attempts=_MAX_DELIVERIES,
    )
    return Services(
        database=database,
        workflows=workflows,
        engine=engine,
        experiments=Experiments(database, workflows, engine=engine, addresses=addresses),
        executions=Executions(workflows, addresses=addresses),
        orders=orders,
        dispatcher=dispatcher,
        broadcast=broadcast,
        archive=archive,
        flow_pages_url=flow_pages_url,
    )
