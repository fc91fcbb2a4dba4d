"""Settings of the site, as administrators change them while it runs. May import SQLModel.

Those listed in `SETTINGS` mean something here and are checked. Others are kept and given back, as XNAT does, so that
scripts that write all settings of a site run unmodified.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import select

from embedded_xnat.contract.errors import BadField
from embedded_xnat.db.site_tables import SiteSettingRow
from embedded_xnat.dicom.series_filters import BLACKLIST, make_filter
from embedded_xnat.domain.documents import check_document
from service_kit.database import Database

#: How long another process may not know of a change.
REFRESH_S = 5.0
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,199}")
_DURATION = re.compile(r"(\d{1,6})\s*(second|minute|hour|day|week|month|year)s?")
_UNIT_S = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "month": 30 * 86_400,
    "year": 365 * 86_400,
}
_LONGEST_S = 100 * _UNIT_S["year"]


def duration_s(text: str) -> int:
    """Return the seconds of a duration as XNAT writes it.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> duration_s("15 minutes"), duration_s("2 days")
    (900, 172800)
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise ValueError("it is no duration such as '15 minutes' or '2 days'")
    seconds = int(match[1]) * _UNIT_S[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError("it is longer than a hundred years")
    return seconds


def _flag(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("it is not true or false")  # noqa: TRY004 - whoever calls turns it into a sentence
    return value


def _count(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or not 1 <= int(text[:12]) <= 10_000_000:
        raise ValueError("it is no whole number from 1 to 10,000,000")
    return int(text)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it is no text")  # noqa: TRY004 - whoever calls turns it into a sentence
    return value


def _duration(value: Any) -> str:
    text = _text(value)
    duration_s(text)
    return text


def _expiry(value: Any) -> str:
    text = _text(value).capitalize()
    if text not in {"Disabled", "Interval", "Date"}:
        raise ValueError("it is none of Disabled, Interval, Date")
    return text


def _day(value: Any) -> str:
    text = _text(value)
    if text:
        _read_day(text)
    return text


def _read_day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError("it is no day such as 12/31/2026") from error


def _filter_mode(value: Any) -> str:
    make_filter(value, "")
    return str(value).lower()


def _filter_list(value: Any) -> str:
    text = _text(value)
    make_filter(BLACKLIST, text)
    return text


#: Which series imports take (`embedded_xnat.dicom.series_filters`).
FILTER_ENABLED, FILTER_MODE = "enableSitewideSeriesImportFilter", "sitewideSeriesImportFilterMode"
FILTER_LIST = "sitewideSeriesImportFilter"

#: Settings that mean something here: what they are at first, and how a value is read.
SETTINGS: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
    "siteId": ("Cohortflow", _text),
    "siteUrl": ("", _text),
    "adminEmail": ("", _text),
    "requireLogin": (True, _flag),
    "enableCsrfToken": (True, _flag),
    "restrictUserListAccessToAdmins": (True, _flag),
    "uiAllowNonAdminProjectCreation": (True, _flag),
    "concurrentMaxSessions": (1000, _count),
    "sessionTimeout": ("15 minutes", _duration),
    "aliasTokenTimeout": ("2 days", _duration),
    "passwordExpirationType": ("Disabled", _expiry),
    "passwordExpirationInterval": ("1 year", _duration),
    "passwordExpirationDate": ("", _day),
    "eventServiceEnabled": (True, _flag),
    "sessionXmlRebuilderInterval": (5, _count),
    FILTER_ENABLED: (False, _flag),
    FILTER_MODE: (BLACKLIST, _filter_mode),
    FILTER_LIST: ("", _filter_list),
}


class SiteConfig:
    """The settings of the site, kept in memory for some seconds.

    Parameters
    ----------
    defaults
        Values that the server's own settings give instead of those of `SETTINGS`.
    """

    def __init__(self, database: Database, *, defaults: Mapping[str, Any] | None = None) -> None:
        self._database = database
        self._defaults = {name: default for name, (default, _) in SETTINGS.items()} | dict(defaults or {})
        self._lock = threading.Lock()
        self._changed: dict[str, Any] = {}
        self._read_at = float("-inf")

    def all(self) -> dict[str, Any]:
        """Return every setting."""
        return self._defaults | self._stored()

    def get(self, name: str) -> Any:
        """Return a setting; None when there is none of this name."""
        return self.all().get(name)

    def changed(self, name: str) -> Any:
        """Return a setting that an administrator has changed; None when nobody has."""
        return self._stored().get(name)

    def flag(self, name: str) -> bool:
        """Return a setting that is on or off."""
        return bool(self.get(name))

    def count(self, name: str) -> int:
        """Return a setting that is a number."""
        return int(self.get(name))

    def duration_s(self, name: str) -> int:
        """Return a setting that is a duration, in seconds."""
        return duration_s(str(self.get(name)))

    def oldest_password(self, now: datetime) -> datetime | None:
        """Return since when a password must have been set to be good still; None when passwords do not expire."""
        kind, day = self.get("passwordExpirationType"), str(self.get("passwordExpirationDate"))
        if kind == "Interval":
            return now - timedelta(seconds=self.duration_s("passwordExpirationInterval"))
        until = _read_day(day) if kind == "Date" and day else None
        return until if until is not None and until <= now else None

    def change(self, values: Mapping[str, Any]) -> None:
        """Change settings, all or none.

        Raises
        ------
        BadField
        """
        checked = {name: _checked(name, value) for name, value in values.items()}
        with self._database.write() as uow:
            for name, value in checked.items():
                row = uow.session.get(SiteSettingRow, name) or SiteSettingRow(name=name)
                row.value = value
                uow.session.add(row)
        with self._lock:
            self._read_at = float("-inf")

    def _stored(self) -> dict[str, Any]:
        now = time.monotonic()
        with self._lock:
            if now - self._read_at < REFRESH_S:
                return self._changed
        with self._database.read() as uow:
            changed = {row.name: row.value for row in uow.session.exec(select(SiteSettingRow))}
        with self._lock:
            self._changed, self._read_at = changed, now
        return changed


def _checked(name: str, value: Any) -> Any:
    if not _NAME.fullmatch(name):
        raise BadField(name[:50], "is no name of a setting")
    known = SETTINGS.get(name)
    try:
        if known is not None:
            value = known[1](value)
        check_document(value)
    except ValueError as error:
        raise BadField(name, f"cannot have this value: {error}") from error
    return value
