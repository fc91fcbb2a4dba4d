"""The services of a house in one process, over HTTP, and flows that run on them as plain coroutines, without Prefect."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prefect import Task
from pydicom.uid import ExplicitVRLittleEndian
from starlette.testclient import TestClient

import flows.withdraw as withdraw_module
from flows.settings import FlowSettings
from flows.wiring import Wiring
from gateway.client import GatewayClient
from gateway.contract.naming import spool_path
from gateway.db.index import index_instances
from gateway.domain.received import ReceivedInstance, Sender
from service_kit import migrations
from service_kit.accounts.domain import Role, Scope
from service_kit.accounts.service import Accounts
from service_kit.flow_orders import MemoryFlowOrders
from study_governor.client import GovernorClient
from task_supervisor.client import SupervisorClient
from tasks.archive.memory import MemoryArchive
from tasks.studies import load_study
from tests.unit.tasks.dicom_files import MR_IMAGE, write_series


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count what runs three services at once as slow."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


STUDIES = Path(__file__).resolve().parents[2] / "studies"
URL = "http://house.test"


class InProcess(httpx.BaseTransport):
    """Brings the requests of an httpx client to an app of this process."""

    def __init__(self, app) -> None:
        self._client = TestClient(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._client.request(
            request.method, str(request.url), content=request.read(), headers=dict(request.headers)
        )
        headers = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)


class House:
    """Gateway, governor, supervisor and an archive in memory, with the study that ships."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.orders = MemoryFlowOrders()
        self.archive = MemoryArchive()
        self.accounts = Accounts.open(f"sqlite:///{folder}/accounts.db")
        self.accounts.create_user("flows", None)
        self.accounts.grant("flows", Role.engineer)
        self.token = self.accounts.issue_token("flows", "flows", list(Scope))
        self.gateway_app = self._gateway()
        self.governor_app = self._governor()
        self.supervisor_app = self._supervisor()
        study = load_study(STUDIES / "brain-volumetry")
        self.governor.import_workflow(study.workflow_text())
        for path in study.template_paths:
            self.supervisor.put_template(path.stem, path.read_text())

    def _common(self) -> dict:
        return {
            "accounts_database_url": self.accounts.database.url,
            "prefect_api_url": "http://127.0.0.1:1/api",
            "site_url": URL,
        }

    def _gateway(self):
        from gateway.app import create_app
        from gateway.settings import GatewaySettings

        self.database_url = f"sqlite:///{self.folder}/gateway.db"
        self.spool = self.folder / "spool"
        settings = GatewaySettings(
            gateway_database_url=self.database_url, gateway_spool_dir=self.spool, **self._common()
        )
        migrations.upgrade(self.database_url, package="gateway")
        return create_app(settings, flow_orders=self.orders, accounts=self.accounts)

    def _governor(self):
        from study_governor.app import create_app
        from study_governor.settings import StudyGovernorSettings

        settings = StudyGovernorSettings(governor_database_url=f"sqlite:///{self.folder}/governor.db", **self._common())
        return create_app(settings, flow_orders=self.orders, accounts=self.accounts)

    def _supervisor(self):
        from task_supervisor.app import create_app
        from task_supervisor.settings import TaskSupervisorSettings

        settings = TaskSupervisorSettings(
            supervisor_database_url=f"sqlite:///{self.folder}/supervisor.db",
            supervisor_url=f"{URL}/tasks",
            governor_url=URL,
            site_url=URL,
            accounts_database_url=self.accounts.database.url,
        )
        return create_app(settings)

    @property
    def gateway(self) -> GatewayClient:
        return GatewayClient(URL, self.token, http=httpx.Client(transport=InProcess(self.gateway_app)))

    @property
    def governor(self) -> GovernorClient:
        return GovernorClient(URL, self.token, http=httpx.Client(transport=InProcess(self.governor_app)))

    @property
    def supervisor(self) -> SupervisorClient:
        return SupervisorClient(URL, self.token, transport=InProcess(self.supervisor_app))

    def dispatch(self) -> None:
        """Let the governor order what its decisions asked for."""
        self.governor_app.state.governor.dispatcher.run_due()

    def ordered(self, flow: str) -> list[dict]:
        """Return the parameters of every run of a flow that was ordered, in order."""
        return [parameters for name, parameters in self.orders.ordered.values() if name == f"{flow}/warm"]

    def in_state(self, label: str, state: str, *, digest: str = "a", site: str | None = None):
        """Return a session that went through its workflow to a state, as flows and readers take it there.

        Known already, it begins again, since its images are others.
        """
        session = self.governor.put_experiment(
            "brain-volumetry", label, label, scandate=datetime.now(UTC), workflow_label="brain_volumetry_v1",
            external_ids={"XNAT": label}, subject_external_ids={"XNAT": label}, site=site, content_sha256=digest * 64,
        )  # fmt: skip
        answers = {"extracting": {"outcome": "measured"}, "review": {"decision": "accept"}, "releasing": {}}
        while session.state != state:
            if session.state == "extracting":
                self.measure(session.id, label)
            execution = self.execution(session.id)
            said = answers[session.state]
            self.governor.answer(execution, status="finished", result="success", result_values=said)
            session = self.governor.experiment(session.id)
        return session

    def measure(self, session_id: int, archive_id: str) -> None:
        """Tell the governor what an extraction finds."""
        self.governor.put_measurement(
            session_id, "brain_tiv.icv", name="intracranial_volume", value=1500.0, unit="mL", model="brain_tiv",
            version="1", pedigree={},
        )  # fmt: skip
        for kind in ("volume", "mask", "overlay"):
            uri = f"/data/experiments/{archive_id}/resources/R/files/{kind}.nii.gz"
            self.governor.put_artifact(session_id, kind, kind=kind, title=kind, uri=uri, media_type="application/gzip")

    def execution(self, session_id: int) -> int:
        """Return the execution that the session waits for."""
        return self.governor.actions(session_id)[-1].executions[0].id

    def send(self, calling_ae: str, **elements) -> int:
        """Let images of a DICOM study arrive as if the receiver had taken them; return the arrival's id."""
        from gateway.spool import Spool
        from service_kit.database import Database

        spool, database = Spool(self.spool), Database(self.database_url)
        files = write_series(self.folder / "sent", ClinicalTrialProtocolID="BRAINVOL", **elements)
        for path in files:
            content = path.read_bytes()
            uid, sha256, study = path.stem, hashlib.sha256(content).hexdigest(), elements["StudyInstanceUID"]
            received = ReceivedInstance(
                sop_instance_uid=uid,
                sha256=sha256,
                sop_class_uid=MR_IMAGE,
                transfer_syntax_uid=ExplicitVRLittleEndian,
                study_instance_uid=study,
                series_instance_uid=elements["series"],
                path=spool_path(uid, sha256=sha256, study_instance_uid=study),
                size_bytes=len(content),
                received_at=datetime.now(UTC),
                sender=Sender(calling_ae, "COHORTFLOW", "127.0.0.1"),
            )
            spool.store(received.path, [content])
            with database.write() as uow:
                index_instances(uow, [received])
        database.dispose()
        shutil.rmtree(self.folder / "sent")
        arrival = next(iter(self.gateway.arrivals(states=["receiving"])))
        self.gateway.complete(arrival.id)
        return arrival.id


