"""Every row of XNAT's table of conflicts: what it is about, how grave it is, what settles it."""

import pytest

from embedded_xnat.imports.merging import Archived, Severity, compare, duplicates, not_dicom, scan_findings, settled
from embedded_xnat.imports.records import Instance, Overwrite, Plan, PlannedScan, Route, Series

THERE = Archived("E", "P", "S", study_instance_uid="1.2", modality="MR", uids={"3": "1.2.3"})
ROUTE = Route("P", "S", "E")


def scan(scan_id: str = "3", uid: str = "1.2.3", modality: str = "MR") -> PlannedScan:
    series = Series("1.2", uid, number=scan_id, modality=modality)
    return PlannedScan(scan_id, modality, None, {}, (Instance("a", None, "1.2.3.4", series),))


def plan(route: Route = ROUTE, uid: str = "1.2", modality: str = "MR", planned: PlannedScan | None = None) -> Plan:
    return Plan(route, uid, modality, {}, (planned or scan(),))


CONFLICT, FAIL, WARNING = Severity.CONFLICT, Severity.FAIL, Severity.WARNING
ROWS = [
    # code, how grave, what comes in
    (1, CONFLICT, lambda: compare(THERE, plan(), Overwrite.NONE)),
    (2, FAIL, lambda: compare(THERE, plan(Route("P", "S", "other")), Overwrite.APPEND)),
    (3, FAIL, lambda: compare(THERE, plan(Route("other", "S", "E")), Overwrite.APPEND)),
    (4, FAIL, lambda: compare(THERE, plan(Route("P", "other", "E")), Overwrite.APPEND)),
    (5, CONFLICT, lambda: compare(THERE, plan(uid="9.9"), Overwrite.APPEND)),
    (17, WARNING, lambda: compare(THERE, plan(planned=scan(uid="1.2.9")), Overwrite.APPEND)),
    (18, CONFLICT, lambda: compare(THERE, plan(planned=scan("8")), Overwrite.APPEND)),
    (19, FAIL, lambda: compare(THERE, plan(modality="CT"), Overwrite.APPEND)),
    (20, WARNING, lambda: not_dicom(2)),
    (22, WARNING, lambda: duplicates({"3": ["1.2", "1.2"]})),
]


@pytest.mark.parametrize(("code", "severity", "find"), ROWS)
def test_each_difference_has_its_code_and_only_a_failure_stands_against_overwriting(code, severity, find) -> None:
    (finding,) = find()
    assert (finding.code, finding.severity) == (code, severity)
    assert finding.text
    assert settled([finding], Overwrite.APPEND) == ([] if severity is WARNING else [finding])
    assert settled([finding], Overwrite.DELETE) == ([finding] if severity is FAIL else [])


def test_what_fits_has_no_findings() -> None:
    assert compare(THERE, plan(), Overwrite.APPEND) == []
    assert compare(THERE, plan(planned=scan("4", "1.2.4", "SR")), Overwrite.APPEND) == []
    assert scan_findings({"3-MR1": "1.2.3"}, [scan()]) == [], "it was renumbered when it came first"
    assert duplicates({"3": ["1", "2"]}) == not_dicom(0) == []
