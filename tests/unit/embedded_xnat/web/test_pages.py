"""What the pages show: the tree, paged lists, search, the prearchive, errors in the shell."""

import pytest

from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.web import queries

P = "/projects/P"
S = f"{P}/experiments/S1_MR1"


@pytest.fixture
def filled(admin, session_uri):
    """The session with files: DICOM in name, a document, an assessor."""
    uri = f"{session_uri}/scans/3/resources/DICOM/files/a.dcm"
    assert admin.put(uri, content=b"no image", params={"format": "DICOM"}).status_code == 200
    assert admin.put(f"{session_uri}/resources/REPORT/files/r.pdf", content=b"%PDF").status_code == 200
    assert admin.put(f"{session_uri}/assessors/QC1", params={"xsiType": "xnat:qcManualAssessorData"}).status_code == 201
    return admin


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", [">P</a>"]),
        (P, ["S1_MR1", "/projects/P/subjects/CF_S00001"]),
        (f"{P}/subjects", ["CF_S00001", ">S1</a>"]),
        (f"{P}/resources", ["No files of the project itself"]),
        (f"{P}/subjects/S1", ["S1_MR1"]),
        (S, ["T1 w", "REPORT", "QC1", "preview.png", f"{S}/scans/3/view", "scans/ALL/files?format=zip"]),
        ("/experiments/CF_E00001", ["S1_MR1", "/projects/P"]),
        (f"{S}/scans/3", ["DICOM", "/data/projects/P/experiments/S1_MR1/scans/3/resources/"]),
        (f"{S}/scans/3/resources/DICOM", ["a.dcm", "files?format=zip"]),
        (f"{S}/scans/3/view", ["volume.nii", "viewer-data"]),
        (f"{S}/assessors/QC1", ["QC1"]),
        (f"{P}/upload", ["Drop a folder"]),
        (f"{S}/upload", ["REPORT"]),
        ("/search?q=s1", ["S1_MR1"]),
        ("/search?q=nowhere", ["Nothing is called like this"]),
        ("/prearchive", ["Nothing waits"]),
        ("/account", ["Password"]),
    ],
)
def test_a_page_shows_what_it_is_for(browser, filled, path, shown):
    answer = browser.get(path)
    assert answer.status_code == 200
    missing = [text for text in shown if text not in answer.text]
    assert missing == []


@pytest.mark.parametrize(
    "path",
    ["/projects/NO", f"{P}/experiments/NO", f"{P}/experiments/S1_MR1/scans/99", f"{P}/nothing", "/experiments/", "/x"],
)
def test_what_is_not_there_is_a_404_in_the_shell(browser, path):
    answer = browser.get(path)
    assert answer.status_code == 404
    assert '<nav class="cf-nav"' in answer.text
    assert "Traceback" not in answer.text


def test_every_link_of_the_session_page_leads_somewhere(browser, filled):
    import re

    page = browser.get(S).text
    links = {link.replace("&amp;", "&") for link in re.findall(r'(?:href|src)="(/[^"]*)"', page)}
    broken = {link: browser.get(link).status_code for link in links if not link.startswith("/static/dist/")}
    assert {link: status for link, status in broken.items() if status != 200} == {}


def test_labels_with_odd_characters_are_escaped(browser, admin):
    name = "<script>alert(1)</script>"
    admin.put("/data/projects/ODD", params={"xnat:projectData/name": name})
    for path in ("/", "/projects/ODD", "/search?q=%3Cscript%3E"):
        assert name not in browser.get(path).text


def test_what_a_person_may_not_do_is_not_offered(browser_of, admin):
    admin.put("/data/projects/P/users/Collaborators/carl")
    admin.put("/data/projects/P/users/Members/mary")
    assert "/upload" not in browser_of("carl").get(P).text
    assert "You may only read here" in browser_of("carl").get(f"{P}/upload").text
    assert "/upload" in browser_of("mary").get(P).text
    assert "New project" not in browser_of("mary").get("/").text


