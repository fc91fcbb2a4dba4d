"""What can go wrong when Cohortflow is started, stopped or asked from the command line. Imports the standard library only.

::

    DeploymentError              exit code 1; every one is a sentence that says what to do
    ├── HomeError                    3
    │   ├── HomeNotWritable
    │   ├── HomeInUse
    │   ├── HomeFromNewerVersion
    │   ├── DataNotWritable
    │   └── DataInUse
    ├── PortInUse                    4
    ├── CannotListen                 4
    ├── StartError                   5
    │   ├── ProcessGaveUp
    │   ├── SettingsRefused
    │   ├── StepFailed
    │   ├── NotReadyInTime
    │   └── Interrupted            130
    ├── NotRunning                   6
    ├── MissingSettings              7
    ├── StudyMistakes                8
    ├── Refused                      9
    └── DemoError                   10
        ├── DemoInputUnavailable
        ├── NothingToSend
        ├── SendFailed
        └── DemoUnfinished
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class DeploymentError(Exception):
    """Root of this package's errors. `exit_code` is what the command ends with."""

    exit_code: ClassVar[int] = 1


class HomeError(DeploymentError):
    """Something about the home folder keeps Cohortflow from starting."""

    exit_code = 3


class HomeNotWritable(HomeError):
    """The home folder cannot be made or written."""

    def __init__(self, home: Path, reason: str) -> None:
        self.home = home
        super().__init__(f"The home {home} cannot be written ({reason}). Give another with --home.")


class HomeInUse(HomeError):
    """Another Cohortflow runs on this home."""

    def __init__(self, home: Path, holder: str) -> None:
        self.home = home
        super().__init__(f"Cohortflow already runs on the home {home}{holder}. Stop it, or give another --home.")


class HomeFromNewerVersion(HomeError):
    """The home was written by a later program; going back could damage it."""

    def __init__(self, home: Path, *, found: str, ours: str) -> None:
        self.home, self.found, self.ours = home, found, ours
        super().__init__(
            f"The home {home} was last used by Cohortflow {found}, and this is {ours}. "
            "Install that version or a later one, or give another --home."
        )


class DataNotWritable(HomeError):
    """The data folder of an archive that stands alone cannot be made or written."""

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        super().__init__(f"The data folder {folder} cannot be written ({reason}). Give another with --data.")


class DataInUse(HomeError):
    """Another archive runs on this data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"Another archive already runs on {folder}. Stop it, or give another folder with --data.")


class PortInUse(DeploymentError):
    """A port that shall be served is taken by another program."""

    exit_code = 4

    def __init__(self, port: int, *, purpose: str, option: str) -> None:
        self.port, self.purpose, self.option = port, purpose, option
        super().__init__(f"Port {port} for {purpose} is already in use. Free it, or choose another with {option}.")


class CannotListen(DeploymentError):
    """An address and port cannot be served for another reason than being in use."""

    exit_code = 4

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port = host, port
        super().__init__(f"Cannot listen on {host}, port {port} ({reason}). Choose others with --host and --port.")


class StartError(DeploymentError):
    """A process did not come up, or could not be kept up."""

    exit_code = 5


class ProcessGaveUp(StartError):
    """A process died again and again right after its start."""

    def __init__(self, title: str, *, deaths: int, log: Path, last_line: str) -> None:
        self.title, self.deaths, self.log = title, deaths, log
        said = f" It last said: {last_line}" if last_line else ""
        super().__init__(f"{title} ended {deaths} times right after its start; giving up.{said} See {log}.")


class SettingsRefused(StartError):
    """A process said that its settings are wrong; to start it again would not help."""

    def __init__(self, last_line: str, *, log: Path) -> None:
        self.log = log
        super().__init__(f"{last_line} See {log}.")


class StepFailed(StartError):
    """A step of the start that runs once did not succeed."""

    def __init__(self, step: str, *, log: Path, last_line: str) -> None:
        self.step, self.log = step, log
        super().__init__(f"The start failed at the step '{step}': {last_line or 'nothing was said'} See {log}.")


class NotReadyInTime(StartError):
    """The processes run, but some never said that they are ready."""

    def __init__(self, waiting_for: Sequence[str], *, timeout_s: float, logs: Path) -> None:
        self.waiting_for = tuple(waiting_for)
        super().__init__(f"Not ready after {timeout_s:.0f} s: {', '.join(waiting_for)}. See the log files in {logs}.")


class Interrupted(StartError):
    """Somebody asked to stop before everything was up."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("Stopped before everything was ready.")


class NotRunning(DeploymentError):
    """A command needs a running Cohortflow and there is none on this home."""

    exit_code = 6

    def __init__(self, home: Path) -> None:
        self.home = home
        super().__init__(f"Cohortflow does not run on the home {home}. Start it with 'cohortflow up --home {home}'.")


class MissingSettings(DeploymentError):
    """Settings of a process are wrong or missing."""

    exit_code = 7

    def __init__(self, process: str, problems: Sequence[str]) -> None:
        self.process, self.problems = process, tuple(problems)
        super().__init__(f"{process} cannot start: {'; '.join(problems)}.")


class StudyMistakes(DeploymentError):
    """A study definition has mistakes."""

    exit_code = 8

    def __init__(self, folder: Path, mistakes: Sequence[str]) -> None:
        self.folder, self.mistakes = folder, tuple(mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"The study in {folder} has {count}:\n{lines}")


class Refused(DeploymentError):
    """A service, the archive or the accounts said no; the sentence is theirs."""

    exit_code = 9


class DemoError(DeploymentError):
    """The demonstration could not be carried through."""

    exit_code = 10


class DemoInputUnavailable(DemoError):
    """The real sessions that the demonstration sends could not be fetched."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The demonstration's scans could not be fetched: {reason}. "
            "Check the network and pip's settings, or send your own with 'cohortflow demo --dicom DIR'."
        )


class NothingToSend(DemoError):
    """The folder given holds no DICOM image that can be sent."""

    def __init__(self, folder: Path, left_out: Mapping[str, int]) -> None:
        self.folder, self.left_out = folder, dict(left_out)
        why = "; ".join(f"{count} {'file' if count == 1 else 'files'}: {reason}" for reason, count in left_out.items())
        super().__init__(f"There is no DICOM image in {folder} that can be sent{f' ({why})' if why else ''}.")


class SendFailed(DemoError):
    """The receiver did not take the images."""

    def __init__(self, subject: str, reason: str) -> None:
        self.subject = subject
        super().__init__(f"The images of {subject} were not all accepted by the DICOM receiver: {reason}.")


class DemoUnfinished(DemoError):
    """Some sessions did not come to a release."""

    def __init__(self, unfinished: Sequence[str]) -> None:
        self.unfinished = tuple(unfinished)
        super().__init__(f"Not released: {'; '.join(unfinished)}.")
