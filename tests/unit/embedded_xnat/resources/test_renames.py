"""Whoever reads while a session is renamed or moved gets the bytes, or hears that they are not there: never an error."""

import io
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from embedded_xnat.contract.errors import NoSuchFile
from embedded_xnat.domain.addresses import parse_address
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.locate import locate
from embedded_xnat.resources.downloads import LateOpener, open_at_rest, open_file
from embedded_xnat.resources.service import find_file
from embedded_xnat.resources.service import shelf as shelf_of

SCAN = "/data/experiments/CF_E00001/scans"
PAGE = "/experiments/CF_E00001/scans"
PNG = b"\x89PNG\r\n\x1a\n as it was drawn"


def image(number: int) -> bytes:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = MRImageStorage, f"1.2.{number}", "MR"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.PatientName = "1.2", "1.2.3", "SUBJ"
    ds.InstanceNumber, ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored = number, 4, 4, 16, 16
    ds.HighBit, ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 15, 1, "MONOCHROME2", 0
    ds.PixelData = bytes(range(number, number + 32))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture
def filled(admin, session_uri: str) -> str:
    """Address of a session with two scans: 3 with images, 4 with images and a snapshot."""
    admin.put(f"{session_uri}/scans/4", params={"xsiType": "xnat:mrScanData"})
    for scan in ("3", "4"):
        for number in range(1, 4):
            uri = f"{session_uri}/scans/{scan}/resources/DICOM/files/{number}.dcm"
            assert admin.put(uri, content=image(number), params={"format": "DICOM"}).status_code == 200
    admin.put(f"{session_uri}/scans/4/resources/SNAPSHOTS/files/a.png", content=PNG)
    return session_uri


def dump_of(answer) -> bool:
    return any(row["value"] == "SUBJ" for row in answer.json()["ResultSet"]["Result"])


def zip_of(answer) -> bool:
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    return len(names) == 3 and all(name.endswith(".dcm") for name in names)


READERS: dict[str, tuple[str, dict[str, str], Callable[..., bool]]] = {
    # address, headers, whether the answer is what it has to be
    "preview": (f"{PAGE}/3/preview.png", {}, lambda answer: answer.headers["content-type"] == "image/png"),
    "snapshot": (f"{PAGE}/4/preview.png", {}, lambda answer: answer.content == PNG),
    "volume": (f"{PAGE}/3/volume.nii", {}, lambda answer: len(answer.content) == 352 + 3 * 32),
    "dump": ("/data/services/dicomdump?src=/archive/experiments/CF_E00001/scans/3", {}, dump_of),
    "range": (
        f"{SCAN}/3/resources/DICOM/files/1.dcm",
        {"Range": "bytes=128-131"},
        lambda answer: (answer.status_code, answer.content) == (206, b"DICM"),
    ),
    "file": (f"{SCAN}/3/resources/DICOM/files/2.dcm", {}, lambda answer: answer.content == image(2)),
    "zip": (f"{SCAN}/3/files?format=zip", {}, zip_of),
}


@contextmanager
def held(server):
    """Let a change wait between its commit and what it moves on disk, until somebody has read or a moment has passed."""
    archive = server.app.state.archive
    finish, committed, go_on = archive._finish, Event(), Event()

    def finish_late(moves) -> None:
        if any(move.target for move in moves):
            committed.set()
            go_on.wait(10)
        finish(moves)

    archive._finish = finish_late
    try:
        yield committed, go_on
    finally:
        go_on.set()
        archive._finish = finish


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_gets_the_bytes_between_the_commit_of_a_rename_and_the_rename_itself(
    server, admin, as_user, filled, reader
) -> None:
    uri, headers, is_right = READERS[reader]
    with held(server) as (committed, go_on), ThreadPoolExecutor(2) as pool:
        renamed = pool.submit(admin.put, filled, params={"label": "NEW"})
        assert committed.wait(10)
        read = pool.submit(as_user("admin").get, uri, headers=headers)
        Timer(0.1, go_on.set).start()
        assert read.result().status_code in {200, 206}, read.result().text
        assert is_right(read.result())
        assert renamed.result().status_code == 200


def test_headers_are_pulled_though_the_session_is_being_renamed(server, admin, as_user, filled) -> None:
    with held(server) as (committed, go_on), ThreadPoolExecutor(2) as pool:
        renamed = pool.submit(admin.put, filled, params={"label": "NEW"})
        assert committed.wait(10)
        uri = "/data/experiments/CF_E00001"
        pulled = pool.submit(as_user("admin").put, uri, params={"pullDataFromHeaders": "true"})
        Timer(0.1, go_on.set).start()
        assert (pulled.result().status_code, renamed.result().status_code) == (200, 200)
    assert admin.get(f"{SCAN}/3").json()["items"][0]["data_fields"]["frames"] == 3


