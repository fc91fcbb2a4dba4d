"""Accounts over a real SQLite database."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import event, text
from sqlmodel import select

from service_kit import migrations
from service_kit.accounts.db.tables import LoginFailureRow, SessionRow, TokenRow, UserRow
from service_kit.accounts.domain import Grant, Role, Scope
from service_kit.accounts.errors import (
    PasswordTooWeak,
    ScopesRefused,
    TokenRefused,
    TokenUnknown,
    TooManyAttempts,
    UsernameRefused,
    UsernameTaken,
    UserUnknown,
    WrongCredentials,
)
from service_kit.accounts.service import SESSION_IDLE
from service_kit.tables import utc_now

PASSWORD = "correct horse battery"


@pytest.fixture
def anna(accounts):
    accounts.create_user("anna", PASSWORD, display_name="Anna Lindqvist", email="anna@example.org")
    accounts.grant("anna", Role.coordinator, study="brain")
    return "anna"


@pytest.mark.parametrize("grants", [0, 3])
def test_whoever_knocks_is_known_after_one_question_and_by_a_password_after_two(accounts, grants):
    accounts.create_user("bo", PASSWORD)
    for study in range(grants):
        accounts.grant("bo", Role.engineer, study=str(study))
    secret = accounts.start_session("bo")
    asked = []
    event.listen(accounts.database.engine, "before_cursor_execute", lambda *question: asked.append(question[2]))

    def questions(knock):
        knock()  # the first visit is noted
        asked.clear()
        principal = knock()
        assert {grant.study for grant in principal.grants} == set(map(str, range(grants)))
        return len([statement for statement in asked if not statement.startswith("BEGIN")])

    assert questions(lambda: accounts.principal_of_session(secret)) == 1
    assert questions(lambda: accounts.principal_of_basic("bo", PASSWORD)) == 2
    if grants:
        token = accounts.issue_token("bo", "script", ["governor:read"])
        assert questions(lambda: accounts.principal_of_token(token)) == 1


def test_the_right_password_gives_the_principal_with_its_grants(accounts, anna):
    principal = accounts.verify_password("Anna", PASSWORD)
    assert principal.username == "anna"
    assert principal.grants == {Grant(Role.coordinator, study="brain")}
    assert principal.scopes is None


@pytest.mark.parametrize(("username", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("anna", ""), ("", "")])
def test_a_wrong_name_and_a_wrong_password_are_told_alike(accounts, anna, username, password):
    with pytest.raises(WrongCredentials, match=r"^The user name or the password is not right\.$"):
        accounts.verify_password(username, password)


def test_an_account_without_a_password_cannot_be_signed_in_to(accounts):
    accounts.create_user("flows", None)
    with pytest.raises(WrongCredentials):
        accounts.verify_password("flows", "")


def test_passwords_and_tokens_are_nowhere_in_the_database(accounts, anna, tmp_path):
    token = accounts.issue_token("anna", "script", ["governor:read"])
    cookie = accounts.start_session("anna")
    accounts.database.dispose()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (PASSWORD, token, cookie):
        assert secret.encode() not in stored
    assert b"$argon2id$" in stored


def test_a_name_is_taken_once_and_small_letters_count(accounts, anna):
    with pytest.raises(UsernameTaken):
        accounts.create_user("ANNA", PASSWORD)


@pytest.mark.parametrize("username", ["a", "anna lind", "../anna", "anna\n", "ännä", "x" * 65])
def test_a_name_that_cannot_stand_in_an_address_is_refused(accounts, username):
    with pytest.raises(UsernameRefused):
        accounts.create_user(username, PASSWORD)


def test_a_short_password_is_refused(accounts):
    with pytest.raises(PasswordTooWeak, match="10 characters"):
        accounts.create_user("anna", "short")


def test_granting_twice_is_granting_once_and_revoking_takes_it_back(accounts, anna):
    accounts.grant("anna", Role.coordinator, study="brain")
    assert accounts.user("anna").grants == {Grant(Role.coordinator, study="brain")}
    accounts.revoke_grant("anna", Role.coordinator, study="brain")
    accounts.revoke_grant("anna", Role.coordinator, study="brain")
    assert accounts.user("anna").grants == frozenset()


def test_a_grant_works_at_once_for_who_is_signed_in_already(accounts, anna):
    cookie = accounts.start_session("anna")
    accounts.grant("anna", Role.engineer)
    assert accounts.principal_of_session(cookie).may(Role.engineer)


def test_unknown_people_are_named_as_such(accounts):
    for act in (accounts.user, accounts.principal, accounts.deactivate, accounts.start_session):
        with pytest.raises(UserUnknown, match="no account nobody"):
            act("nobody")


def test_a_token_opens_with_its_scopes_until_it_is_revoked(accounts, anna):
    token = accounts.issue_token("anna", "script", ["governor:read"])
    principal = accounts.principal_of_token(token)
    assert (principal.username, principal.scopes) == ("anna", {"governor:read"})
    [record] = accounts.tokens("anna")
    assert record.last_used_at is not None
    assert token.startswith(record.hint)
    accounts.revoke_token("anna", record.id)
    accounts.revoke_token("anna", record.id)
    assert accounts.tokens("anna") == []
    with pytest.raises(TokenRefused):
        accounts.principal_of_token(token)


def test_a_token_ends_by_itself(accounts, anna):
    token = accounts.issue_token("anna", "script", ["governor:read"], expires_in_s=0)
    with pytest.raises(TokenRefused):
        accounts.principal_of_token(token)


@pytest.mark.parametrize("scopes", [["governor:execute"], ["everything"], []])
def test_a_token_cannot_be_issued_beyond_the_roles(accounts, anna, scopes):
    with pytest.raises(ScopesRefused):
        accounts.issue_token("anna", "script", scopes)


def test_a_token_shrinks_with_the_roles_of_its_owner(accounts, anna):
    token = accounts.issue_token("anna", "script", ["governor:write"])
    accounts.revoke_grant("anna", Role.coordinator, study="brain")
    assert not accounts.principal_of_token(token).has_scope("governor:write")


def test_nobody_revokes_the_token_of_another(accounts, anna):
    accounts.create_user("carl", PASSWORD)
    accounts.issue_token("anna", "script", ["governor:read"])
    [record] = accounts.tokens("anna")
    with pytest.raises(TokenUnknown):
        accounts.revoke_token("carl", record.id)


def test_closing_an_account_ends_its_session_token_and_password(accounts, anna):
    cookie, token = accounts.start_session("anna"), accounts.issue_token("anna", "script", ["governor:read"])
    assert accounts.principal_of_basic("anna", PASSWORD).username == "anna"
    accounts.deactivate("anna")
    assert accounts.principal_of_session(cookie) is None
    with pytest.raises(TokenRefused):
        accounts.principal_of_token(token)
    with pytest.raises(WrongCredentials):
        accounts.principal_of_basic("anna", PASSWORD)
    accounts.set_active("anna", is_active=True)
    assert accounts.principal_of_token(token).username == "anna"


def test_a_changed_password_signs_out_everywhere_and_the_old_one_is_forgotten(accounts, anna):
    cookie = accounts.start_session("anna")
    accounts.principal_of_basic("anna", PASSWORD)
    accounts.set_password("anna", "another long password")
    assert accounts.principal_of_session(cookie) is None
    with pytest.raises(WrongCredentials):
        accounts.principal_of_basic("anna", PASSWORD)
    assert accounts.principal_of_basic("anna", "another long password").username == "anna"


def test_a_password_set_anew_opens_at_once_for_whoever_was_locked_out(accounts, anna):
    for address in ("10.0.0.1", "10.0.0.2"):
        for _ in range(3):
            with pytest.raises(WrongCredentials):
                accounts.verify_password("anna", "wrong password", address=address)
    with pytest.raises(TooManyAttempts):
        accounts.verify_password("anna", PASSWORD, address="10.0.0.1")
    accounts.set_password("anna", "another long password")
    for address in ("10.0.0.1", "10.0.0.2"):
        assert accounts.verify_password("anna", "another long password", address=address).username == "anna"


@pytest.mark.parametrize("revokes", [False, True])
def test_tokens_outlive_a_changed_password_unless_they_are_revoked_with_it(accounts, anna, revokes):
    token = accounts.issue_token("anna", "nightly", [Scope.governor_read])
    accounts.create_user("carl", PASSWORD)
    accounts.grant("carl", Role.coordinator)
    of_carl = accounts.issue_token("carl", "nightly", [Scope.governor_read])
    accounts.set_password("anna", "another long password", revoke_tokens=revokes)
    assert bool(accounts.tokens("anna")) is not revokes
    if revokes:
        with pytest.raises(TokenRefused):
            accounts.principal_of_token(token)
    else:
        assert accounts.principal_of_token(token).username == "anna"
    assert accounts.principal_of_token(of_carl).username == "carl"


def test_basic_takes_a_token_of_the_same_user_only(accounts, anna):
    accounts.create_user("carl", PASSWORD)
    token = accounts.issue_token("anna", "script", ["governor:read"])
    assert accounts.principal_of_basic("anna", token).scopes == {"governor:read"}
    with pytest.raises(TokenRefused):
        accounts.principal_of_basic("carl", token)


def test_a_session_ends_on_sign_out_when_idle_and_after_its_lifetime(accounts, anna):
    cookie = accounts.start_session("anna")
    accounts.end_session(cookie)
    accounts.end_session(cookie)
    assert accounts.principal_of_session(cookie) is None
    idle, old = accounts.start_session("anna"), accounts.start_session("anna")
    for secret, change in ((idle, {"last_seen_at": -SESSION_IDLE}), (old, {"expires_at": timedelta(0)})):
        _change_session(accounts, secret, **change)
        assert accounts.principal_of_session(secret) is None


def test_a_session_in_use_stays(accounts, anna):
    cookie = accounts.start_session("anna")
    _change_session(accounts, cookie, last_seen_at=-timedelta(minutes=30))
    assert accounts.principal_of_session(cookie) is not None
    with accounts.database.read() as uow:
        assert utc_now() - uow.session.exec(select(SessionRow)).one().last_seen_at < timedelta(minutes=1)


def test_the_log_in_closes_after_failures_from_one_address_and_opens_for_another(accounts, anna):
    for _ in range(3):
        with pytest.raises(WrongCredentials):
            accounts.verify_password("anna", "wrong", address="10.0.0.1")
    with pytest.raises(TooManyAttempts, match=r"Too many attempts .* wait a minute and try again\.") as closed:
        accounts.verify_password("anna", PASSWORD, address="10.0.0.1")
    assert 0 < closed.value.retry_after_s <= 61
    assert accounts.verify_password("anna", PASSWORD, address="10.0.0.2").username == "anna"


def test_an_address_that_tries_many_names_is_shut_out(accounts, anna):
    for n in range(6):
        with pytest.raises(WrongCredentials):
            accounts.verify_password(f"user{n}", "guess", address="10.0.0.9")
    with pytest.raises(TooManyAttempts):
        accounts.verify_password("anna", PASSWORD, address="10.0.0.9")


def test_the_right_password_forgets_the_mistakes_before_it(accounts, anna):
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(WrongCredentials):
                accounts.verify_password("anna", "wrong", address="10.0.0.1")
        accounts.verify_password("anna", PASSWORD, address="10.0.0.1")


def test_what_was_typed_as_a_name_is_not_kept(accounts):
    with pytest.raises(WrongCredentials):
        accounts.verify_password("My-Secret-Password", "x", address="10.0.0.1")
    with accounts.database.read() as uow:
        assert "secret" not in uow.session.exec(select(LoginFailureRow)).one().username_sha256


def test_no_name_of_a_person_reaches_the_log(accounts, caplog):
    caplog.set_level(logging.DEBUG)
    accounts.create_user("anna", PASSWORD, display_name="Anna Lindqvist", email="a.lindqvist@example.org")
    for _ in range(4):
        with pytest.raises((WrongCredentials, TooManyAttempts)):
            accounts.verify_password("anna", "wrong", address="10.0.0.1")
    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert "Lindqvist" not in logged
    assert "anna" not in logged


def test_listing_shows_every_account_without_secrets(accounts, anna):
    accounts.create_user("carl", None)
    assert [(user.username, user.has_password) for user in accounts.users()] == [("anna", True), ("carl", False)]


def test_listing_many_accounts_asks_as_little_as_listing_one(accounts, anna):
    asked: list[str] = []
    event.listen(accounts.database.engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    alone, count = accounts.users(), len(asked)
    for number in range(5):
        accounts.create_user(f"user{number}", None)
        accounts.grant(f"user{number}", Role.annotator, study="brain")
    asked.clear()
    users = accounts.users()
    assert len(asked) == count
    assert [user.grants for user in users] == [alone[0].grants, *[frozenset({Grant(Role.annotator, "brain")})] * 5]


def test_an_account_knows_how_old_its_password_is(accounts, anna):
    before = accounts.user("anna").password_set_at
    assert before is not None
    accounts.set_password("anna", "a newer battery")
    assert accounts.user("anna").password_set_at > before
    accounts.create_user("flows", None)
    assert accounts.user("flows").password_set_at is None


def test_passwords_of_old_accounts_are_as_old_as_these(accounts, anna):
    with accounts.database.write() as uow:
        uow.session.connection().execute(text("ALTER TABLE user_account DROP COLUMN password_set_at"))
        uow.session.connection().execute(text("UPDATE service_kit_accounts_version SET version_num = '0001'"))
    migrations.upgrade(str(accounts.database.engine.url), package="service_kit.accounts")
    assert accounts.user("anna").password_set_at == accounts.user("anna").created_at


def test_an_account_is_described_anew_as_far_as_something_is_said(accounts, anna):
    accounts.describe("Anna", email="")
    assert (accounts.user("anna").display_name, accounts.user("anna").email) == ("Anna Lindqvist", None)
    accounts.describe("anna", display_name="Anna L")
    assert accounts.user("anna").display_name == "Anna L"
    with pytest.raises(UserUnknown):
        accounts.describe("nobody")


def test_tables_and_migration_agree(accounts):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with accounts.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "service_kit_accounts_version"})
        assert compare_metadata(context, UserRow.metadata) == []
    assert TokenRow.metadata is UserRow.metadata


def _change_session(accounts, secret, **changes):
    from service_kit.accounts.credentials import digest_of

    with accounts.database.write() as uow:
        row = uow.session.get(SessionRow, digest_of(secret))
        for name, distance in changes.items():
            setattr(row, name, utc_now() + distance)
        uow.session.add(row)
