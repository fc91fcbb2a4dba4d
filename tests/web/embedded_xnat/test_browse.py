"""The archive's pages in a real browser: look, view, upload, download, settle the prearchive."""

import io
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import LONG_LABEL, SHAPE, dicom_series, until, voxels, zipped

pytestmark = [pytest.mark.browser, pytest.mark.integration]

SESSION = "/projects/DEMO/experiments/P00_MR1"
PAGES = ("/", "/projects/DEMO", "/projects/DEMO/subjects", SESSION, f"{SESSION}/scans/4", "/projects/DEMO/upload",
         f"{SESSION}/scans/4/resources/DICOM", "/search?q=P00", "/prearchive", "/projects/NONE", "/account")  # fmt: skip


SIZES = [(1280, "light"), (1280, "dark"), (800, "dark"), (390, "light")]


@pytest.mark.parametrize("page", SIZES, indirect=True, ids=[f"{width} {scheme}" for width, scheme in SIZES])
def test_no_page_throws_breaks_the_policy_or_is_wider_than_the_window(page):
    for path in PAGES:
        page.goto(path, wait_until="load")
        assert_nothing_is_cut(page)
    assert [each for each in page.complaints if "404" not in each] == []


def assert_nothing_is_cut(page) -> None:
    where = page.url, page.viewport_size
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"], where
    cut = "[...document.querySelectorAll('.cf-table-wrap')].filter((one) => one.scrollWidth > one.clientWidth).length"
    assert page.evaluate(cut) == 0, where


def test_long_names_push_nothing_out_of_the_window(page, client):
    session = f"/projects/DEMO/experiments/{LONG_LABEL}"
    scan, resource, assessor = (
        f"{session}/scans/1",
        f"{session}/resources/{LONG_LABEL}",
        f"{session}/assessors/QC_{LONG_LABEL}",
    )
    described = {"xsiType": "xnat:mrScanData", "type": LONG_LABEL, "quality": "questionable"}
    client.put(f"/data{scan}", params=described).raise_for_status()
    client.put(f"/data{scan}/resources/DICOM/files/a.dcm", content=b"x").raise_for_status()
    client.put(f"/data{resource}/files/{LONG_LABEL}.txt", content=b"x").raise_for_status()
    client.put(f"/data{assessor}", params={"xsiType": "xnat:qcManualAssessorData"}).raise_for_status()
    body = zipped(dicom_series("1.2.3.88", name=LONG_LABEL))
    waiting = client.post("/data/services/import", params={"dest": "/prearchive", "inbody": "true"}, content=body).text
    for path in (session, scan, resource, assessor, f"{session}/upload", "/projects/DEMO", "/prearchive"):
        page.goto(path, wait_until="load")
        for width in (390, 800, 1280):
            page.set_viewport_size({"width": width, "height": 860})
            assert_nothing_is_cut(page)
    client.post("/data/services/prearchive/delete", params={"src": waiting.strip()}).raise_for_status()


def test_from_the_project_to_the_voxel(page):
    page.goto("/")
    page.click("text=DEMO")
    page.click("text=P00_MR1")
    until(page, "document.querySelector('.ar-thumb img')?.naturalWidth > 1")
    page.click(".ar-acts a:has-text('View')")
    page.wait_for_url("**/view")
    assert page.evaluate("cohortflowViewer.ready.then(() => 'ready', (error) => error.message)") == "ready"
    values = voxels()
    rng = np.random.default_rng(3)
    chosen = [
        [int(rng.integers(SHAPE[2])), int(rng.integers(SHAPE[1])), int(rng.integers(SHAPE[0]))] for _ in range(30)
    ]
    chosen += [[0, 0, 0], [SHAPE[2] - 1, SHAPE[1] - 1, SHAPE[0] - 1]]
    script = """(voxels) => voxels.map((voxel) => {
        cohortflowViewer.setCrosshairVoxel(...voxel);
        return [cohortflowViewer.crosshairVoxel(), cohortflowViewer.voxelAtCrosshair()];
    })"""
    for (column, row, plane), (shown, value) in zip(chosen, page.evaluate(script, chosen), strict=True):
        assert shown == [column, row, plane]
        assert value == values[plane, row, column]
    page.evaluate("cohortflowViewer.setCrosshairVoxel(8, 10, 6)")
    until(page, "document.querySelector('[data-part=voxel]').textContent === '8, 10, 6'")
    assert page.inner_text("[data-part=value]") == str(values[6, 10, 8])
    picture = Image.open(io.BytesIO(page.locator(".tp-picture").screenshot())).convert("L")
    assert (np.asarray(picture) > 120).mean() > 0.03, "the canvas is black"
    assert page.complaints == []


