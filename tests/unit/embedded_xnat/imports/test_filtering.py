"""Filters of the series that an import takes: of the site and of a project."""

import json

import pytest

from embedded_xnat.dicom.series_filters import make_filter, read_filter

ARCHIVED = "/data/archive/projects/P/subjects/SUBJ/experiments/SUBJ_MR"
OF_P = "/data/projects/P/config/seriesImportFilter/config"
DESCRIPTION, BURNED = 0x0008103E, 0x00280301

TAKES = [
    # mode, lines, description, BurnedInAnnotation, whether it is taken
    ("blacklist", "localizer|SCOUT", "AAH Scout", None, False),
    ("blacklist", "localizer|SCOUT", "T1", None, True),
    ("blacklist", "^T1$", "T1 post", None, True),
    ("blacklist", "# T1\n\n  t2 ", "T2", None, False),
    ("blacklist", "[BurnedInAnnotation]\nYES", "T1", "YES", False),
    ("blacklist", "[(0028,0301)]\nYES", "T1", None, True),
    ("blacklist", "[0028,0301]\nEXISTS", "T1", "NO", False),
    ("whitelist", "^t1", "T1 w", None, True),
    ("whitelist", "^t1", "FLAIR", None, False),
    ("whitelist", "^t1", None, None, False),
    ("whitelist", "[0028,0301]\n!EXISTS", "T1", None, True),
    ("whitelist", "a\\nb", "B", None, True),
]


@pytest.mark.parametrize(("mode", "lines", "description", "burned", "is_taken"), TAKES)
def test_a_filter_takes_what_it_says(mode, lines, description, burned, is_taken) -> None:
    texts = {DESCRIPTION: description, BURNED: burned}
    assert make_filter(mode, lines).takes(texts.get) is is_taken


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("localizer", "no JSON"),
        ('{"mode": "blacklist"}', "no JSON"),
        ('{"mode": "modalityMap", "list": ""}', "neither"),
        ('{"mode": 5, "list": ""}', "neither"),
        ('{"list": "fine\\n(a+)+"}', "line 2"),
        ('{"list": "("}', "line 1"),
        ('{"list": ".*a.*b.*c.*d"}', "costly"),
        ('{"list": "[NoSuchElement]"}', "keyword"),
        ("[" * 10_000, "no JSON"),
        (json.dumps({"list": "a\n" * 300}), "more than 200"),
    ],
)
def test_a_filter_that_cannot_be_applied_is_refused(text, says) -> None:
    with pytest.raises(ValueError, match=says):
        read_filter(text)


@pytest.fixture
def images(dicom, zip_of) -> bytes:
    """A session of two series, T1 and a scout."""
    scout = dicom(SeriesNumber="2", SeriesInstanceUID="1.2.3.9", SeriesDescription="Scout", SOPInstanceUID="1.9")
    return zip_of(a=dicom(SeriesDescription="T1"), b=scout)


def scans(admin, rows) -> list[str]:
    return [row["type"] for row in rows(admin.get(f"{ARCHIVED}/scans"))]


def test_a_project_leaves_series_out(admin, send, images, rows) -> None:
    filter_of_p = {"mode": "blacklist", "enabled": "true", "list": "scout"}
    assert admin.put(OF_P, params={"inbody": "true"}, json=filter_of_p).status_code == 201
    send(images, project="P")
    assert scans(admin, rows) == ["T1"]
    admin.put("/data/projects/Q")
    send(images, project="Q")
    assert len(rows(admin.get("/data/projects/Q/experiments/SUBJ_MR/scans"))) == 2


def test_a_filter_that_is_switched_off_takes_everything(admin, send, images, rows) -> None:
    wish = {"contents": json.dumps({"mode": "whitelist", "list": "T1"}), "status": "enabled"}
    admin.put(OF_P, json=wish)
    admin.put(OF_P, params={"status": "disabled"})
    send(images, project="P")
    assert scans(admin, rows) == ["Scout", "T1"]


def test_the_settings_of_the_site_leave_series_out_everywhere(admin, send, images, rows, dicom) -> None:
    settings = {
        "enableSitewideSeriesImportFilter": True,
        "sitewideSeriesImportFilterMode": "whitelist",
        "sitewideSeriesImportFilter": "T1",
    }
    assert admin.post("/xapi/siteConfig", json=settings).status_code == 200
    for name, value in (("sitewideSeriesImportFilter", "(a+)+"), ("sitewideSeriesImportFilterMode", "grey")):
        assert admin.post("/xapi/siteConfig", json={name: value}).status_code == 400
    unassigned = send(images).text.strip()
    assert [row["ID"] for row in rows(admin.get(f"{unassigned}/scans"))] == ["5"]
    scout = dicom(SeriesDescription="Scout")
    refused = send(scout, project="P")
    assert (refused.status_code, "none of these series" in refused.text) == (400, True)
    alone = send(scout, project="P", handler="gradual-DICOM")
    assert (alone.status_code, alone.text) == (200, "")


def test_a_session_that_is_moved_in_the_prearchive_keeps_its_series_and_is_noted_once_archived(
    admin, send, images, rows
) -> None:
    """As in XNAT: filters are for what comes in, and what waits is no object yet."""
    waiting = send(images).text.strip()
    admin.put(OF_P, params={"inbody": "true"}, json={"mode": "blacklist", "enabled": "true", "list": "scout"})
    before = rows(admin.get("/data/workflows"))
    params = {"src": waiting, "newProject": "P"}
    moved = admin.post("/data/services/prearchive/move", params=params).text.strip()
    assert len(rows(admin.get(f"{moved}/scans"))) == 2
    assert rows(admin.get("/data/workflows")) == before
    assert admin.post("/data/services/archive", params={"src": moved}).text.strip() == ARCHIVED
    assert scans(admin, rows) == ["Scout", "T1"]
    assert "Transferred" in [
        row["pipeline_name"] for row in rows(admin.get("/data/workflows", params={"project": "P"}))
    ]


def test_a_filter_that_would_keep_the_server_from_all_else_is_not_begun(admin, send, images, rows) -> None:
    """Whoever owns a project writes its filter, and sends the series that it takes longest with."""
    admin.put(OF_P, json={"contents": json.dumps({"list": "\n".join(["a.*b.*c.*d"] * 200)}), "status": "enabled"})
    refused = send(images, project="P")
    assert (refused.status_code, "too costly for 2 series" in refused.json()["detail"]) == (400, True)
    assert admin.get(ARCHIVED).status_code == 404
    anchored = {"contents": json.dumps({"list": "\n".join(["^.*scout.*$"] * 200)}), "status": "enabled"}
    assert admin.put(OF_P, json=anchored).status_code == 200
    assert send(images, project="P").status_code == 200
    assert scans(admin, rows) == ["T1"]
