"""Accounts over a database of its own, with a cheap password hash: what is tested here is not argon2's cost."""

import shutil

import pytest

from service_kit import migrations
from service_kit.accounts.service import Accounts
from service_kit.accounts.throttle import ThrottleRule
from service_kit.database import Database
from tests.costs import cheap_hasher

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("accounts") / "accounts.db"
    migrations.upgrade(f"sqlite:///{path}", package="service_kit.accounts")
    return path


@pytest.fixture
def accounts(tmp_path, migrated_file):
    url = f"sqlite:///{tmp_path / 'accounts.db'}"
    shutil.copy(migrated_file, tmp_path)
    rule = ThrottleRule(per_user_and_address=3, per_address=6, per_user=9, window_s=60)
    accounts = Accounts(Database(url), hasher=cheap_hasher(), throttle=rule)
    yield accounts
    accounts.database.dispose()
