"""A migrated database, a governor over it, and its web application."""

from __future__ import annotations

import functools
import shutil

import pytest

from service_kit import migrations
from service_kit.accounts.domain import Role
from service_kit.accounts.service import Accounts
from service_kit.database import Database
from service_kit.flow_orders import MemoryFlowOrders
from study_governor.app import create_app
from study_governor.settings import StudyGovernorSettings
from study_governor.workflows import service as workflows
from tests.unit.study_governor.house import House


@pytest.fixture(scope="session", autouse=True)
def _workflows_read_once():
    """Read each text once: nearly every test begins with one of two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflows, "read_workflow", functools.cache(workflows.read_workflow))
        yield


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A migrated, empty database file, to be copied: a migration costs more than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "governor.db"
    migrations.upgrade(f"sqlite:///{path}", package="study_governor")
    return path


@pytest.fixture
def database(tmp_path, migrated):
    shutil.copyfile(migrated, tmp_path / "governor.db")
    database = Database(f"sqlite:///{tmp_path}/governor.db")
    yield database
    database.dispose()


@pytest.fixture
def house(database):
    return House(database)


@pytest.fixture(scope="session")
def accounts(tmp_path_factory):
    accounts = Accounts.open(f"sqlite:///{tmp_path_factory.mktemp('accounts')}/accounts.db")
    for name, role, study in (
        ("flows", Role.engineer, None),
        ("anna", Role.coordinator, None),
        ("bo", Role.coordinator, "brain"),
        ("other", Role.coordinator, "chest"),
        ("reader", Role.annotator, None),
    ):
        accounts.create_user(name, None, display_name=name.capitalize())
        accounts.grant(name, role, study)
    accounts.create_user("ams", None, display_name="Ams")
    accounts.grant("ams", Role.coordinator, "brain", "ams")
    yield accounts
    accounts.database.dispose()


@pytest.fixture
def flows():
    return MemoryFlowOrders()


@pytest.fixture
def releases(tmp_path):
    return tmp_path / "releases"


@pytest.fixture
def app(accounts, database, flows, releases):
    settings = StudyGovernorSettings(
        governor_database_url=database.url,
        accounts_database_url=accounts.database.url,
        prefect_api_url="http://127.0.0.1:1/api",
        prefect_ui_url="http://127.0.0.1:4200",
        site_url="http://testserver",
        gateway_url="http://testserver/gateway",
        releases_dir=releases,
    )
    return create_app(settings, flow_orders=flows, accounts=accounts)