def test_a_protected_project_is_named_and_stays_closed(browser_of, admin):
    admin.put("/data/projects/P/accessibility/protected")
    page = browser_of("zoe").get("/").text
    assert "ask an owner" in page
    assert f'href="{P}"' not in page
    assert browser_of("zoe").get(P).status_code == 403
    assert "S1_MR1" not in browser_of("zoe").get(P).text
    assert browser_of("zoe").get(f"{P}/subjects").status_code == 403
    assert "S1_MR1" not in browser_of("zoe").get("/search?q=S1").text


def test_a_shared_session_shows_in_the_other_project_and_opens_there(browser_of, admin):
    admin.put("/data/projects/OTHER")
    admin.put("/data/projects/OTHER/users/Members/zoe")
    assert admin.put("/data/experiments/CF_E00001/projects/OTHER", params={"label": "ELSE"}).status_code == 200
    zoe = browser_of("zoe")
    page = zoe.get("/projects/OTHER").text
    assert "ELSE" in page
    assert "shared from P" in page
    assert zoe.get("/projects/OTHER/experiments/CF_E00001").status_code == 200
    site_wide = zoe.get("/experiments/CF_E00001")
    assert 'href="/projects/OTHER"' in site_wide.text
    assert 'href="/projects/P"' not in site_wide.text
    assert browser_of("carl").get("/experiments/CF_E00001").status_code == 404


def test_lists_go_on_page_by_page_and_lose_nothing(browser, admin):
    labels = {f"many_{number:03d}" for number in range(queries.PAGE + 7)}
    for label in labels:
        admin.put(f"/data/projects/P/subjects/S1/experiments/{label}", params={"xsiType": "xnat:ctSessionData"})
    first = browser.get(P).text
    onward = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    second = browser.get(onward).text
    seen = {label for label in labels if f">{label}<" in first}
    assert len(seen) == queries.PAGE
    assert {label for label in labels if f">{label}<" in second} == labels - seen
    assert 'rel="next"' not in second
    found = browser.get(f"{P}?q=MANY_01").text
    assert {label for label in labels if f">{label}<" in found} == {f"many_01{digit}" for digit in range(10)}


def test_a_percent_sign_in_a_search_is_no_wildcard(browser):
    assert "S1_MR1" not in browser.get("/search?q=%25").text
    assert "S1_MR1" not in browser.get(f"{P}?q=S1%25").text


def test_an_accession_id_leads_straight_to_the_session(browser):
    answer = browser.get("/search?q=CF_E00001")
    assert (answer.status_code, answer.headers["location"]) == (303, "/experiments/CF_E00001")


@pytest.mark.parametrize("query", ["before=0", "before=x", "before=99999999999999999999"])
def test_a_made_up_place_in_a_list_is_refused(browser, query):
    assert browser.get(f"{P}?{query}").status_code == 400


@pytest.mark.parametrize(
    ("codes", "may"), [([1], True), ([1, 17, 20, 22], True), ([1, 5], False), ([16], False), ([20], False), ([], False)]
)
def test_merging_is_offered_where_it_can_help_and_otherwise_it_is_said_what_can(browser, server, codes, may):
    reasons = [{"code": code, "text": f"Reason {code}."} for code in codes]
    with server.app.state.archive.change() as change:
        row = PrearchiveRow(
            project_id="P",
            stamp="20260203_091500123",
            folder="S",
            subject_label="S",
            session_label="S",
            status="CONFLICT",
            uploaded_by="admin",
            reasons=reasons,
        )
        change.session.add(row)
    page = browser.get("/prearchive").text
    offered = (">Merge</button>" in page, "Merge adds what is new" in page, "does not settle this" in page)
    assert offered == (may, may, not may)
    assert ("data-archive disabled" in page, ">Archive</button>" in page) == (False, not may)
