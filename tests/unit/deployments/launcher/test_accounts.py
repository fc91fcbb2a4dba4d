"""Accounts made at the start: once, and completed where something is missing."""

from dataclasses import replace

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from deployments.launcher.accounts import ensure_accounts
from deployments.launcher.credentials import generate_credentials
from service_kit import migrations
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from service_kit.database import Database


@pytest.fixture
def accounts(tmp_path):
    url = f"sqlite:///{tmp_path}/accounts.db"
    migrations.upgrade(url, package="service_kit.accounts")
    database = Database(url)
    yield Accounts(database, hasher=PasswordHash([Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)]))
    database.dispose()


def test_every_generated_log_in_opens_its_account(accounts):
    credentials = ensure_accounts(accounts, generate_credentials())
    for person in credentials.people:
        principal = accounts.verify_password(person.username, person.password)
        assert {grant.role.value for grant in principal.grants} == set(person.roles)
    assert accounts.verify_password(credentials.xnat_user, credentials.xnat_password).may(Role.engineer)


def test_the_flows_token_may_all_and_the_senders_token_only_send(accounts):
    credentials = ensure_accounts(accounts, generate_credentials())
    flows = accounts.principal_of_token(credentials.api_token)
    sender = accounts.principal_of_token(credentials.sender_token)
    assert flows.has_scope("governor:execute")
    assert flows.has_scope("supervisor:write")
    assert sender.has_scope("gateway:write")
    assert not sender.has_scope("governor:read")


def test_a_second_start_changes_nothing(accounts):
    credentials = ensure_accounts(accounts, generate_credentials())
    users = accounts.users()
    assert ensure_accounts(accounts, credentials) == credentials
    assert accounts.users() == users


def test_a_token_of_an_earlier_release_is_replaced_by_one_for_all_that_flows_do_now(accounts):
    credentials = ensure_accounts(accounts, generate_credentials())
    older = accounts.issue_token("flows", "older", ["governor:read"])
    renewed = ensure_accounts(accounts, replace(credentials, api_token=older))
    assert renewed.api_token != older
    assert accounts.principal_of_token(renewed.api_token).has_scope("supervisor:execute")


def test_a_changed_password_stays_changed(accounts):
    credentials = ensure_accounts(accounts, generate_credentials())
    accounts.set_password("annotator", "a password of one's own")
    ensure_accounts(accounts, credentials)
    assert accounts.verify_password("annotator", "a password of one's own").username == "annotator"


def test_a_token_that_opens_nothing_any_more_is_replaced(accounts):
    credentials = ensure_accounts(accounts, generate_credentials())
    accounts.revoke_token("flows", accounts.tokens("flows")[0].id)
    renewed = ensure_accounts(accounts, credentials)
    assert renewed.api_token != credentials.api_token
    assert accounts.principal_of_token(renewed.api_token).username == "flows"
    assert renewed.sender_token == credentials.sender_token
