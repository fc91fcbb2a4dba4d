"""Choose the one scan of a session that a model measures, and say why, or say what is missing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.records import Record, counted
from tasks.series import SeriesFacts
from tasks.terms import said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.studies import ScanTypeRule

_LISTED = 3
_UNITS = {"ms": "ms", "mm": "mm", "deg": "degrees"}


class Candidate(Record):
    """A scan as relevance sees it."""

    scan_id: str
    description: str
    facts: SeriesFacts


class Relevance(Record):
    """The chosen scan, or None, with one sentence that says why."""

    scan_id: str | None
    reason: str


def choose_scan(candidates: Sequence[Candidate], rule: ScanTypeRule) -> Relevance:
    """Choose one scan of the wanted type; the same scans give the same choice in any order.

    Of several that match, the one without contrast agent is taken, then the one with the smallest voxels, then the one
    with most slices, then the one with the lowest number: the first of equal repetitions.

    Parameters
    ----------
    candidates
        The scans of a session.
    rule
        What the study says about the wanted scan type.
    """
    unmet = {one.scan_id: _unmet(one.facts, rule) for one in candidates}
    matching = sorted((one for one in candidates if not unmet[one.scan_id]), key=_preference)
    if not matching:
        return Relevance(scan_id=None, reason=_why_none(candidates, unmet, rule))
    chosen, others = matching[0], matching[1:]
    reason = f"Scan {chosen.scan_id} is the session's {rule.name} scan"
    if others:
        listed = ", ".join(one.scan_id for one in others)
        reason += f"; scans {listed} match as well" if len(others) > 1 else f"; scan {listed} matches as well"
        reason += f", and scan {chosen.scan_id} {_advantage(chosen, others)}"
    return Relevance(scan_id=chosen.scan_id, reason=reason + ".")


def _unmet(facts: SeriesFacts, rule: ScanTypeRule) -> list[str]:
    return [name for name, condition in rule.match.items() if not condition.holds(getattr(facts, name))]


def _preference(one: Candidate) -> tuple[bool, float, int, bool, int, str]:
    voxel = one.facts.voxel_volume_mm3
    number = int(one.scan_id) if one.scan_id.isdigit() else 0
    return (
        one.facts.contrast_agent,
        round(voxel, 2) if voxel is not None else float("inf"),
        -one.facts.slice_positions,
        not one.scan_id.isdigit(),
        number,
        one.scan_id,
    )


def _advantage(chosen: Candidate, others: Sequence[Candidate]) -> str:
    """Say by which step of the preference the choice was made against the runner-up."""
    mine, next_best = _preference(chosen), _preference(others[0])
    steps = ("has no contrast agent", "has the smallest voxels", "has the most slices")
    for index, words in enumerate(steps):
        if mine[index] != next_best[index]:
            return words
    return "is the first of equal ones"


def _why_none(candidates: Sequence[Candidate], unmet: dict[str, list[str]], rule: ScanTypeRule) -> str:
    count = len(candidates)
    sentence = {0: "The session has no scans", 1: f"The session's only scan is no {rule.name} scan"}.get(
        count, f"None of the session's {count} scans is a {rule.name} scan"
    )
    nearest = sorted(candidates, key=lambda one: (len(unmet[one.scan_id]), _preference(one)))[:1]
    for one in nearest:
        names = unmet[one.scan_id]
        found = ", ".join(
            f"its {_words(name)} is {_in_words(name, _said(name, getattr(one.facts, name)))}"
            for name in names[:_LISTED]
        )
        more = f", and {counted(len(names) - _LISTED, 'more condition')} failed" if len(names) > _LISTED else ""
        sentence += f": {found}{more}" if count == 1 else f"; the nearest is scan {one.scan_id}, but {found}{more}"
    wanted = [(name, condition.wanted) for name, condition in rule.match.items()]
    wishes = ", ".join(f"{_words(name)} {_in_words(name, text)}" for name, text in wanted if text)
    return f"{sentence}. Looked for: {rule.title or rule.name}{', with ' if wishes else ''}{wishes}."


def _words(name: str) -> str:
    """Write the name of a fact without its unit.

    >>> _words("echo_time_ms"), _words("missing_slices")
    ('echo time', 'number of missing slices')
    """
    plain = name
    for unit in _UNITS:
        plain = plain.removesuffix(f"_{unit}")
    words = plain.replace("_", " ")
    return f"number of {words}" if words.endswith(("slices", "positions", "orientations", "frames")) else words


def _in_words(name: str, text: str) -> str:
    """Put the unit of a fact behind its value."""
    unit = next((word for unit, word in _UNITS.items() if name.endswith(f"_{unit}")), None)
    return f"{text} {unit}" if unit and text[-1:].isdigit() else text


def _said(name: str, value: object) -> str:
    """Say what a fact is; of a text only a defined term, since the sentence goes to pages and logs."""
    if value in (None, "", ()):
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "+".join(dict.fromkeys(said(name, str(one)) for one in value))
    if isinstance(value, str):
        return said(name, value)
    return f"{value:g}" if isinstance(value, float) else str(value)