def test_a_nifti_file_is_shown_before_the_dicom_series(page, client):
    nibabel = pytest.importorskip("nibabel")
    data = np.arange(24, dtype="int16").reshape(2, 3, 4)
    content = nibabel.Nifti1Image(data, np.eye(4)).to_bytes()
    client.put("/data/projects/DEMO/subjects/P09").raise_for_status()
    scan = "/data/projects/DEMO/subjects/P09/experiments/P09_MR1"
    client.put(scan, params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
    client.put(f"{scan}/scans/1", params={"xsiType": "xnat:mrScanData"}).raise_for_status()
    client.put(f"{scan}/scans/1/resources/NIFTI/files/a.nii", content=content).raise_for_status()
    page.goto("/projects/DEMO/experiments/P09_MR1/scans/1/view")
    assert page.evaluate("cohortflowViewer.ready.then(() => 'ready', (error) => error.message)") == "ready"
    shown = page.evaluate("(cohortflowViewer.setCrosshairVoxel(1, 2, 3), cohortflowViewer.voxelAtCrosshair())")
    assert shown == data[1, 2, 3]


def test_a_folder_becomes_a_session_with_progress(page, client, folder: Path):
    page.goto("/projects/DEMO/upload")
    page.set_input_files("#pick-folder", str(folder))
    assert "13 files" in page.inner_text("[data-part=summary]")
    page.click("[data-part=send]")
    page.wait_for_selector(".ar-job[data-outcome=done]")
    assert "no DICOM" in page.inner_text("#cf-notices")
    page.click(".ar-job a")
    page.wait_for_selector("h1:has-text('P01_MR1')")
    files = client.get("/data/projects/DEMO/experiments/P01_MR1/scans/4/resources/DICOM/files").json()
    assert files["ResultSet"]["totalRecords"] == "12"
    assert page.complaints == []


def test_what_is_there_already_is_refused_in_a_sentence(page, tmp_path: Path):
    (tmp_path / "again.zip").write_bytes(zipped(dicom_series("1.2.3.77", name="P77")))
    for expected in ("done", "refused"):
        page.goto("/projects/DEMO/upload")
        page.set_input_files("#pick-files", str(tmp_path / "again.zip"))
        page.click("[data-part=send]")
        page.wait_for_selector(f".ar-job[data-outcome={expected}]")
    assert "exists" in page.inner_text(".ar-job-text")


def test_an_upload_shows_how_far_it_is_and_can_be_cancelled(page, client, archive, tmp_path: Path):
    (tmp_path / "big.bin").write_bytes(b"x" * 40_000_000)
    page.goto(f"{SESSION}/upload")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2_000_000}
    session.send("Network.emulateNetworkConditions", slow)
    page.set_input_files("#pick-files", str(tmp_path / "big.bin"))
    page.fill("#resource", "BIG")
    page.click("[data-part=send]")
    until(page, "document.querySelector('.ar-job progress')?.value > 0.02")
    seen = page.evaluate("document.querySelector('.ar-job progress').value")
    assert 0 < seen < 1
    page.click(".ar-job [data-part=cancel]")
    page.wait_for_selector(".ar-job[data-outcome=cancelled]")
    time.sleep(0.5)
    resources = client.get("/data/projects/DEMO/experiments/P00_MR1/resources").json()["ResultSet"]["Result"]
    assert "BIG" not in [row["label"] for row in resources]
    assert "Traceback" not in (archive.data / "server.log").read_text()


def test_files_keep_their_names_and_folders(page, client, tmp_path: Path):
    deep = tmp_path / "set" / "a folder" / ("long " * 30)
    deep.mkdir(parents=True)
    (deep / "größe.txt").write_text("one")
    (tmp_path / "set" / "b.txt").write_text("two")
    page.goto(f"{SESSION}/upload")
    page.set_input_files("#pick-folder", str(tmp_path / "set"))
    page.fill("#resource", "NOTES")
    page.click("[data-part=send]")
    page.wait_for_selector(".ar-job[data-outcome=done]")
    uri = "/data/projects/DEMO/experiments/P00_MR1/resources/NOTES/files"
    with zipfile.ZipFile(io.BytesIO(client.get(uri, params={"format": "zip"}).content)) as packed:
        names = {name.split("/files/")[1] for name in packed.namelist()}
    assert names == {f"set/a folder/{'long ' * 30}/größe.txt", "set/b.txt"}


