"""From a session in the archive to the request that a worker gets: which scan, and why. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.extraction.records import ExtractionRequest
from tasks.extraction.relevance import Candidate, Relevance, choose_scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.archive.derive import DerivedScan, FetchedScan
    from tasks.archive.port import SessionRef
    from tasks.studies import ModelUse, Study


def relevant_scan(described: Sequence[DerivedScan], study: Study, use: ModelUse) -> Relevance:
    """Choose the scan of a session that a model of the study measures.

    Scans that are no single volume are left out, unless no other is of the wanted type; the reason then says what is the
    matter with them.

    Parameters
    ----------
    described
        The session's scans, as `tasks.archive.derive.describe_session` returns them.
    study, use
        The study and the model's line in it.
    """
    rule = study.scan_type(use.scan_type)
    whole = [one for one in described if one.record.best is not None]
    choice = choose_scan([_candidate(one) for one in whole], rule)
    if choice.scan_id is not None or len(whole) == len(described):
        return choice
    split = choose_scan([_candidate(one) for one in described], rule)
    if split.scan_id is None:
        return split
    problem = next(one.record.problem for one in described if one.scan.id == split.scan_id)
    why = problem or "it holds several volumes, and none of them is the scan"
    return Relevance(
        scan_id=None, reason=f"Scan {split.scan_id} is the session's {rule.name} scan, but {why.rstrip('.')}."
    )


def missing_scan_types(described: Sequence[DerivedScan], study: Study) -> tuple[str, ...]:
    """Return the scan types that the study's protocol requires and no scan of the session is of."""
    candidates = [_candidate(one) for one in described]
    required = study.protocol.required
    return tuple(name for name in required if choose_scan(candidates, study.scan_type(name)).scan_id is None)


def extraction_request(
    study: Study, use: ModelUse, *, session: SessionRef, fetched: FetchedScan, reason: str
) -> ExtractionRequest:
    """Return what a worker needs to know to measure a fetched scan.

    Parameters
    ----------
    study, use
        The study and the model's line in it.
    session
        The session in the archive.
    fetched
        The scan's volume on storage that the worker shares.
    reason
        Why this scan was chosen.
    """
    return ExtractionRequest(
        study=study.name,
        study_title=study.title,
        session_label=session.label,
        subject_label=session.subject_label,
        model=use.name,
        parameters=use.parameters,
        series=fetched.record.series,
        scan_id=fetched.scan.id,
        scan_type=use.scan_type,
        volume=fetched.volume,
        converter=fetched.record.converter,
        reason=reason,
        remarks=fetched.record.remarks,
    )


def _candidate(derived: DerivedScan) -> Candidate:
    return Candidate(scan_id=derived.scan.id, description=derived.scan.type, facts=derived.record.series.facts)
