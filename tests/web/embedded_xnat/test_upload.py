"""Files that are dropped on the upload page: really dropped, many of them, stopped, refused."""

import base64
import dataclasses
from pathlib import Path

import pytest

from .conftest import dicom_series, sign_in, until, zipped

pytestmark = [pytest.mark.browser, pytest.mark.integration]

STATUS = "document.querySelector('[data-part=status]').textContent"


def write_study(folder: Path, study: str, name: str, *, copies: int = 1) -> None:
    """Write a DICOM study of one series for each copy."""
    for copy in range(copies):
        place = folder / f"series {copy}"
        place.mkdir(parents=True)
        for file, content in dicom_series(study, name=name).items():
            (place / file).write_bytes(content)


def drop_from_disk(page, *paths: Path) -> None:
    """Drop files and folders as a hand does that drags them from the desktop."""
    box = page.locator("#drop").bounding_box()
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def test_dropped_files_become_a_session(page, client):
    page.goto("/projects/DEMO/upload")
    contents = {
        name: base64.b64encode(content).decode() for name, content in dicom_series("1.2.7.1", name="D1").items()
    }
    transfer = page.evaluate_handle(
        """(contents) => {
            const transfer = new DataTransfer();
            for (const [name, content] of Object.entries(contents)) {
                const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
            }
            return transfer;
        }""",
        contents,
    )
    page.dispatch_event("#drop", "dragover", {"dataTransfer": transfer})
    assert "is-over" in page.get_attribute("#drop", "class")
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('12 files')")
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'It is stored.'")
    files = client.get("/data/projects/DEMO/experiments/D1_MR1/scans/4/resources/DICOM/files").json()
    assert files["ResultSet"]["totalRecords"] == "12"
    assert page.complaints == []


def test_a_dropped_folder_of_many_files_is_sorted_into_its_studies(page, client, tmp_path: Path):
    # 11 series are 132 files in each study, more than a browser lists of a folder at once
    flat = tmp_path / "disk" / "everything in one folder"
    flat.mkdir(parents=True)
    for number in range(11):
        for name, content in dicom_series("1.2.7.2", name="D2").items():
            (flat / f"{number}-{name}").write_bytes(content)
    write_study(tmp_path / "disk" / "second", "1.2.7.3", "D3", copies=11)
    (tmp_path / "disk" / "notes.txt").write_text("no DICOM")
    page.goto("/projects/DEMO/upload")
    drop_from_disk(page, tmp_path / "disk")
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('265 files')")
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'All 2 are stored.'")
    assert "no DICOM" in page.inner_text("#cf-notices")
    for name in ("D2", "D3"):
        scans = client.get(f"/data/projects/DEMO/experiments/{name}_MR1/scans").json()["ResultSet"]["totalRecords"]
        files = client.get(f"/data/projects/DEMO/experiments/{name}_MR1/scans/ALL/files").json()
        assert (scans, files["ResultSet"]["totalRecords"]) == ("11", "132")
    assert page.complaints == []


def test_what_is_stopped_midway_says_what_got_in_and_the_rest_goes_on(page, client, tmp_path: Path):
    for number in (4, 5, 6):
        write_study(tmp_path / f"study{number}", f"1.2.7.{number}", f"D{number}", copies=2)
    page.goto("/projects/DEMO/upload")
    drop_from_disk(page, *(tmp_path / f"study{number}" for number in (4, 5, 6)))
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('72 files')")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 60_000}
    session.send("Network.emulateNetworkConditions", slow)
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'Sending 2 of 3' && document.querySelectorAll('.ar-job progress')[1].value > 0")
    page.click("[data-part=stop]")
    until(page, f"{STATUS} === '1 of 3 is stored. Upload sends the 2 that are missing again.'")
    assert "Nothing of it was stored." in page.locator(".ar-job").nth(1).inner_text()
    labels = [row["label"] for row in client.get("/data/projects/DEMO/experiments").json()["ResultSet"]["Result"]]
    assert ("D4_MR1" in labels, "D5_MR1" in labels, "D6_MR1" in labels) == (True, False, False)
    session.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'All 2 are stored.'")
    labels = [row["label"] for row in client.get("/data/projects/DEMO/experiments").json()["ResultSet"]["Result"]]
    assert {"D4_MR1", "D5_MR1", "D6_MR1"} <= set(labels)
    assert page.complaints == []


