"""The archive standing alone: ``cohortflow serve embedded-xnat --data DIR``, with nothing else set. Imports embedded_xnat.

DIR holds all of it: ``archive/`` with the files in XNAT's own layout, the databases beside it, and ``endpoint.json`` while
the archive is ready.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deployments.errors import DataInUse, DataNotWritable, Refused
from deployments.launcher.child import LAUNCHER_PID, bind_to_launcher
from deployments.launcher.credentials import new_password
from deployments.launcher.home import write_json
from deployments.processes import PROCESSES, serve_asgi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

    from embedded_xnat.settings import EmbeddedXnatSettings

ADMIN = "admin"
PASSWORD_VARIABLE = "COHORTFLOW_XNAT_ADMIN_PASSWORD"  # noqa: S105 - its name


def serve(data: Path, *, host: str, port: int | None, password_file: Path | None = None) -> None:
    """Serve an archive out of one folder until SIGTERM or SIGINT.

    Raises
    ------
    DataNotWritable, DataInUse
    PortInUse, CannotListen
    Refused
        If the password given cannot be used.
    """
    if launcher_pid := os.environ.get(LAUNCHER_PID):
        bind_to_launcher(int(launcher_pid))
    sys.modules["httpx._main"] = None  # type: ignore[assignment] # its command line would import rich: 0.3 s
    given = _given_password(password_file)  # before anything is made
    with _held(data):
        from embedded_xnat.app import create_app

        settings = settings_in(data)
        endpoint = data / "endpoint.json"
        endpoint.unlink(missing_ok=True)

        def make_app() -> (
            ASGIApp
        ):  # once the port is ours: a password that is shown once belongs to an archive that runs
            password = ensure_admin(settings, given)
            if password is not None:
                _say(f"User {ADMIN}, password {password} (shown this once; change it on the page Account)")
            return create_app(settings)

        def on_ready(bound: int) -> None:
            url = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
            write_json(endpoint, {"url": url, "user": ADMIN, "pid": os.getpid()})
            _say(f"The archive is ready at {url}, its data in {data}")

        for number in (signal.SIGTERM, signal.SIGINT):  # the server raises what it was told to end with once more
            signal.signal(number, _end)
        chosen = PROCESSES["embedded-xnat"].default_port if port is None else port
        try:
            serve_asgi(make_app, host=host, port=chosen, on_ready=on_ready)
        finally:
            endpoint.unlink(missing_ok=True)


def settings_in(data: Path) -> EmbeddedXnatSettings:
    """Give the settings of an archive in one folder; what the environment says beside it counts."""
    from embedded_xnat.settings import EmbeddedXnatSettings

    places = {
        "data_dir": str(data / "archive"),
        "database_url": os.environ.get("COHORTFLOW_XNAT_DATABASE_URL") or f"sqlite:///{data / 'xnat.db'}",
        "accounts_database_url": os.environ.get("COHORTFLOW_ACCOUNTS_DATABASE_URL")
        or f"sqlite:///{data / 'accounts.db'}",
    }
    return EmbeddedXnatSettings.model_validate(places)


def ensure_admin(settings: EmbeddedXnatSettings, given: str | None) -> str | None:
    """Make the administrator at the first start; give the password when it was generated now.

    A password that is given holds from now on, whatever it was before.

    Raises
    ------
    Refused
    """
    from service_kit.accounts import Role
    from service_kit.accounts.errors import UserUnknown, WrongCredentials
    from service_kit.accounts.service import Accounts
    from service_kit.errors import ServiceError

    accounts = Accounts.open(settings.accounts_database_url)
    try:
        try:
            accounts.user(ADMIN)
        except UserUnknown:
            password = given or new_password()
            accounts.create_user(ADMIN, password, display_name="Administrator")
            accounts.grant(ADMIN, Role.admin)
            return None if given else password
        if given is not None:
            try:
                accounts.verify_password(ADMIN, given)
            except WrongCredentials:
                accounts.set_password(ADMIN, given)
        return None
    except ServiceError as error:
        raise Refused(error.detail) from error
    finally:
        accounts.database.dispose()


def _given_password(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE) or None
    try:
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"The password file {file} cannot be read ({type(error).__name__}).") from error
    if not password:
        raise Refused(f"The password file {file} is empty.")
    return password


@contextmanager
def _held(data: Path) -> Iterator[None]:
    """Make the folder and keep other archives out of it."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = (data / ".lock").open("w")
    except OSError as error:
        raise DataNotWritable(data, error.strerror or type(error).__name__) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataInUse(data) from None
        yield


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _say(sentence: str) -> None:
    print(sentence, flush=True)
