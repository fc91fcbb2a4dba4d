"""A whole task supervisor over SQLite, with a stand-in for the governor that records what it is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from service_kit.accounts import Role
from task_supervisor.app import create_app
from task_supervisor.settings import TaskSupervisorSettings

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATE = (REPOSITORY / "studies/brain-volumetry/templates/brain_mask_review.yaml").read_text()
FILES = "/data/experiments/E1/resources/R/files"
GOVERNOR = "http://governor.test"
PEOPLE = {"ada": Role.annotator, "bea": Role.annotator, "coco": Role.coordinator, "flows": Role.admin}
SCOPES = {
    Role.annotator: ["supervisor:read", "supervisor:answer"],
    Role.coordinator: ["supervisor:read", "supervisor:write"],
    Role.engineer: ["supervisor:read", "supervisor:write", "supervisor:execute"],
    Role.admin: ["supervisor:read", "supervisor:write", "supervisor:execute"],
}


class Governor:
    """Answers callbacks as told; remembers them."""

    def __init__(self) -> None:
        self.answers: list[int | Exception] = []
        self.received: list[tuple[str, dict]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        self.received.append((str(request.url), json.loads(request.content)))
        return httpx.Response(answer, json={})


class House:
    """The supervisor with its people: ``house.as_("ada").post(...)``."""

    def __init__(self, folder: Path, *, database_url: str | None = None, lease_s: float = 900.0) -> None:
        self.governor = Governor()
        settings = TaskSupervisorSettings(
            site_url="http://site.test",
            accounts_database_url=f"sqlite:///{folder}/accounts.db",
            supervisor_database_url=database_url or f"sqlite:///{folder}/supervisor.db",
            supervisor_url="http://site.test/tasks",
            governor_url=GOVERNOR,
            lease_s=lease_s,
        )
        self.app = create_app(settings, client=httpx.Client(transport=httpx.MockTransport(self.governor)))
        self.accounts = self.app.state.accounts
        self.tokens: dict[str, str] = {}

    def add(self, name: str, role: Role, *, study: str | None = None, site: str | None = None) -> None:
        self.accounts.create_user(name, None, display_name=name.title(), email=f"{name}@example.org")
        self.accounts.grant(name, role, study=study, site=site)
        self.tokens[name] = self.accounts.issue_token(name, "test", SCOPES[role])

    def as_(self, name: str) -> TestClient:
        """Return a client of the REST interface; the dispatcher does not run, see `deliver`."""
        return TestClient(self.app, headers={"Authorization": f"Bearer {self.tokens[name]}"})

    def deliver(self) -> int:
        """Send all due callbacks, as the dispatcher's thread would."""
        return self.app.state.dispatcher.run_due()

    def make_task(self, key: str | None = None, **changes) -> dict:
        body = {
            "project": "brain",
            "template": "brain_mask_review",
            "content": {"volumes": [{"name": "T1w", "role": "image", "uri": f"{FILES}/t1.nii.gz"}]},
            "callback_url": f"{GOVERNOR}/api/v2/callback_executions/7",
            "callback_content": '{"status": "finished", "result": "success", "secret_key": "s3cret"}',
            "tracking_id": "SUBJECT_01_MR",
            "generator_url": f"{GOVERNOR}/sessions/7",
        }
        headers = {} if key is None else {"Idempotency-Key": key}
        response = self.as_("flows").post("/api/v1/tasks", json=body | changes, headers=headers)
        assert response.status_code in {200, 201}, response.text
        return response.json()

    def close(self) -> None:
        self.app.state.tasks.database.dispose()


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Databases with people and the shipped template, to be copied for each test."""
    folder = tmp_path_factory.mktemp("furnished")
    made = House(folder)
    for name, role in PEOPLE.items():
        made.add(name, role)
    answer = made.as_("flows").post("/api/v1/task_templates", json={"label": "brain_mask_review", "content": TEMPLATE})
    assert answer.status_code == 201
    made.close()
    return folder, made.tokens


@pytest.fixture
def house(tmp_path: Path, furnished: tuple[Path, dict[str, str]]):
    folder, tokens = furnished
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    made = House(tmp_path)
    made.tokens.update(tokens)
    yield made
    made.close()
