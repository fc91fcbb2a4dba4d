"""Log-ins generated at the first start of a home: people's, the flows' token, the archive's account.

There is no default password. They lie in ``HOME/secrets.json`` (0600), are shown once, and stand in ``endpoints.json``
while Cohortflow runs. Imports the standard library and this package's home.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from deployments.launcher.home import read_json, write_json

if TYPE_CHECKING:
    from deployments.launcher.home import Home

_ALPHABET = "abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXYZ2346789"
"""Without letters and digits that people mistake for one another."""

PEOPLE = (
    ("admin", "Administrator", ("admin",)),
    ("engineer", "Research engineer", ("engineer",)),
    ("coordinator", "Study coordinator", ("coordinator",)),
    ("annotator", "Annotator", ("annotator",)),
)
FLOWS_USER = "flows"
XNAT_USER = "archivist"
SENDER_USER = "sender"


@dataclass(frozen=True)
class PersonLogin:
    """A person's generated log-in."""

    username: str
    password: str = field(repr=False)
    display_name: str
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Credentials:
    """Everything generated at the first start.

    Attributes
    ----------
    api_token
        Bearer token of the flows; empty until accounts exist.
    sender_token
        Bearer token for programs that send images over HTTP; empty until accounts exist.
    """

    people: tuple[PersonLogin, ...]
    xnat_user: str
    xnat_password: str = field(repr=False)
    api_token: str = field(default="", repr=False)
    sender_token: str = field(default="", repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether the tokens were issued."""
        return bool(self.api_token and self.sender_token)

    def person(self, role: str) -> PersonLogin:
        """Give the first person who has this role."""
        return next(person for person in self.people if role in person.roles)

    def with_password(self, username: str, password: str) -> Credentials:
        """Give these with another password of a user; the same where the user is none of these."""
        people = tuple(
            replace(person, password=password) if person.username == username else person for person in self.people
        )
        xnat_password = password if username == self.xnat_user else self.xnat_password
        return replace(self, people=people, xnat_password=xnat_password)


def generate_credentials() -> Credentials:
    """Make new passwords, about 93 bits each."""
    return Credentials(
        people=tuple(
            PersonLogin(username=username, password=new_password(), display_name=display_name, roles=roles)
            for username, display_name, roles in PEOPLE
        ),
        xnat_user=XNAT_USER,
        xnat_password=new_password(),
    )


def load_credentials(home: Home) -> Credentials | None:
    """Read the home's credentials; None before its first start."""
    content = read_json(home.secrets)
    if content is None:
        return None
    people = tuple(PersonLogin(**{**person, "roles": tuple(person["roles"])}) for person in content.pop("people"))
    return Credentials(people=people, **content)


def save_credentials(home: Home, credentials: Credentials) -> None:
    """Write the home's credentials, readable by its owner alone."""
    write_json(home.secrets, asdict(credentials))


def new_password() -> str:
    """Make a password that is easy to read out, about 93 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)
