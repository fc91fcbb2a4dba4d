"""Every error has its answer; every cursor comes back as it was."""

from __future__ import annotations

import os
import shutil
import subprocess
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from service_kit import errors, problems
from service_kit.errors import InvalidInput, ServiceError, without_paths
from service_kit.paging import decode_cursor, decode_id_cursor, encode_cursor


def kinds() -> list[type[ServiceError]]:
    return [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, ServiceError)]


def test_every_kind_of_error_has_a_row_in_the_table() -> None:
    assert set(kinds()) == set(problems.STATUS)


@pytest.mark.parametrize("kind", kinds())
def test_an_error_is_answered_as_a_problem_with_its_own_sentence(kind: type[ServiceError]) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def fail() -> None:
        raise kind("There is no session 7.")

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "There is no session 7."
    assert answer.json()["status"] == answer.status_code == problems.STATUS[kind]


def test_a_bug_says_nothing_of_its_inside() -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def fail() -> None:
        raise RuntimeError("Jane Doe 1970-01-01")

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.status_code == 500
    assert "Jane" not in answer.text
    assert answer.json()["reference"] in answer.json()["detail"]


def test_a_bug_is_logged_without_the_paths_that_carry_names(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def fail() -> None:
        try:
            Path("/nowhere/DOE_JANE").rename("/nowhere/DOE_JOHN")
        except OSError as error:
            raise RuntimeError("the archive cannot go on") from error

    assert TestClient(app, raise_server_exceptions=False).get("/").status_code == 500
    assert "FileNotFoundError: [Errno 2]" in caplog.text
    assert "/nowhere/DOE_J" not in caplog.text.replace('Path("/nowhere/DOE_JANE").rename("/nowhere/DOE_JOHN")', "")


def failed_copy(folder: Path) -> Exception:
    (folder / "DOE_JANE").mkdir()
    (folder / "DOE_JANE" / "DOE.dcm").symlink_to("/nowhere/DOE.dcm")
    os.mkfifo(folder / "DOE_JANE" / "DOE.fifo")
    with pytest.raises(shutil.Error) as caught:
        shutil.copytree(folder / "DOE_JANE", folder / "DOE_JOHN")
    assert "DOE" in str(caught.value)
    return caught.value


def missing_file(folder: Path) -> Exception:
    with pytest.raises(FileNotFoundError) as caught:
        (folder / "DOE_JANE.dcm").open()
    return caught.value


def same_file(folder: Path) -> Exception:
    file = folder / "DOE_JANE.dcm"
    file.touch()
    with pytest.raises(shutil.SameFileError) as caught:
        shutil.copyfile(file, file)
    return caught.value


class Unyielding(OSError):
    """An error whose path nobody can take away by its own name."""

    @property
    def filename(self) -> str:  # type: ignore[override]
        return "/archive/DOE_JANE"


class Numbered(OSError):
    """An error with a sentence and a number of its own."""

    def __init__(self, sentence: str, number: int) -> None:
        super().__init__(sentence)
        self.errno = number


def noted(error: Exception, note: str) -> Exception:
    error.add_note(note)
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError("No such file or no access: '/archive/DOE_JANE.nii.gz'"), "FileNotFoundError"),
        (OSError("Empty file: 'DOE_JANE.nii'"), "OSError"),
        (OSError(b"not a gzipped file: DOE_JANE"), "OSError"),
        (OSError("cannot be read", "/archive/DOE_JANE"), "OSError"),
        (Numbered("cannot read /archive/DOE_JANE", 5), "Numbered: [Errno 5] Input/output error"),
        (OSError(5, "Unable to open file: '/archive/DOE_JANE.h5'"), "OSError: [Errno 5] Input/output error"),
        (OSError(99, "error while binding ('::1', 80)"), "OSError: [Errno 99] error while binding ('::1', 80)"),
        (Unyielding(13, "Permission denied", "/archive/DOE_JANE"), "Unyielding: [Errno 13] Permission denied"),
        (noted(ValueError("no image"), "in /archive/DOE_JANE"), "ValueError: no image"),
        (
            subprocess.CalledProcessError(1, ["/opt/dcm2niix", "/archive/DOE_JANE"]),
            "subprocess.CalledProcessError: Command '['dcm2niix']' returned non-zero exit status 1.",
        ),
        (
            subprocess.TimeoutExpired("dcm2niix /archive/DOE_JANE", 2.0),
            "subprocess.TimeoutExpired: Command '['a command']' timed out after 2.0 seconds",
        ),
    ],
)
def test_of_what_errors_say_in_their_own_words_stays_what_can_hold_no_path(error: Exception, said: str) -> None:
    for _ in range(2):  # said twice is said once
        told = "".join(traceback.format_exception(without_paths(error)))
        assert told.rstrip().removeprefix(f"{__name__}.") == said


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (failed_copy, "[Errno 2] No such file or directory"),
        (missing_file, "[Errno 2] No such file or directory"),
        (same_file, "in the way"),
    ],
)
@pytest.mark.parametrize("depth", ["alone", "grouped", "caused", "met"])
def test_errors_of_files_tell_no_path_however_deep_they_lie(
    tmp_path: Path, fail: Callable[[Path], Exception], said: str, depth: str
) -> None:
    inner = fail(tmp_path)
    inner.__traceback__ = None  # lines of this file
    error: BaseException = inner
    if depth != "alone":
        error = ExceptionGroup("parts failed", [ValueError("one"), ExceptionGroup("files", [inner])])
    if depth in {"caused", "met"}:
        error, group = RuntimeError("the import cannot go on"), error
        setattr(error, {"caused": "__cause__", "met": "__context__"}[depth], group)
    for _ in range(2):  # said twice is said once
        told = "".join(traceback.format_exception(without_paths(error)))
        assert "DOE" not in told
        assert said in told


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("cannot read /archive/DOE JANE/1.nii: no header\nsecond line", "cannot read …\nsecond line"),
        (r"""Cannot work out file type of "C:\archive\DOE_JANE.nii.gz" """, 'Cannot work out file type of "…'),
        ("folder=./DOE/JANE is empty", "folder=…"),
        ("~/DOE_JANE is no DICOM", "…"),
        ("cannot open:/archive/DOE_JANE", "cannot open:…"),
        ("at file:///archive/DOE_JANE", "at …"),
        ("on //nas/DOE/JANE", "on …"),
        ("3/4 of them, and/or none / some, at http://127.0.0.1:4200/api/runs", None),
        ("see https://example.org/a or image/jpeg", None),
    ],
)
def test_the_sentence_of_a_library_ends_where_a_path_begins(sentence: str, said: str | None) -> None:
    for _ in range(2):  # said twice is said once
        assert str(without_paths(ValueError(sentence))) == (said or sentence)


