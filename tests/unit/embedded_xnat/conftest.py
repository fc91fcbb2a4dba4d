"""An archive in a temporary folder, spoken to without a socket."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from embedded_xnat.app import create_app
from embedded_xnat.settings import EmbeddedXnatSettings
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts

PASSWORD = "correct horse battery"
SESSION = "/data/projects/P/subjects/S1/experiments/S1_MR1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count what starts the whole app as slow: the quick tests are for every save of a file."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and "golden_home" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


def settings_in(home: Path) -> EmbeddedXnatSettings:
    return EmbeddedXnatSettings(
        data_dir=home / "data",
        database_url=f"sqlite:///{home}/xnat.db",
        accounts_database_url=f"sqlite:///{home}/accounts.db",
    )


def client_of(server: TestClient, username: str) -> TestClient:
    """Return a client that is logged in as somebody; the password itself is tried once, in a test of its own."""
    logins = server.app.state.logins
    client = TestClient(server.app)
    client.portal = server.portal  # one event loop, not one for every request
    client.cookies.set("JSESSIONID", logins.open(logins.known(username)))
    return client


@pytest.fixture(scope="session")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with an administrator, four people without a role, and a session of one scan; copied for each test."""
    home = tmp_path_factory.mktemp("golden") / "home"
    home.mkdir()
    settings = settings_in(home)
    accounts = Accounts.open(settings.accounts_database_url)
    accounts.create_user("admin", PASSWORD)
    accounts.grant("admin", Role.admin)
    for name in ("olive", "mary", "carl", "zoe"):
        accounts.create_user(name, None)
    accounts.database.dispose()
    with TestClient(create_app(settings)) as server:
        admin = client_of(server, "admin")
        assert admin.put("/data/projects/P").status_code == 200
        assert admin.put("/data/projects/P/subjects/S1").status_code == 201
        assert admin.put(SESSION, params={"xsiType": "xnat:mrSessionData"}).status_code == 201
        made = admin.put(f"{SESSION}/scans/3", params={"xsiType": "xnat:mrScanData", "xnat:mrScanData/type": "T1 w"})
        assert made.status_code == 200
    return home


@pytest.fixture(scope="session")
def golden_home(first_home: Path) -> Path:
    """What the tests of a module start from; a module may put more into it, see `home_with`."""
    return first_home


@pytest.fixture(scope="session")
def home_with(first_home: Path, tmp_path_factory: pytest.TempPathFactory):
    """Make a home that holds more than the first one: what all tests of a module look at is put in once."""

    def made(fill: Callable[[TestClient], object]) -> Path:
        home = Path(shutil.copytree(first_home, tmp_path_factory.mktemp("filled") / "home"))
        with TestClient(create_app(settings_in(home))) as server:
            fill(client_of(server, "admin"))
        return home

    return made


@pytest.fixture
def settings(tmp_path: Path, golden_home: Path) -> EmbeddedXnatSettings:
    return settings_in(Path(shutil.copytree(golden_home, tmp_path / "home")))


@pytest.fixture
def server(settings: EmbeddedXnatSettings):
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def as_user(server: TestClient):
    return lambda username: client_of(server, username)


@pytest.fixture
def admin(server: TestClient) -> TestClient:
    return client_of(server, "admin")


@pytest.fixture
def session_uri() -> str:
    """Address of a session with one scan."""
    return SESSION
