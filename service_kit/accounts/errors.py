"""What can go wrong with accounts.

Tree::

    ServiceError
    +-- Unauthenticated
    |   +-- WrongCredentials     user name or password wrong, or the account is closed
    |   +-- TokenRefused         token unknown, revoked, expired or of a closed account
    |   +-- NotSignedIn          no credentials at all
    +-- Forbidden
    |   +-- RoleMissing          none of the roles is held here
    |   +-- ScopeMissing         the token or the roles lack the scope
    |   +-- CsrfRefused          a page's form came without its token
    +-- Conflict
    |   +-- UsernameTaken
    +-- NotFound
    |   +-- UserUnknown
    |   +-- TokenUnknown
    +-- InvalidInput
    |   +-- PasswordTooWeak
    |   +-- UsernameRefused
    |   +-- ScopesRefused        a token may not reach beyond its owner
    +-- TooManyRequests
        +-- TooManyAttempts      the log-in is closed for a while

None of the sentences names a person. May import `service_kit.errors` only.
"""

from collections.abc import Iterable

from service_kit.errors import Conflict, Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated


class WrongCredentials(Unauthenticated):
    """User name or password are wrong; says neither which of the two nor whether the account exists."""

    def __init__(self) -> None:
        super().__init__("The user name or the password is not right.")


class TokenRefused(Unauthenticated):
    """The API token opens nothing."""

    def __init__(self) -> None:
        super().__init__(
            "This API token is not known, has expired or was revoked. Issue a new one on the account page."
        )


class NotSignedIn(Unauthenticated):
    """The request came without credentials."""

    def __init__(self) -> None:
        super().__init__(
            "Please sign in first: people at /login in a browser, programs with a token (Authorization: Bearer …)."
        )


class RoleMissing(Forbidden):
    """None of the needed roles is held for the study and site."""

    def __init__(self, *, roles: Iterable[str], study: str | None = None) -> None:
        self.roles = tuple(roles)
        self.study = study
        named = "every study" if study == EVERY_STUDY else f"the study {study}"
        where = "" if study is None else f" in {named}"
        super().__init__(f"This needs the role {' or '.join(self.roles)}{where}. Ask an administrator to grant it.")


#: In place of a study, where a scope is needed for all of them.
EVERY_STUDY = "*"


class ScopeMissing(Forbidden):
    """The scope is not allowed to this principal."""

    def __init__(self, *, scope: str, study: str | None = None) -> None:
        self.scope = scope
        self.study = study
        named = "every study" if study == EVERY_STUDY else f"the study {study}"
        where = "" if study is None else f" in {named}"
        super().__init__(f"This needs the scope {scope}{where}, which the token or the account's roles do not give.")


class CsrfRefused(Forbidden):
    """A change sent with a session cookie came without the page's token."""

    def __init__(self) -> None:
        super().__init__(
            "The page was open for too long or was opened from elsewhere. Load it again and repeat the step."
        )


class UsernameTaken(Conflict):
    """Another account has this name."""

    def __init__(self, username: str) -> None:
        self.username = username
        super().__init__(f"There is an account {username} already.")


class UserUnknown(NotFound):
    """No account has this name."""

    def __init__(self, username: str) -> None:
        self.username = username
        super().__init__(f"There is no account {username}.")


class TokenUnknown(NotFound):
    """No such token belongs to the account."""

    def __init__(self, token_id: int) -> None:
        self.token_id = token_id
        super().__init__(f"There is no token {token_id} in this account.")


class PasswordTooWeak(InvalidInput):
    """The password is too short to be hard to guess."""

    def __init__(self, *, minimum: int) -> None:
        self.minimum = minimum
        super().__init__(f"A password needs at least {minimum} characters.")


class UsernameRefused(InvalidInput):
    """The name cannot stand in a URL or a log line."""

    def __init__(self) -> None:
        super().__init__("A user name has 2 to 64 characters: letters, digits, dot, hyphen and underscore.")


class ScopesRefused(InvalidInput):
    """The scopes do not exist or reach beyond the account's own roles."""

    def __init__(self, scopes: Iterable[str]) -> None:
        self.scopes = tuple(sorted(scopes))
        super().__init__(
            f"The account's roles do not allow a token with {', '.join(self.scopes) or 'no scope at all'}."
        )


class TooManyAttempts(TooManyRequests):
    """The log-in is closed for a while for this account or address."""

    def __init__(self, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        minutes = max(1, round(retry_after_s / 60))
        wait = "a minute" if minutes == 1 else f"{minutes} minutes"
        super().__init__(f"Too many attempts to sign in went wrong. Please wait {wait} and try again.")
