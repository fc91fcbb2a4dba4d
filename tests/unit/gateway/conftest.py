"""A gateway database, a spool, and objects to put into them."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from datetime import UTC, datetime

import pytest

from gateway.app import create_app
from gateway.arrivals.service import Arrivals
from gateway.contract.naming import spool_path
from gateway.db.index import index_instances
from gateway.domain.received import ReceivedInstance, Sender
from gateway.settings import GatewaySettings
from gateway.spool import Spool
from service_kit import migrations
from service_kit.accounts.domain import Role
from service_kit.accounts.service import Accounts
from service_kit.database import Database
from service_kit.flow_orders import MemoryFlowOrders

SCANNER = Sender("SCANNER", "COHORTFLOW", "10.0.0.7")
MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A migrated, empty database file, to be copied: a migration costs more than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "gateway.db"
    migrations.upgrade(f"sqlite:///{path}", package="gateway")
    return path


@pytest.fixture(scope="session")
def migrated_accounts(tmp_path_factory):
    """The same for the accounts."""
    path = tmp_path_factory.mktemp("migrated") / "accounts.db"
    Accounts.open(f"sqlite:///{path}").database.dispose()
    return path


@pytest.fixture
def database(tmp_path, migrated):
    shutil.copyfile(migrated, tmp_path / "gateway.db")
    database = Database(f"sqlite:///{tmp_path}/gateway.db")
    yield database
    database.dispose()


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


@pytest.fixture
def arrivals(database):
    return Arrivals(database, quiet_period_s=10.0)


@pytest.fixture
def accounts(tmp_path, migrated_accounts):
    shutil.copyfile(migrated_accounts, tmp_path / "accounts.db")
    accounts = Accounts(Database(f"sqlite:///{tmp_path}/accounts.db"))
    accounts.create_user("flows", None)
    accounts.grant("flows", Role.engineer)
    yield accounts
    accounts.database.dispose()


@pytest.fixture
def token(accounts):
    return accounts.issue_token("flows", "flows", ["gateway:read", "gateway:write", "gateway:execute"])


@pytest.fixture
def app(tmp_path, accounts, database, spool):
    settings = GatewaySettings(
        gateway_database_url=database.url,
        accounts_database_url=accounts.database.url,
        gateway_spool_dir=spool.root,
        prefect_api_url="http://127.0.0.1:1/api",
        quiet_period_s=60,
    )
    return create_app(settings, flow_orders=MemoryFlowOrders(), accounts=accounts)


@pytest.fixture
def receive(database, spool):
    """Store and index one object the way the receiver does, without a network."""
    numbers = itertools.count(1)

    def receive_one(
        *, study="1.2.3", sender=SCANNER, at=None, content=None, unreadable=None, series="1.2.3.1", uid=None
    ):
        content = f"object {next(numbers)}".encode() if content is None else content
        sha256 = hashlib.sha256(content).hexdigest()
        uid = uid or f"1.2.3.4.{int(sha256[:8], 16)}"
        received = ReceivedInstance(
            sop_instance_uid=uid,
            sha256=sha256,
            sop_class_uid=MR,
            transfer_syntax_uid=EXPLICIT,
            study_instance_uid=None if unreadable else study,
            series_instance_uid=None if unreadable else series,
            path=spool_path(uid, sha256=sha256, study_instance_uid=None if unreadable else study),
            size_bytes=len(content),
            received_at=at or datetime.now(UTC),
            sender=sender,
            unreadable_reason=unreadable,
        )
        spool.store(received.path, [content])
        with database.write() as uow:
            index_instances(uow, [received])
        return received

    return receive_one