def test_what_is_refused_is_said_in_a_sentence_and_the_others_get_in(page, client, tmp_path: Path):
    write_study(tmp_path / "new", "1.2.7.8", "D8")
    write_study(tmp_path / "there", "1.2.3.0", "P00")
    page.goto("/projects/DEMO/upload")
    drop_from_disk(page, tmp_path / "there", tmp_path / "new")
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('24 files')")
    page.click("[data-part=send]")
    until(page, f"{STATUS} === '1 of 2 is stored. Upload sends the one that is missing again.'")
    said = page.inner_text(".ar-job[data-outcome=refused] .ar-job-text")
    assert "exists" in said
    assert "is chosen above" in said
    page.select_option("#overwrite", "append")
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'It is stored.'")


def test_what_cannot_be_stored_is_not_offered_to_be_sent_again_and_what_can_is(page, tmp_path: Path):
    (tmp_path / "letters.zip").write_bytes(zipped({"letter.txt": b"no DICOM"}))
    write_study(tmp_path / "new", "1.2.7.9", "D9")
    page.goto("/projects/DEMO/upload")
    drop_from_disk(page, tmp_path / "letters.zip", tmp_path / "new")
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('13 files')")
    page.fill("#session", "two words")
    page.click("[data-part=send]")
    refused = "One was refused for the reason below; choose other files instead."
    until(page, f"{STATUS} === 'Nothing is stored. {refused} Upload sends the one that is missing again.'")
    texts = page.locator(".ar-job-text").all_inner_texts()
    assert texts[0].endswith("other files are kept in a resource.")
    assert texts[1].endswith("Correct it above, then send it again.")
    page.fill("#session", "D9_MR1")
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'It is stored.'")
    page.click("[data-part=clear]")
    drop_from_disk(page, tmp_path / "letters.zip")
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('letters.zip')")
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'Nothing is stored. {refused}'")
    assert page.is_disabled("[data-part=send]")


def test_a_resource_that_cannot_be_called_so_is_said_before_anything_is_sent(page, client, tmp_path: Path):
    (tmp_path / "report.txt").write_text("a report")
    page.goto("/projects/DEMO/upload?kind=files")
    drop_from_disk(page, tmp_path / "report.txt")
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('report.txt')")
    for name in ("REPORT/2026", ".hidden", "a:b", "a|b", 'say "a"', "a\\b"):
        page.fill("#resource", name)
        page.click("[data-part=send]")
        assert page.evaluate("document.querySelector('#resource').validity.patternMismatch"), name
        assert page.locator(".ar-job").count() == 0
    page.evaluate("document.querySelector('#resource').removeAttribute('pattern')")
    page.fill("#resource", "REPORT/2026")  # what the archive refuses nevertheless is the fault of the form, too
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'Nothing is stored. Upload sends the one that is missing again.'")
    assert page.inner_text(".ar-job-text").endswith("Correct it above, then send it again.")
    page.fill("#resource", " Report (2026), it's done. ")
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'It is stored.'")
    found = client.get("/data/projects/DEMO/resources").json()["ResultSet"]["Result"]
    assert "Report (2026), it's done." in [row["label"] for row in found]