def test_what_libraries_of_images_say_tells_no_path(tmp_path: Path) -> None:
    nibabel, sitk = pytest.importorskip("nibabel"), pytest.importorskip("SimpleITK")
    file = tmp_path / "DOE_JANE.nii.gz"
    file.write_bytes(b"no image")
    for read in (nibabel.load, sitk.ReadImage):
        with pytest.raises(Exception, match="DOE_JANE") as caught:
            read(str(file))
        assert "DOE" not in "".join(traceback.format_exception_only(without_paths(caught.value)))


@dataclass(frozen=True)
class Frozen(Exception):
    """An error that forbids any change of it."""

    path: str


@pytest.mark.parametrize(
    "error",
    [
        ValueError(Path("/archive/DOE_JANE")),
        KeyError(("x", "/archive/DOE_JANE")),
        ValueError(b"/archive/DOE_JANE"),
        RuntimeError(ValueError("no image: /archive/DOE_JANE")),
        RuntimeError({"file": "/archive/DOE_JANE"}),
        subprocess.CalledProcessError(1, ["/opt/dcm2niix", "/archive/DOE_JANE"]),
    ],
    ids=repr,
)
def test_whatever_an_error_carries_tells_no_path(error: Exception) -> None:
    assert "DOE" not in f"{without_paths(error)} {error!r}"


def test_an_error_that_forbids_changes_stops_nobody_who_logs() -> None:
    frozen = Frozen("/archive/DOE_JANE")
    vars(BaseException)["__cause__"].__set__(frozen, ValueError("no image: /archive/DOE_JANE"))
    assert without_paths(frozen) is frozen
    assert str(frozen) == "…"
    assert str(frozen.__cause__) == "no image: …"


def test_our_own_sentences_stay_whole() -> None:
    assert str(without_paths(InvalidInput("Write to /archive/P instead."))) == "Write to /archive/P instead."


@given(st.lists(st.one_of(st.integers(), st.text(), st.none()), min_size=1))
def test_a_cursor_comes_back_as_it_was(values: list[object]) -> None:
    assert decode_cursor(encode_cursor(*values)) == values


@pytest.mark.parametrize("text", ["%%%", "abc", "eyJhIjoxfQ", "é"])
def test_a_foreign_cursor_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InvalidInput, match="start again"):
        decode_cursor(text)


@pytest.mark.parametrize("values", [[], ["a"], [True], [None], [1.5], [1, 2], [2**63], [-1], [[1]]])
def test_a_cursor_with_something_else_than_an_id_is_refused(values: list[object]) -> None:
    with pytest.raises(InvalidInput):
        decode_id_cursor(encode_cursor(*values))