def test_all_scans_come_as_a_zip(page):
    page.goto(SESSION)
    with page.expect_download() as download:
        page.click("text=All scans")
    with zipfile.ZipFile(download.value.path()) as packed:
        assert len(packed.namelist()) == 12
        assert packed.testzip() is None


def test_a_project_is_made(page):
    page.goto("/")
    page.click("text=New project")
    page.fill("#project-id", "no good")
    page.click("text=Make it")
    assert page.is_visible("[data-part=error]")
    page.fill("#project-id", "FRESH")
    page.fill("#project-name", "Fresh & new")
    page.click("text=Make it")
    page.wait_for_url("**/projects/FRESH")
    assert page.inner_text("h1") == "Fresh & new"
    assert "No session yet" in page.inner_text("main")


def test_what_waits_in_the_prearchive_is_archived_merged_or_deleted(page, client):
    for number in (1, 2):
        query = {"dest": "/prearchive", "project": "DEMO", "subject": f"W{number}", "session": f"W{number}_MR1"}
        body = zipped(dicom_series(f"1.2.3.9{number}", name=f"W{number}"))
        client.post("/data/services/import", params={**query, "inbody": "true"}, content=body).raise_for_status()
    page.goto("/prearchive")
    page.click("tr:has-text('W1_MR1') [data-archive]")
    until(page, "!document.body.innerText.includes('W1_MR1')")
    assert client.get("/data/projects/DEMO/experiments/W1_MR1").status_code == 200
    again = {"dest": "/prearchive", "project": "DEMO", "subject": "W1", "session": "W1_MR1", "inbody": "true"}
    more = zipped(dicom_series("1.2.3.91", name="W1"))
    client.post("/data/services/import", params=again, content=more).raise_for_status()
    page.goto("/prearchive")
    page.click("tr:has-text('W1_MR1') button:has-text('Archive')")
    page.wait_for_selector("tr:has-text('W1_MR1') [data-part=error]:has-text('Merge adds what is new')")
    page.goto("/prearchive")
    assert "Session already exists" in page.inner_text("tr:has-text('W1_MR1') .ar-sub")
    page.click("tr:has-text('W1_MR1') button:has-text('Merge')")
    until(page, "!document.body.innerText.includes('W1_MR1')")
    files = client.get("/data/projects/DEMO/experiments/W1_MR1/scans/ALL/files").json()["ResultSet"]
    assert files["totalRecords"] == "24"
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("tr:has-text('W2_MR1') [data-delete]")
    page.wait_for_selector("text=Nothing waits in the prearchive")
    assert client.get("/data/projects/DEMO/experiments/W2_MR1").status_code == 404


def test_merging_is_not_offered_for_what_it_does_not_settle(page, client):
    """Other bytes of an instance that is there are found by merging only; another DICOM study at once."""
    where = {"project": "DEMO", "subject": "W3", "session": "W3_MR1", "inbody": "true"}
    files = dicom_series("1.2.3.93", name="W3")
    client.post("/data/services/import", params={**where, "dest": "/archive"}, content=zipped(files)).raise_for_status()
    for label, study in (("W3_MR1", "1.2.3.93"), ("W3_MR1", "1.2.3.94")):
        changed = {name: content.replace(b"W3_MR1", b"W3_MR9") for name, content in files.items()}
        body = zipped(changed if study == "1.2.3.93" else dicom_series(study, name="W3"))
        query = {**where, "dest": "/prearchive", "session": label}
        client.post("/data/services/import", params=query, content=body).raise_for_status()
    page.goto("/prearchive")
    other_study, other_bytes = page.locator("tr[data-src]").all()
    other_study.locator("button:has-text('Archive')").click()
    page.wait_for_selector("tr:has-text('of another DICOM study'):has-text('does not settle this')")
    assert page.locator("button:has-text('Merge')").count() == 0
    other_bytes.locator("button:has-text('Archive')").click()
    other_bytes.locator("[data-part=error]:has-text('Merge adds what is new')").wait_for()
    other_bytes.locator("button:has-text('Merge')").click()
    other_bytes.locator(".ar-sub:has-text('does not settle this')").wait_for()
    assert page.locator("button:has-text('Merge')").count() == 0
    assert other_bytes.locator("button:has-text('Archive')").is_enabled()
    for row in client.get("/data/prearchive").json()["ResultSet"]["Result"]:
        client.post("/data/services/prearchive/delete", params={"src": row["url"]}).raise_for_status()
