"""The certificates that clients trust. May import httpx."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl


@functools.cache
def trusted() -> ssl.SSLContext:
    """Return httpx's own choice, read once in a process: reading takes 25 ms, and each flow run makes its clients anew."""
    return httpx.create_ssl_context()
