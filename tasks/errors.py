"""The errors of the pipelines. Imports nothing of the stages.

::

    TaskError
    ├── TransientError          worth a retry: something outside did not answer
    │   ├── ArchiveUnavailable  the archive did not answer, or broke off
    │   ├── UploadIncomplete    the archive answered, but does not hold what was sent
    │   ├── VolumeDiffers       the archive gave another volume than the scan's record names
    │   └── ReleaseNotWritten   the disk did not take the released table
    └── RejectedInput           the input is at fault: quarantined or shown with its reason, never retried
        ├── ArchiveRefused      the archive said no: a missing right, a bad label
        ├── NoVolume            a scan cannot be turned into a volume
        └── StudyInvalid        a study folder has mistakes, each with file and line

A flow retries `TransientError`, records the sentence of `RejectedInput`, and stops at anything else, which is a bug.
No sentence holds a DICOM value, a label or a person's name: UIDs, accession ids, counts and digests only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class TaskError(Exception):
    """Root of the errors that a stage raises on purpose. Travels whole between processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Restore the error without its constructor, which takes the objects and not the sentence."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[TaskError], args: tuple[object, ...], state: dict[str, object]) -> TaskError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class TransientError(TaskError):
    """Something outside did not answer; the same call may succeed later."""


class RejectedInput(TaskError):
    """The input is at fault.

    Parameters
    ----------
    reason
        One sentence that a coordinator can read and act on.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ArchiveUnavailable(TransientError):
    """The archive did not answer, or broke off in the middle.

    Parameters
    ----------
    operation
        What was asked of it, without addresses or credentials: ``list scans of CF_E00001``.
    status
        HTTP status of the answer, None when there was none.
    """

    def __init__(self, operation: str, *, status: int | None = None) -> None:
        how = "gave no answer" if status is None else f"answered {status}"
        super().__init__(f"The archive {how} to: {operation}. It will be tried again.")
        self.operation = operation
        self.status = status


class UploadIncomplete(TransientError):
    """The archive took an upload but does not hold every file of it.

    Parameters
    ----------
    holder
        Path of the resource in the archive.
    missing
        Names of the files that are not there with the digest sent.
    """

    def __init__(self, holder: str, *, missing: Sequence[str]) -> None:
        super().__init__(f"{len(missing)} file(s) are not in {holder} after the upload, first {missing[0]}.")
        self.holder = holder
        self.missing = tuple(missing)


class VolumeDiffers(TransientError):
    """A volume that was fetched is not the one that the scan's record names, as while it is being made anew.

    Parameters
    ----------
    scan
        Scan id.
    name
        Name of the volume's file.
    """

    def __init__(self, scan: str, *, name: str) -> None:
        super().__init__(
            f"Volume {name} of scan {scan} in the archive has another digest than the scan's record says. It will be "
            "tried again."
        )
        self.scan = scan
        self.name = name


class ReleaseNotWritten(TransientError):
    """The disk did not take the released table; what stood there before stands.

    Parameters
    ----------
    study
        The study's name.
    why
        What the operating system says, without its path: folders are called what subjects are called.
    """

    def __init__(self, study: str, *, why: str) -> None:
        super().__init__(
            f"The table of study {study} cannot be written ({why}): free space or mend the rights of the release folder. "
            "It will be tried again."
        )
        self.study = study
        self.why = why


class ArchiveRefused(RejectedInput):
    """The archive said no, and will say no again.

    Parameters
    ----------
    operation
        What was asked of it.
    status
        HTTP status of the answer.
    """

    def __init__(self, operation: str, *, status: int) -> None:
        super().__init__(
            f"The archive refused ({status}) to: {operation}. Check the project, its labels and the rights of the "
            "account that Cohortflow uses."
        )
        self.operation = operation
        self.status = status


class NoVolume(RejectedInput):
    """A scan cannot be turned into a volume.

    Parameters
    ----------
    scan
        Scan id, or the UID of the series.
    why
        The converter's or the reader's own words, shortened.
    """

    def __init__(self, scan: str, *, why: str) -> None:
        super().__init__(f"Scan {scan} cannot be turned into a volume: {why}")
        self.scan = scan
        self.why = why


class StudyInvalid(RejectedInput):
    """A study folder has mistakes.

    Parameters
    ----------
    folder
        The study folder.
    mistakes
        Sentences that begin with ``file:line:``.
    """

    def __init__(self, folder: Path, *, mistakes: Sequence[str]) -> None:
        super().__init__(f"Study folder {folder.name} has {len(mistakes)} mistake(s):\n" + "\n".join(mistakes))
        self.folder = folder
        self.mistakes = tuple(mistakes)
