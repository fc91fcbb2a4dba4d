"""The home folder: where everything that Cohortflow keeps on one machine lies, and who may use it now.

Imports the standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tomllib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployments.errors import HomeFromNewerVersion, HomeInUse, HomeNotWritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LAYOUT = 1
"""Number of the folder layout below; raised when an older program could not read it any more."""


@dataclass(frozen=True)
class Home:
    """Names of what lies where below one folder.

    Examples
    --------
    >>> Home(Path("/srv/cohortflow")).log("web")
    PosixPath('/srv/cohortflow/logs/web.log')
    """

    path: Path

    @property
    def stamp(self) -> Path:
        """Layout number, version of the program that used it last, ports chosen."""
        return self.path / "home.json"

    @property
    def secrets(self) -> Path:
        """Generated passwords and tokens (0600)."""
        return self.path / "secrets.json"

    @property
    def endpoints(self) -> Path:
        """Where everything is served; there while all of it is ready (0600)."""
        return self.path / "endpoints.json"

    @property
    def run(self) -> Path:
        """Process ids and the lock of the running launcher."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.path / "logs"

    @property
    def private(self) -> Path:
        """What connects codes with persons; never sent, never shown (0700)."""
        return self.path / "private"

    @property
    def studies(self) -> Path:
        """The studies that were applied, as they were applied."""
        return self.path / "studies"

    @property
    def releases(self) -> Path:
        """Released tables, a folder a study."""
        return self.path / "releases"

    @property
    def work(self) -> Path:
        """Files of running extractions; may be emptied when nothing runs."""
        return self.path / "work"

    def clear_work(self) -> None:
        """Remove what killed workers left in the scratch folder; call it only while none runs."""
        for path in self.work.iterdir():
            shutil.rmtree(path, ignore_errors=True)

    @property
    def spool(self) -> Path:
        """Received instances."""
        return self.path / "spool"

    @property
    def xnat_data(self) -> Path:
        """The archive's files in XNAT's own layout."""
        return self.path / "xnat"

    @property
    def prefect(self) -> Path:
        """Prefect's own home."""
        return self.path / "prefect"

    def database_url(self, name: str) -> str:
        """Give the SQLite URL of a service's database."""
        return f"sqlite:///{self.path / 'databases' / name}.db"

    def log(self, process: str) -> Path:
        """Give the log file of a process."""
        return self.logs / f"{process}.log"

    def pid_file(self, process: str) -> Path:
        """Give the file that holds the id of a running process."""
        return self.run / f"{process}.pid"

    def make(self) -> None:
        """Make the folders.

        Raises
        ------
        HomeNotWritable
            If that is not possible, or nothing can be written there.
        HomeFromNewerVersion
            If a later program used this home.
        """
        try:
            for folder in (self.path, self.run, self.logs, self.path / "databases", self.studies, self.releases):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.work, self.spool, self.xnat_data, self.prefect, self.private):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stamp = read_json(self.stamp) or {}
            probe = self.run / "writable.json"
            write_json(probe, {})
            probe.unlink()
        except OSError as error:
            raise HomeNotWritable(self.path, _reason(error)) from error
        ours = program_version()
        found = str(stamp.get("version", ours))
        if int(stamp.get("layout", LAYOUT)) > LAYOUT or version_key(found) > version_key(ours):
            raise HomeFromNewerVersion(self.path, found=found, ours=ours)
        write_json(self.stamp, {**stamp, "layout": LAYOUT, "version": ours})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold this home for one launcher; the system frees it when the process ends, however it ends.

        Raises
        ------
        HomeInUse
            If another launcher holds it.
        """
        with (self.run / "up.lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise HomeInUse(self.path, self._holder()) from error
            self.pid_file("up").write_text(f"{os.getpid()}\n")
            try:
                yield
            finally:
                self.pid_file("up").unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether a launcher holds this home now."""
        try:
            with (self.run / "up.lock").open("a+") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _holder(self) -> str:
        pid = read_pid(self.pid_file("up"))
        site = (read_json(self.endpoints) or {}).get("site_url")
        parts = [f"process {pid}"] if pid else []
        parts += [str(site)] if site else []
        return f" ({', '.join(parts)})" if parts else ""


def default_home(kind: str = "home") -> Path:
    """Give ``$COHORTFLOW_HOME``, or a folder below the user's data folder."""
    if chosen := os.environ.get("COHORTFLOW_HOME"):
        return Path(chosen).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "cohortflow" / kind


def program_version() -> str:
    """Give the version of the program; that of the source tree where it runs without being installed."""
    try:
        return installed_version("cohortflow")
    except PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
        return str(project["version"])


def version_key(text: str) -> tuple[int, ...]:
    """Give a key that orders versions.

    Examples
    --------
    >>> version_key("0.10.2") > version_key("0.9.11")
    True
    """
    numbers = []
    for part in text.split("+", maxsplit=1)[0].split("."):
        digits = "".join(character for character in part if character.isdigit())
        numbers.append(int(digits or 0))
    return tuple(numbers)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read an object written by `write_json`; None when there is none or it was cut off."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object for its owner alone (0600): completely or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(json.dumps(content, indent=2) + "\n")
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)


def fingerprint_of(folder: Path, *, salt: str = "") -> str:
    """Give a digest of a folder's files and their names, and of ``salt``."""
    digest = hashlib.sha256(salt.encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"\0{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def read_pid(path: Path) -> int | None:
    """Read a process id; None when there is none."""
    with suppress(FileNotFoundError, ValueError):
        return int(path.read_text())
    return None


def _reason(error: OSError) -> str:
    return (error.strerror or "no reason given").lower()