@pytest.mark.parametrize("gone", ["signed out", "signed in again"])
def test_whom_the_archive_does_not_let_in_sends_one_and_keeps_the_others(page, client, tmp_path: Path, archive, gone):
    names = [f"{'A' if gone == 'signed out' else 'B'}{number}" for number in range(3)]
    for number, name in enumerate(names):
        write_study(tmp_path / name, f"1.2.8.{ord(name[0])}.{number}", name)
    page.goto("/projects/DEMO/upload")
    drop_from_disk(page, *(tmp_path / name for name in names))
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('36 files')")
    signed_in = page.context.cookies()
    page.context.clear_cookies()
    if gone == "signed in again":
        sign_in(page.context, archive)
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    page.click("[data-part=send]")
    missing = "Upload sends the 3 that are missing again. If it is refused still, load the page again."
    until(page, f"{STATUS} === 'Nothing is stored. Sign in again in another tab; then {missing}'")
    assert len(sent) == 1
    assert page.locator("[data-outcome=cancelled]:has-text('Nothing of it was stored.')").count() == 2
    if gone == "signed out":
        page.context.add_cookies(signed_in)
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'All 3 are stored.'")
    assert {client.get(f"/data/projects/DEMO/experiments/{name}_MR1").status_code for name in names} == {200}


@pytest.mark.parametrize("group", ["Members", "Collaborators", None])
def test_nothing_is_sent_under_the_name_of_somebody_else_who_signed_in_meanwhile(
    page, client, tmp_path: Path, archive, group
):
    username, password, shown = f"carl-{group}".lower(), "a battery of staples", f"Carl {group}"
    account = {"username": username, "password": password, "firstName": "Carl", "lastName": str(group)}
    client.post("/xapi/users", json=account).raise_for_status()
    if group is not None:
        client.put(f"/data/projects/DEMO/users/{group}/{username}").raise_for_status()
    names = [f"{username}-{number}" for number in range(2)]
    for number, name in enumerate(names):
        write_study(tmp_path / name, f"1.2.9.{len(username)}.{number}", name)

    def found() -> list[int]:
        return [client.get(f"/data/projects/DEMO/experiments/{name}_MR1").status_code for name in names]

    page.goto("/projects/DEMO/upload")
    drop_from_disk(page, *(tmp_path / name for name in names))
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('24 files')")
    signed_in = page.context.cookies()
    page.context.clear_cookies()
    sign_in(page.context, dataclasses.replace(archive, user=username, password=password))
    page.click("[data-part=send]")
    until(page, f"{STATUS}.startsWith('Nothing is stored. Sign in again in another tab;')")
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    for _ in range(2):
        page.click("[data-part=send]")
        said = f"{shown} is signed in now, so nothing was sent. Load the page again, then choose the files once more."
        until(page, f"{STATUS} === '{said}' && !document.querySelector('[data-part=send]').disabled")
    assert sent == []
    assert found() == [404, 404]
    page.context.clear_cookies()
    page.context.add_cookies(signed_in)  # whose page it is may go on
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'All 2 are stored.'")
    assert found() == [200, 200]


def test_an_upload_that_the_network_broke_is_sent_again(page, client, tmp_path: Path):
    write_study(tmp_path / "late", "1.2.7.10", "D10")
    page.goto("/projects/DEMO/upload")
    drop_from_disk(page, tmp_path / "late")
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('12 files')")
    page.context.set_offline(True)
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'Nothing is stored. Upload sends the one that is missing again.'")
    page.context.set_offline(False)
    page.click("[data-part=send]")
    until(page, f"{STATUS} === 'It is stored.'")
    assert client.get("/data/projects/DEMO/experiments/D10_MR1").status_code == 200


def test_a_drop_without_files_or_without_dicom_says_so(page, tmp_path: Path):
    page.goto("/projects/DEMO/upload")
    (tmp_path / "empty").mkdir()
    drop_from_disk(page, tmp_path / "empty")
    until(page, f"{STATUS} === 'There is no file in what was dropped.'")
    (tmp_path / "letter.txt").write_text("no DICOM")
    drop_from_disk(page, tmp_path / "letter.txt")
    until(page, "document.querySelector('[data-part=summary]').textContent.startsWith('letter.txt')")
    page.click("[data-part=send]")
    until(page, f"{STATUS}.startsWith('There is no DICOM among these files, so nothing was sent.')")
    assert page.is_disabled("[data-part=send]")
    assert page.complaints == []
