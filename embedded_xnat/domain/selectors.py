"""Which scans a selector such as ``1,3``, ``ALL`` or ``T1*`` names. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class ScanName:
    """What a selector looks at."""

    number: int
    scan_id: str
    scan_type: str | None


def is_selector(key: str) -> bool:
    """Tell whether a scan's key may name several scans."""
    return key in {"*", "ALL"} or "," in key or "*" in key


def select_scans(selector: str, scans: Iterable[ScanName]) -> Sequence[ScanName]:
    """Return the scans a selector names, in their order.

    Each part is an id, ``*`` or ``ALL``, or else a scan type (with ``*`` and no other wildcard); ``[SLASH]`` and ``[COMMA]`` stand for these
    characters, ``NULL`` for scans without a type.

    Examples
    --------
    >>> scans = [ScanName(1, "3", "T1"), ScanName(2, "4", "T2")]
    >>> [scan.scan_id for scan in select_scans("T2,3", scans)]
    ['3', '4']
    >>> [scan.scan_id for scan in select_scans("T2 [ax]?", [*scans, ScanName(3, "5", "T2 [ax]?")])]
    ['5']
    """
    every = list(scans)
    parts = [part.replace("[SLASH]", "/").replace("[COMMA]", ",") for part in selector.split(",")]
    if any(part in {"*", "ALL"} for part in parts):
        return every
    ids = {scan.scan_id for scan in every}
    by_id = {part for part in parts if part in ids}
    by_type = [part for part in parts if part not in ids]

    def named(scan: ScanName) -> bool:
        if scan.scan_id in by_id:
            return True
        return any(
            scan.scan_type is None if part == "NULL" else fnmatchcase(scan.scan_type or "", _only_stars(part))
            for part in by_type
        )

    return [scan for scan in every if named(scan)]


def _only_stars(part: str) -> str:
    return part.replace("[", "[[]").replace("?", "[?]")


def scan_order(scan_id: str) -> tuple[int, int, str]:
    """Return a sort key: numbers as numbers, then texts.

    Examples
    --------
    >>> sorted(["10", "2", "3-MR1", "a"], key=scan_order)
    ['2', '3-MR1', '10', 'a']
    """
    digits = ""
    for character in scan_id:
        if not character.isascii() or not character.isdigit():
            break
        digits += character
    return (0, int(digits), scan_id) if digits else (1, 0, scan_id)
