"""How processes log: one line a record, constant message first, facts behind it. Imports service_kit's errors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from logging import LogRecord
from typing import TYPE_CHECKING, Any

from service_kit.errors import without_paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_OWN = frozenset(LogRecord("", 0, "", 0, "", None, None).__dict__) | {"message", "asctime", "taskName", "color_message"}
_QUIET = (
    "docket",
    "httpx",
    "httpcore",
    "pynetdicom",
    "alembic",
    "asyncio",
    "uvicorn.access",
    "watchfiles",
    "fontTools",
    "xnat",
)
"""Libraries whose lines at level INFO say nothing here, or would show values of images."""


class LineFormatter(logging.Formatter):
    """Format a record as ``time level logger message key=value …``.

    Examples
    --------
    >>> record = logging.makeLogRecord({"name": "gateway", "levelname": "INFO", "msg": "stored", "bytes": 3})
    >>> LineFormatter("%(levelname)s %(name)s %(message)s").format(record)
    'INFO gateway stored bytes=3'
    """

    def format(self, record: LogRecord) -> str:
        """Write the record; a traceback that another formatter left in it is written anew."""
        record.exc_text = None
        return super().format(record)

    def formatMessage(self, record: LogRecord) -> str:  # noqa: N802 - the standard library's name
        """Append the facts given in ``extra``."""
        facts = " ".join(f"{key}={value}" for key, value in record.__dict__.items() if key not in _OWN)
        line = super().formatMessage(record)
        return f"{line} {facts}" if facts else line

    def formatException(  # noqa: N802 - the standard library's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Write the traceback, also of what a library logs, without the paths that carry names."""
        if ei[1] is not None:
            without_paths(ei[1])
        return super().formatException(ei)


def _record(*facts: Any, **more: Any) -> LogRecord:
    """Make a record whose errors tell no paths, to whichever handler: Prefect's own sends what a flow fails with to its database."""
    record = LogRecord(*facts, **more)
    with suppress(Exception):  # whoever logs must be able to go on
        for error in _errors_in((record.msg, record.args, record.exc_info)):
            without_paths(error)
    return record


def _errors_in(said: object) -> Iterator[BaseException]:
    if isinstance(said, BaseException):
        yield said
    elif isinstance(said, Mapping):
        yield from _errors_in([*said.values()])
    elif isinstance(said, list | tuple | set | frozenset):
        for one in said:
            yield from _errors_in(one)


def configure_logging(level: str = "INFO") -> None:
    """Send every record to standard error, one line each."""
    logging.setLogRecordFactory(_record)
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
