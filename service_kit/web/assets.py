"""Static files: the front-end bundle by its manifest. May import Starlette only.

`service_kit/web/frontend/build.mjs` writes ``static/dist/`` with hashed names and ``manifest.json``. Hashed names may
be kept by browsers for ever; the manifest is read again when it changes, so that a rebuild needs no restart.
"""

import json
import logging
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

logger = logging.getLogger(__name__)

STATIC_DIR = Path(__file__).parent / "static"


class Manifest:
    """The names of the built files by the names of their sources.

    Parameters
    ----------
    path
        ``manifest.json`` of the bundle; a missing one gives plain names, which answer 404 until it is built.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at_ns = -1
        self._names: dict[str, str] = {}

    def path_of(self, name: str) -> str:
        """Return the path below ``/static/`` of an entry such as ``shell.css``."""
        return f"dist/{self._current().get(name, name)}"

    def has(self, name: str) -> bool:
        """Tell whether the bundle has an entry, for a script without styles or the other way round."""
        return name in self._current()

    def _current(self) -> dict[str, str]:
        try:
            changed_at_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            if self._read_at_ns != 0:
                self._read_at_ns, self._names = 0, {}
                logger.warning("front-end bundle is not built", extra={"manifest": str(self._path)})
            return self._names
        if changed_at_ns != self._read_at_ns:
            self._names = json.loads(self._path.read_text(encoding="utf-8"))
            self._read_at_ns = changed_at_ns
        return self._names


class HashedStaticFiles(StaticFiles):
    """Static files of which those with a hash in the name are kept by browsers for a year."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file, with how long it may be kept."""
        response = await super().get_response(path, scope)
        is_hashed = path.startswith("dist/") and not path.endswith("manifest.json")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_hashed else "no-cache"
        return response


def static_files() -> HashedStaticFiles:
    """Return the app that answers below ``/static/``."""
    return HashedStaticFiles(directory=STATIC_DIR, check_dir=False)
