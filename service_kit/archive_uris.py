"""Tells the address of a file in the archive from every other address. Imports the standard library only."""

import re
from urllib.parse import unquote

_FILE = re.compile(r"/data/experiments/[^/]+/(scans/[^/]+/)?resources/[^/]+/files/[^?#]+")
_ODDITIES = ("\\", "?", "#", "\r", "\n", "\0", "//")


def is_file_uri(uri: str) -> bool:
    """Tell whether `uri` is a file of a session or scan, and nothing else of the archive's interface.

    Examples
    --------
    >>> is_file_uri("/data/experiments/XNAT_E1/resources/MASKS/files/a.png"), is_file_uri("/data/JSESSION")
    (True, False)
    """
    plain = unquote(unquote(uri))
    if any(part in plain for part in _ODDITIES) or not {".", ".."}.isdisjoint(plain.split("/")):
        return False
    return _FILE.fullmatch(uri) is not None
