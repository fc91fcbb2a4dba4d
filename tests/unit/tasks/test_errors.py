"""Errors carry their objects, build their sentence and travel between processes."""

import pickle
from pathlib import Path

import pytest

from tasks.errors import (
    ArchiveRefused,
    ArchiveUnavailable,
    NoVolume,
    RejectedInput,
    ReleaseNotWritten,
    StudyInvalid,
    TaskError,
    TransientError,
    UploadIncomplete,
    VolumeDiffers,
)
from tasks.extraction.models import ModelUnknown
from tasks.retrying import is_worth_a_retry

ERRORS = [
    TransientError("later"),
    RejectedInput("never"),
    ArchiveUnavailable("list scans of E1", status=503),
    ArchiveRefused("create subject S1", status=403),
    UploadIncomplete("/data/experiments/E1/resources/R", missing=["a", "b"]),
    VolumeDiffers("5", name="scan_5.nii.gz"),
    ReleaseNotWritten("heads", why="No space left on device"),
    NoVolume("5", why="it holds nothing."),
    StudyInvalid(Path("heads"), mistakes=["study.yaml:1: wrong"]),
    ModelUnknown("x", known=("brain_tiv",)),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_in_another_process_as_it_left(error: TaskError):
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_only_transient_errors_are_worth_a_retry():
    class State:
        def __init__(self, data):
            self.data = data

    retried = [type(error).__name__ for error in ERRORS if is_worth_a_retry(None, None, State(error))]
    transient = ["TransientError", "ArchiveUnavailable", "UploadIncomplete", "VolumeDiffers", "ReleaseNotWritten"]
    assert retried == transient
    assert not is_worth_a_retry(None, None, State(ValueError("a bug")))
