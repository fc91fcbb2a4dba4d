"""``cohortflow user password``: a new way in for whoever lost the old one."""

import io
import os
import re
import sys

import pytest
from rich.console import Console
from typer.testing import CliRunner

from deployments.cli import app
from deployments.commands import user
from deployments.errors import Refused
from deployments.launcher.accounts import ensure_accounts
from deployments.launcher.credentials import generate_credentials, load_credentials, save_credentials
from deployments.launcher.home import Home
from service_kit import migrations
from service_kit.accounts import Role, Scope
from service_kit.accounts.errors import TokenRefused, WrongCredentials
from service_kit.accounts.service import Accounts
from service_kit.database import Database
from tests.costs import cheap_hasher
from tests.unit.service_kit.accounts.conftest import PASSWORD


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("COHORTFLOW_ACCOUNTS_DATABASE_URL", raising=False)
    home = Home(tmp_path)
    home.make()
    save_credentials(home, generate_credentials())
    migrations.upgrade(home.database_url("accounts"), package="service_kit.accounts")
    return home


@pytest.fixture
def accounts(home):
    accounts = Accounts(Database(home.database_url("accounts")), hasher=cheap_hasher())
    for username in ("coordinator", "archivist"):
        accounts.create_user(username, PASSWORD)
        accounts.grant(username, Role.coordinator)
    yield accounts
    accounts.database.dispose()


@pytest.fixture
def elsewhere(home, accounts, tmp_path_factory, monkeypatch):
    """Accounts of another database, which the environment names."""
    url = f"sqlite:///{tmp_path_factory.mktemp('archive') / 'accounts.db'}"
    migrations.upgrade(url, package="service_kit.accounts")
    monkeypatch.setenv("COHORTFLOW_ACCOUNTS_DATABASE_URL", url)
    elsewhere = Accounts(Database(url), hasher=cheap_hasher())
    yield elsewhere
    elsewhere.database.dispose()


def set_password(home, username, *options, typed=None):
    return CliRunner().invoke(app, ["user", "password", username, "--home", str(home.path), *options], input=typed)


def test_a_generated_password_is_shown_once_opens_the_account_and_replaces_the_noted_one(home, accounts):
    cookie = accounts.start_session("coordinator")
    token = accounts.issue_token("coordinator", "nightly", [Scope.governor_read])
    done = set_password(home, "Coordinator")
    assert done.exit_code == 0, done.exception
    shown = re.search(r"shown this once: (\S+)", done.output)[1]
    assert accounts.verify_password("coordinator", shown).username == "coordinator"
    assert load_credentials(home).person("coordinator").password == shown
    assert accounts.principal_of_session(cookie) is None
    assert accounts.principal_of_token(token).username == "coordinator"
    with pytest.raises(WrongCredentials):
        accounts.verify_password("coordinator", PASSWORD)


def test_a_password_is_read_from_standard_input_and_neither_shown_nor_noted(home, accounts):
    noted = load_credentials(home)
    token = accounts.issue_token("coordinator", "nightly", [Scope.governor_read])
    done = set_password(home, "coordinator", "--stdin", "--revoke-tokens", typed="läng enough for me\r\nmore\n")
    assert done.exit_code == 0, done.exception
    assert accounts.verify_password("coordinator", "läng enough for me")
    assert "enough" not in done.output
    assert load_credentials(home) == noted
    with pytest.raises(TokenRefused):
        accounts.principal_of_token(token)


@pytest.mark.parametrize(
    ("username", "typed", "said"),
    [
        ("nobody", None, "There is no account nobody."),
        ("coordinator", b"short\n", "at least 10 characters"),
        ("coordinator", b"", "at least 10 characters"),
        ("coordinator", b"\xff\xfe not a text\n", "not text in UTF-8"),
    ],
)
def test_what_cannot_be_set_is_one_sentence_and_changes_nothing(home, accounts, username, typed, said):
    noted = load_credentials(home)
    done = set_password(home, username, *(["--stdin"] if typed is not None else []), typed=typed)
    assert done.exit_code != 0
    assert isinstance(done.exception, Refused)
    assert said in str(done.exception)
    assert load_credentials(home) == noted
    assert accounts.verify_password("coordinator", PASSWORD)


def test_the_flows_log_in_is_set_while_nothing_runs_only(home, accounts):
    with home.locked():
        done = set_password(home, "archivist")
        assert isinstance(done.exception, Refused)
        assert "Stop Cohortflow" in str(done.exception)
        assert accounts.verify_password("archivist", PASSWORD)
    assert set_password(home, "archivist", "--stdin", typed="an even longer one\n").exit_code == 0
    assert load_credentials(home).xnat_password == "an even longer one"


