"""Schemathesis sends what the OpenAPI document allows, and what it does not: nothing is a fault of the server."""

import random
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from starlette.testclient import TestClient

from embedded_xnat.app import create_app
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from tests.unit.embedded_xnat.conftest import client_of, settings_in

if TYPE_CHECKING:
    from schemathesis import GenerationMode

pytestmark = [pytest.mark.slow, pytest.mark.integration]

EXAMPLES = 4
#: What is really there, so that requests get further than the first look-up.
KNOWN = {
    "project": ["P", "Q"],
    "project_id": ["P", "Q"],
    "target": ["Q"],
    "subject": ["S1", "CF_S00001"],
    "experiment": ["E1", "CF_E00001"],
    "scan": ["1", "ALL", "T1"],
    "assessor": ["QC"],
    "reconstruction": ["REC"],
    "resource": ["R", "DICOM", "1", "²"],
    "file": ["a.txt", "b/c.dcm"],
    "role": ["Members"],
    "username": ["zoe"],
    "accessibility": ["private", "protected"],
    "code": ["0", "4"],
    "path": ["projects/P/fields", "experiments/CF_E00001/fields", "projects/P/subjects/S1/fields/a"],
    "operation": ["delete", "move", "rebuild"],
    "src": [
        "/archive/projects/P/experiments/E1/scans/1",
        "/archive/projects/P/resources/²",
        "/data/prearchive/projects/P/20260203_091500123/E1",
    ],
    "insert_date": ["2026-02-03", "9999-12-31"],
    "dest": ["/archive", "/prearchive/projects/P", "/archive/projects/P/subjects/S1/experiments/E1"],
    "xsiType": ["xnat:mrSessionData", "xnat:mrScanData", "xnat:qcManualAssessorData"],
    "columns": ["ID,label,xnat:mrSessionData/age", "DEFAULT"],
}
#: Left out: they would end the login of the test, or the project that all others look into.
LEFT_OUT = {("DELETE", "/data/JSESSION"), ("DELETE", "/data/projects/{project}")}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """An administrator of an archive with a bit of everything."""
    options = settings_in(tmp_path_factory.mktemp("any"))
    accounts = Accounts.open(options.accounts_database_url)
    for name in ("admin", "zoe"):
        accounts.create_user(name, None)
    accounts.grant("admin", Role.admin)
    accounts.database.dispose()
    with TestClient(create_app(options), raise_server_exceptions=False) as server:
        admin = TestClient(server.app, raise_server_exceptions=False, cookies=dict(client_of(server, "admin").cookies))
        admin.portal = server.portal  # one event loop, not one for every request
        for path in (
            "/data/projects/P",
            "/data/projects/Q",
            "/data/projects/P/subjects/S1",
            "/data/projects/P/subjects/S1/experiments/E1?xsiType=xnat:mrSessionData",
            "/data/projects/P/experiments/E1/scans/1?xsiType=xnat:mrScanData&xnat:mrScanData/type=T1",
            "/data/projects/P/experiments/E1/assessors/QC?xsiType=xnat:qcManualAssessorData",
            "/data/projects/P/experiments/E1/reconstructions/REC",
            "/data/projects/P/experiments/E1/resources/R/files/a.txt",
        ):
            assert admin.put(path).is_success, path
        yield admin


def test_no_request_is_a_fault_of_the_server(client: TestClient) -> None:
    import schemathesis  # a second that only this test shall take
    from schemathesis import GenerationMode

    schema = schemathesis.openapi.from_dict(client.app.openapi())
    faults: dict[str, str] = {}
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) not in LEFT_OUT:
            asked += ask(client, operation, GenerationMode.POSITIVE, faults)
            if can_be_wrong(operation):
                asked += ask(client, operation, GenerationMode.NEGATIVE, faults)
    assert not faults, "\n".join(f"{name}: {fault}" for name, fault in faults.items())
    assert asked > 500


def can_be_wrong(operation: Any) -> bool:
    """Tell whether the document says more of a request than that its parameters are texts."""
    raw = operation.definition.raw
    schemas = [each["schema"] for each in raw.get("parameters", ()) if each["name"] not in {"format", "sortOrder"}]
    has_json = "application/json" in raw.get("requestBody", {}).get("content", {})
    return has_json or any(schema.get("type") == "integer" or "anyOf" in schema for schema in schemas)


def ask(client: TestClient, operation: Any, mode: "GenerationMode", faults: dict[str, str]) -> int:
    """Send some requests for an operation; return how many, and note those that are answered as faults."""
    name = f"{operation.method.upper()} {operation.path}"
    choice = random.Random(zlib.crc32(name.encode()))
    answers: list[int] = []

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        for values in (case.path_parameters, case.query):
            for key in list(values or ()):
                if key in KNOWN and choice.random() < 0.6:
                    values[key] = choice.choice(KNOWN[key])
        kwargs = case.as_transport_kwargs(base_url="http://testserver")
        kwargs.pop("cookies", None)
        if isinstance(kwargs.get("data"), bytes | str):
            kwargs["content"] = kwargs.pop("data")
        try:
            answer = client.request(**kwargs)
        except (UnicodeError, httpx.InvalidURL, TypeError):  # no client could send it
            return
        answers.append(answer.status_code)
        if answer.status_code >= 500:
            faults[name] = f"{answer.status_code} {kwargs['url']} {kwargs.get('params')} {answer.text[:200]}"

    try:
        send()
    except Unsatisfiable:  # nothing can be wrong in a request without parameters
        return 0
    return len(answers)