@dataclass(frozen=True)
class HouseWiring(Wiring):
    """Wires a flow to the house of the tests."""

    house: House

    def gateway(self) -> GatewayClient:
        return self.house.gateway

    def governor(self) -> GovernorClient:
        return self.house.governor

    def supervisor(self) -> SupervisorClient:
        return self.house.supervisor

    def archive(self) -> MemoryArchive:
        return self.house.archive


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house for the tests of a module; each takes sessions of its own."""
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.accounts.database.dispose()
    house.governor_app.state.governor.database.dispose()
    house.supervisor_app.state.tasks.database.dispose()


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch):
    """Run a flow by name; its stages are the same functions, called without Prefect's engine."""

    @contextmanager
    def wired():
        folder = house.folder
        settings = FlowSettings(
            gateway_url=URL, governor_url=URL, supervisor_url=URL, api_token=house.token,
            xnat_url=URL, xnat_user="flows", xnat_password="unused", dask_address="tcp://127.0.0.1:1",
            studies_dir=STUDIES, work_dir=folder / "work", releases_dir=folder / "releases",
        )  # fmt: skip
        with ExitStack() as stack:
            yield HouseWiring(settings=settings, stack=stack, house=house)

    def run_flow(name: str, **parameters):
        module = importlib.import_module(f"flows.{name}")
        for imported in (module, withdraw_module):
            for label, value in vars(imported).items():
                if isinstance(value, Task):
                    monkeypatch.setattr(imported, label, value.fn)
        monkeypatch.setattr(module, "wired", wired)
        return asyncio.run(getattr(module, name).fn(**parameters))

    return run_flow
