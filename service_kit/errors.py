"""The kinds of error every service knows. Knows no HTTP: `service_kit.problems` maps kinds to answers.

::

    ServiceError
    ├── InvalidInput       the request is wrong; repeating it will not help
    ├── Unauthenticated    nobody is logged in, or the token is not known
    ├── Forbidden          somebody is, but may not do this
    ├── NotFound           there is no such thing, or the caller may not know of it
    ├── Conflict           the thing is in another state than the request takes for granted
    ├── TooManyRequests    try again later
    └── Unavailable        a part this service needs does not answer; worth a retry
        └── OutOfSpace     a disk is full; worth a retry when there is space again

A service derives its own errors from one of these kinds in ``<service>/contract/errors.py``. An error carries its
objects as attributes and builds its own sentence: what failed, for what, and what to do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import ClassVar


class ServiceError(Exception):
    """Root of all errors a service answers with a sentence.

    Parameters
    ----------
    detail
        One sentence for the person or program that asked. No DICOM value, no person's name.
    """

    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidInput(ServiceError):
    """The request is wrong; repeating it will not help."""

    title = "The request is not valid"


class Unauthenticated(ServiceError):
    """Nobody is logged in, or the token is not known."""

    title = "Log in first"


class Forbidden(ServiceError):
    """Somebody is logged in, but may not do this."""

    title = "Not allowed"


class NotFound(ServiceError):
    """There is no such thing, or the caller may not know of it."""

    title = "Not found"


class Conflict(ServiceError):
    """The thing is in another state than the request takes for granted."""

    title = "Conflict"


class TooManyRequests(ServiceError):
    """The caller asks too often; the same request may succeed later."""

    title = "Too many requests"


class Unavailable(ServiceError):
    """A part this service needs does not answer; the same request may succeed later."""

    title = "Not available at the moment"


class OutOfSpace(Unavailable):
    """A disk is full; the same request may succeed when there is space again."""

    title = "No space left"


#: A path from its root and what follows it on its line, for names may hold blanks; no address of a server, no fraction.
_PATH = re.compile(r"(?:(?<!\w)file:/+|(?<!\w)[A-Za-z]:\\|(?<![\w.:/])//|(?<![\w./])~?/|(?<![\w./])\.\.?/)(?=[^\s/]).*")
_ARGS = vars(BaseException)["args"]  # a frozen one forbids its own, a derived one may call something else so
_OURS = frozenset(
    {"deployments", "embedded_xnat", "flows", "gateway", "service_kit", "study_governor", "task_supervisor", "tasks"}
)


def without_paths(error: BaseException) -> BaseException:
    """Take the paths out of an error, and out of those in it or before it, before it is logged. Never fails.

    Folders and files are called what subjects and sessions are called, and what a sender called them. What a library
    says of the operating system in words of its own may hold them anywhere: of such an error stay kind and number. Of
    any other sentence but our own, each line ends where a path from its root begins. Notes go, and of a command stays
    its program.

    Examples
    --------
    >>> str(without_paths(PermissionError(13, "Permission denied", "/archive/P/DOE_JANE")))
    '[Errno 13] Permission denied'
    >>> without_paths(FileNotFoundError("No such file or no access: '/archive/DOE_JANE.nii.gz'"))
    FileNotFoundError()
    >>> without_paths(ValueError('no image: "/archive/DOE JANE/1.nii"', 3))
    ValueError('no image: "…', 3)
    """
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        with suppress(Exception):  # of a library's own making: whoever logs must be able to go on
            _untell(one)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        waiting += [*_ARGS.__get__(one), one.__cause__, one.__context__]
    return error


def _untell(error: BaseException) -> None:
    vars(error).pop("__notes__", None)
    if isinstance(error, subprocess.CalledProcessError | subprocess.TimeoutExpired):
        error.cmd = _program(error.cmd)
    if isinstance(error, OSError):
        _strip(error)
    elif not isinstance(error, BaseExceptionGroup) and type(error).__module__.partition(".")[0] not in _OURS:
        args = tuple(map(_without_path, error.args))
        _ARGS.__set__(error, args)


def _without_path(said: object) -> object:
    if isinstance(said, str):
        return _PATH.sub("…", said)
    is_path = isinstance(said, bytes | os.PathLike) or (
        isinstance(said, list | tuple | dict | set | frozenset) and _PATH.search(repr(said)) is not None
    )
    return "…" if is_path else said


def _strip(error: OSError) -> None:
    """Take the paths out of one error, through the fields of its root: a derived one may hide them, or keep them."""
    fields = vars(OSError)
    for path in ("filename", "filename2"):
        fields[path].__delete__(error)
    if isinstance(error, shutil.Error | shutil.SpecialFileError | shutil.ReadError):
        error.args = (_reasons(error),)  # which has the paths in its sentence
        return
    number, reason = error.errno, error.strerror
    if not isinstance(number, int):
        for words in ("errno", "strerror"):
            fields[words].__delete__(error)
        error.args = ()
    elif not isinstance(reason, str) or "/" in reason or "\\" in reason:
        error.strerror = os.strerror(number)
        error.args = (number, error.strerror)


def _program(command: object) -> list[str]:
    """Give the program of a command without its folder; a command line of a shell is not taken apart."""
    program = command[0] if isinstance(command, list | tuple) and command else None
    return [Path(os.fsdecode(program)).name if isinstance(program, str | bytes | os.PathLike) else "a command"]


def _reasons(error: OSError) -> list[tuple[str]] | str:
    """Say why files were not copied or moved, but not which; said again of what this gave, it is the same."""
    failures = error.args[0] if error.args else None
    if not isinstance(failures, list):
        return "something is in the way or of another kind"
    return sorted({(_reason(str(failure[-1])),) for failure in failures})


def _reason(told: str) -> str:
    number = re.match(r"\[Errno (\d{1,4})\]", told)
    return "another reason" if number is None else f"{number[0]} {os.strerror(int(number[1]))}"
