"""The accounts on a real PostgreSQL: the same migration, the same behaviour."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from service_kit.accounts import Role
from service_kit.accounts.domain import Grant
from service_kit.accounts.errors import TooManyAttempts, UsernameTaken, WrongCredentials
from service_kit.accounts.service import Accounts

pytestmark = pytest.mark.integration
PASSWORD = "correct horse battery"


@pytest.fixture
def url(postgres_url):
    name = f"accounts_{uuid4().hex}"
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    url = engine.url.set(database=name).render_as_string(hide_password=False)
    engine.dispose()
    return url


@pytest.fixture
def accounts(url):
    accounts = Accounts.open(url)
    yield accounts
    accounts.database.dispose()


def test_a_whole_life_of_an_account(accounts):
    accounts.create_user("anna", PASSWORD, display_name="Anna")
    for _ in range(2):
        accounts.grant("anna", Role.coordinator, study="brain")
    assert accounts.user("anna").grants == {Grant(Role.coordinator, study="brain")}
    assert accounts.verify_password("anna", PASSWORD).may(Role.coordinator, study="brain")
    token = accounts.issue_token("anna", "script", ["governor:read"], expires_in_s=3600)
    assert accounts.principal_of_token(token).has_scope("governor:read")
    cookie = accounts.start_session("anna")
    assert accounts.principal_of_session(cookie).username == "anna"
    accounts.deactivate("anna")
    assert accounts.principal_of_session(cookie) is None


def test_failures_close_the_log_in(accounts):
    for _ in range(8):
        with pytest.raises(WrongCredentials):
            accounts.verify_password("anna", "wrong", address="10.0.0.1")
    with pytest.raises(TooManyAttempts):
        accounts.verify_password("anna", "wrong", address="10.0.0.1")


def test_several_processes_may_start_at_once(url):
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(Accounts.open, [url] * 4))
    outcomes = []
    for accounts in opened:
        try:
            accounts.create_user("anna", PASSWORD)
            outcomes.append("created")
        except UsernameTaken:
            outcomes.append("taken")
        accounts.database.dispose()
    assert sorted(outcomes) == ["created", "taken", "taken", "taken"]
