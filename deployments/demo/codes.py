"""The site's secret key, and which code stands for which patient: kept in ``HOME/private`` alone, never sent.

Imports the standard library and the launcher's home.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from deployments.launcher.home import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path


class CodeBook:
    """Codes of patients, in the order in which they were first seen.

    Parameters
    ----------
    folder
        Private folder; the book is ``codes.json`` in it, readable by its owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "codes.json"
        content = read_json(self._path) or {}
        self._key = str(content.get("key") or secrets.token_hex(32))
        self._codes: dict[str, str] = dict(content.get("codes", {}))
        if not content:
            self._save()

    @property
    def key(self) -> bytes:
        """Secret from which UIDs and date shifts are derived."""
        return bytes.fromhex(self._key)

    def code_of(self, patient: str) -> str:
        """Give the code of a patient; a new one at the first time."""
        if patient not in self._codes:
            self._codes[patient] = f"OWN-{len(self._codes) + 1:03}"
            self._save()
        return self._codes[patient]

    def _save(self) -> None:
        write_json(self._path, {"key": self._key, "codes": self._codes})
