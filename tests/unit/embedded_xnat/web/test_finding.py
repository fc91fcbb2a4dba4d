"""The search by a part of a label: whatever was renamed, moved or there before is found, and no more is looked at."""

import pytest
from sqlmodel import select

from embedded_xnat.db import labels
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.web import queries

EVERYTHING = Visitor("admin", everything=True)


@pytest.fixture
def find(server, admin, session_uri):
    """Return labels of the sessions and subjects that a text finds."""

    def found(part: str) -> tuple[set[str], set[str]]:
        with server.app.state.archive.database.read() as uow:
            findings = queries.find(uow.session, EVERYTHING, part)
        return {one.label for one in findings.sessions}, {one.label for one in findings.subjects}

    return found


def test_any_part_of_a_label_finds_it_in_upper_and_lower_case(find):
    for part in ("S1_MR1", "s1_m", "_MR1", "1_m", "S1", "1"):
        assert "S1_MR1" in find(part)[0], part
    assert find("S1_MR12") == (set(), set())
    assert find("1_M1") == (set(), set())


def test_a_session_is_found_by_its_new_label_and_no_more_by_the_old(find, admin, session_uri):
    admin.put(session_uri, params={"label": "BASELINE"}).raise_for_status()
    assert find("selin")[0] == {"BASELINE"}
    assert find("_MR1")[0] == set()
    admin.put("/data/projects/P/subjects/S1/experiments/BASELINE", params={"label": "S1_MR1"}).raise_for_status()
    assert find("_MR1")[0] == {"S1_MR1"}


def test_sessions_follow_the_label_of_their_subject(find, admin):
    admin.put("/data/projects/P/subjects/S1", params={"label": "VOLUNTEER"}).raise_for_status()
    assert find("untee") == ({"S1_MR1"}, {"VOLUNTEER"})


def test_a_label_of_all_is_found_page_by_page_until_the_end(find, admin, server):
    for number in range(130):
        uri = f"/data/projects/P/subjects/S1/experiments/VISIT{number:03}"
        admin.put(uri, params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
    seen, before = [], None
    with server.app.state.archive.database.read() as uow:
        while page := queries.sessions(uow.session, project_id="P", text="isit", before=before, limit=50):
            seen += [line.label for line in page]
            before = page[-1].number
    assert seen == [f"VISIT{number:03}" for number in reversed(range(130))]


def test_two_characters_are_looked_for_among_the_newest_only(find, admin, monkeypatch):
    monkeypatch.setattr(labels, "_BATCHES", (1, 1))
    for label in ("A1", "B1"):
        uri = f"/data/projects/P/subjects/S1/experiments/{label}"
        admin.put(uri, params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
    assert find("MR")[0] == set()
    assert find("A1")[0] == {"A1"}
    assert find("MR1")[0] == {"S1_MR1"}


def test_of_a_label_that_is_gone_no_part_is_left(find, admin, server):
    def left(*words: str) -> set[str]:
        with server.app.state.archive.database.read() as uow:
            found = set(uow.session.exec(select(labels.LabelPartRow.part)))
        return found & set[str]().union(*map(labels.parts, words))

    subject = "/data/projects/P/subjects/DOE_JANE"
    admin.put(subject).raise_for_status()
    admin.put(f"{subject}/experiments/JANE_XQX", params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
    assert left("DOE_JANE", "JANE_XQX") == labels.parts("DOE_JANE") | labels.parts("JANE_XQX")
    admin.put(subject, params={"label": "P07_"}).raise_for_status()
    assert left("DOE_", "JANE_XQX") == labels.parts("JANE_XQX")
    assert find("P07") == ({"JANE_XQX"}, {"P07_"})
    admin.put("/data/projects/P/experiments/JANE_XQX", params={"label": "P07_QW5"}).raise_for_status()
    assert left("JANE_XQX") == set()
    admin.delete("/data/projects/P/subjects/P07_").raise_for_status()
    assert left("P07_QW5") == set()