def test_readers_and_a_storm_of_renames_and_moves_do_not_hurt_each_other(server, admin, as_user, filled) -> None:
    admin.put("/data/projects/Q")
    stop = Event()
    wrong: list[str] = []

    def read(name: str) -> None:
        uri, headers, is_right = READERS[name]
        client = as_user("admin")
        while not stop.is_set():
            answer = client.get(uri, headers=headers)
            if answer.status_code not in {200, 206} or not is_right(answer):
                wrong.append(
                    f"{name}: {answer.status_code} {answer.text[:200] if answer.status_code >= 400 else len(answer.content)}"
                )

    def read_by_label(label: str) -> None:
        """Read by a label that comes and goes: then it is there, or it is not."""
        client = as_user("admin")
        while not stop.is_set():
            answer = client.get(f"/data/projects/P/experiments/{label}/scans/3/resources/DICOM/files/1.dcm")
            if answer.status_code != 404 and answer.content != image(1):
                wrong.append(f"{label}: {answer.status_code}")

    with ThreadPoolExecutor(len(READERS) + 2) as pool:
        reading = [pool.submit(read, name) for name in READERS]
        reading += [pool.submit(read_by_label, label) for label in ("NEW0", "NEW1")]
        for count in range(6):
            assert admin.put("/data/experiments/CF_E00001", params={"label": f"NEW{count % 2}"}).status_code == 200
            if count % 3 == 2:
                for project in ("Q", "P"):
                    moved = admin.put(f"/data/experiments/CF_E00001/projects/{project}", params={"primary": "true"})
                    assert moved.status_code == 200, moved.text
        stop.set()
        for each in reading:
            each.result()
    assert wrong == []


def test_a_lost_picture_is_not_kept_by_the_browser(admin, filled, settings) -> None:
    for path in Path(settings.data_dir).rglob("*.dcm"):
        path.unlink()
    answer = admin.get(f"{PAGE}/3/preview.png")
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/svg+xml", "no-store")
    assert admin.get(f"{PAGE}/3/volume.nii").status_code == 404
    assert (
        admin.get("/data/services/dicomdump", params={"src": "/archive/experiments/CF_E00001/scans/3"}).status_code
        == 404
    )


@pytest.mark.parametrize("inside", ["/scans/5/resources/DICOM/files/a.dcm", "?format=zip", "?format=xml"])
def test_a_session_of_the_prearchive_that_is_moved_is_at_one_place_or_the_other(server, admin, as_user, inside) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.dcm", image(1))
    params = {"dest": "/prearchive/projects/P"}
    before = admin.post("/data/services/import", params=params, content=body.getvalue()).text.strip()
    scan = admin.get(f"{before}/scans").json()["ResultSet"]["Result"][0]["ID"]
    inside = inside.replace("/5/", f"/{scan}/")
    admin.put("/data/projects/Q")
    with held(server) as (committed, go_on), ThreadPoolExecutor(3) as pool:
        moved = pool.submit(admin.post, "/data/services/prearchive/move", params={"src": before, "newProject": "Q"})
        assert committed.wait(10)
        after = before.replace("/projects/P/", "/projects/Q/")
        new, old = (pool.submit(as_user("admin").get, f"{uri}{inside}") for uri in (after, before))
        Timer(0.1, go_on.set).start()
        assert (new.result().status_code, len(new.result().content) > 22) == (200, True)
        assert old.result().status_code == 404
        assert moved.result().status_code == 200


def test_what_came_to_the_place_of_a_file_is_not_taken_for_it(admin, server, filled: str) -> None:
    """Between the look at its row and the look at the disk a session gave its label to another."""
    archive, path = server.app.state.archive, "resources/R/files/a.txt"
    other = filled.replace("S1_MR1", "S1_MR2")
    admin.put(other, params={"xsiType": "xnat:mrSessionData"})
    for uri, content in ((filled, b"its own"), (other, b"another's")):
        assert admin.put(f"{uri}/{path}", content=content).status_code == 200
    late = LateOpener(archive)
    address = parse_address(f"{filled}/resources/R".removeprefix("/data/"))
    with archive.read() as session:
        found = locate(session, address, Visitor("admin", everything=True))
        shelf, row = find_file(session, [shelf_of(found, found.resource)], "a.txt")
        with open_file(session, late, shelf, row) as handle:
            assert handle.read() == b"its own"
        assert admin.put(f"{filled}?label=S1_MR3").status_code == 200
        assert admin.put(f"{other}?label=S1_MR1").status_code == 200
        with pytest.raises(NoSuchFile):
            open_file(session, late, shelf, row)
    with open_at_rest(archive, row.resource_number, row.path)[1] as handle:
        assert handle.read() == b"its own"