def test_the_flows_log_in_is_guarded_and_noted_however_the_database_is_named(home, accounts, monkeypatch):
    url = f"sqlite:///{home.path / 'databases' / '..' / 'databases' / 'accounts'}.db"
    monkeypatch.setenv("COHORTFLOW_ACCOUNTS_DATABASE_URL", url)
    with home.locked():
        assert isinstance(set_password(home, "archivist").exception, Refused)
    assert accounts.verify_password("archivist", PASSWORD)
    assert set_password(home, "archivist", "--stdin", typed="an even longer one\n").exit_code == 0
    assert accounts.verify_password("archivist", "an even longer one")
    assert load_credentials(home).xnat_password == "an even longer one"


def test_nothing_starts_while_the_flows_log_in_changes(home, accounts, monkeypatch):
    class Watched(io.BytesIO):
        was_held = False

        def readline(self, size=-1):
            self.was_held = home.is_running()
            return super().readline(size)

    typed = Watched(b"an even longer one\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(typed))
    console = Console(file=io.StringIO())
    user.password(home, "archivist", from_stdin=True, revoke_tokens=False, console=console)
    assert typed.was_held
    assert not home.is_running()


@pytest.mark.parametrize("username", ["flows", "Sender"])
def test_accounts_of_programs_get_no_password_and_keep_their_tokens(home, accounts, username):
    accounts.create_user(username, None)
    accounts.grant(username, Role.engineer)
    token = accounts.issue_token(username, "made at the start", [Scope.gateway_read])
    done = set_password(home, username, "--revoke-tokens")
    assert isinstance(done.exception, Refused)
    assert "has no password" in str(done.exception)
    assert accounts.principal_of_token(token).username == username.lower()
    assert accounts.user(username).password_set_at is None


def test_a_generated_password_is_shown_though_it_cannot_be_noted(home, accounts):
    noted = load_credentials(home)
    home.secrets.with_name(f".secrets.json.{os.getpid()}").mkdir()  # in the way of what is written
    done = set_password(home, "coordinator")
    assert isinstance(done.exception, Refused)
    assert "cannot be written (Is a directory)" in str(done.exception)
    shown = re.search(r"shown this once: (\S+)", done.output)[1]
    assert accounts.verify_password("coordinator", shown)
    assert load_credentials(home) == noted


@pytest.mark.parametrize("username", ["admin", "archivist", "flows", "sender"])
def test_a_user_of_another_database_is_like_any_other_and_the_home_notes_nothing(home, accounts, elsewhere, username):
    save_credentials(home, ensure_accounts(accounts, load_credentials(home)))
    noted = load_credentials(home)
    elsewhere.create_user(username, PASSWORD)
    with home.locked():
        done = set_password(home, username)
        assert done.exit_code == 0, done.exception
        shown = re.search(r"shown this once: (\S+)", done.output)[1]
        assert elsewhere.verify_password(username, shown).username == username
        assert set_password(home, username, "--stdin", typed="an even longer one\n").exit_code == 0
    assert elsewhere.verify_password(username, "an even longer one").username == username
    assert load_credentials(home) == noted
    assert accounts.verify_password("archivist", PASSWORD)


def test_a_user_of_another_database_gets_a_password_where_no_home_is(home, elsewhere):
    home.secrets.unlink()
    elsewhere.create_user("flows", PASSWORD)
    done = set_password(home, "flows", "--stdin", typed="an even longer one\n")
    assert done.exit_code == 0, done.exception
    assert elsewhere.verify_password("flows", "an even longer one")
    assert not home.secrets.exists()


def test_a_home_that_was_started_with_a_database_elsewhere_knows_it_by_its_tokens(home, elsewhere):
    save_credentials(home, ensure_accounts(elsewhere, load_credentials(home)))
    for username in ("flows", "sender"):
        for issued in elsewhere.tokens(username):
            elsewhere.revoke_token(username, issued.id)
    assert "has no password" in str(set_password(home, "flows").exception)
    with home.locked():
        assert "Stop Cohortflow" in str(set_password(home, "archivist").exception)
    assert set_password(home, "archivist", "--stdin", typed="an even longer one\n").exit_code == 0
    assert load_credentials(home).xnat_password == "an even longer one"
    done = set_password(home, "admin")
    assert load_credentials(home).person("admin").password in done.output


def test_the_database_of_the_home_is_known_through_a_link(home, accounts, tmp_path_factory, monkeypatch):
    link = tmp_path_factory.mktemp("links") / "home"
    link.symlink_to(home.path)
    monkeypatch.setenv("COHORTFLOW_ACCOUNTS_DATABASE_URL", f"sqlite:///{link / 'databases' / 'accounts.db'}")
    assert "has no password" in str(set_password(home, "flows").exception)
    assert set_password(home, "archivist", "--stdin", typed="an even longer one\n").exit_code == 0
    assert load_credentials(home).xnat_password == "an even longer one"
