"""A real archive on its own, and a real browser that is signed in to it."""

import io
import time
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from embedded_xnat.pytest_plugin import EmbeddedXnat, running
from service_kit.web.assets import STATIC_DIR
from tests.browser import context_at, launched, new_page

SHAPE = (12, 20, 16)  # slice, row, column
LONG_LABEL = "P00_followup_after_24_months_repeated_for_motion_2026"


def voxels() -> np.ndarray:
    """A bright ellipsoid in noise, shape (slice, row, column)."""
    rng = np.random.default_rng(11)
    grid = np.indices(SHAPE).astype(float)
    centre = np.array(SHAPE).reshape(3, 1, 1, 1) / 2
    inside = (((grid - centre) / (centre * 0.8)) ** 2).sum(axis=0) < 1
    return (inside * 700 + rng.integers(0, 90, SHAPE)).astype("int16")


def dicom_series(study: str = "1.2.3.1", *, name: str = "P01") -> dict[str, bytes]:
    """Return the files of a series by name."""
    files = {}
    series_uid = generate_uid()
    for number, plane in enumerate(voxels()):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = MRImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = study, series_uid, "MR"
        ds.SeriesNumber, ds.SeriesDescription, ds.InstanceNumber = 4, "T1 3D", number + 1
        ds.PatientName, ds.PatientID = name, f"{name}_MR1"
        ds.Rows, ds.Columns = plane.shape
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation = 15, 1
        ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-8, -10, number * 2.0]
        ds.PixelSpacing, ds.SliceThickness = [1.0, 1.0], 2.0
        ds.PixelData = plane.tobytes()
        out = io.BytesIO()
        pydicom.dcmwrite(out, ds, enforce_file_format=True)
        files[f"{number:03d}.dcm"] = out.getvalue()
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def until(page, condition: str) -> None:
    """Wait for a condition; the pages' policy forbids playwright's own way."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory):
    """An archive with a project of one session."""
    if not (STATIC_DIR / "dist" / "manifest.json").is_file():
        pytest.fail("the front end is not built: ./run setup")
    with running(tmp_path_factory.mktemp("archive")) as found:
        with client_of(found) as client:
            client.put("/data/projects/DEMO").raise_for_status()
            where = {"project": "DEMO", "subject": "P00", "session": "P00_MR1", "dest": "/archive", "inbody": "true"}
            body = zipped(dicom_series("1.2.3.0", name="P00"))
            client.post("/data/services/import", params=where, content=body).raise_for_status()
            long = f"/data/projects/DEMO/subjects/P00/experiments/{LONG_LABEL}"
            client.put(long, params={"xsiType": "xnat:mrSessionData"}).raise_for_status()
            client.put(long, params={"quarantine": "true"}).raise_for_status()
        yield found


def client_of(archive: EmbeddedXnat) -> httpx.Client:
    return httpx.Client(base_url=archive.url, auth=(archive.user, archive.password), timeout=60)


@pytest.fixture
def client(archive: EmbeddedXnat):
    with client_of(archive) as client:
        yield client


def sign_in(context, archive: EmbeddedXnat) -> None:
    """Sign the administrator in, in a tab of its own."""
    tab = context.new_page()
    tab.goto("/projects/DEMO")
    tab.fill("#username", archive.user)
    tab.fill("#password", archive.password)
    tab.press("#password", "Enter")
    tab.wait_for_url("**/projects/DEMO")
    tab.close()


@pytest.fixture(scope="module")
def window(chromium: str, archive: EmbeddedXnat):
    """A browser, and the cookies of the administrator."""
    with launched(chromium) as browser:
        context = context_at(browser, archive.url)
        sign_in(context, archive)
        yield context, context.cookies()


@pytest.fixture
def page(window, request):
    """A page with everything that went wrong in `complaints`."""
    context, signed_in = window
    width, scheme = getattr(request, "param", (1280, "light"))
    page = new_page(context, cookies=signed_in, width=width, scheme=scheme)
    page.set_default_timeout(60_000)
    yield page
    page.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of DICOM with a file beside it that is none."""
    folder = tmp_path / "scanner" / "P01"
    folder.mkdir(parents=True)
    for name, content in dicom_series().items():
        (folder / name).write_bytes(content)
    (folder / "notes.txt").write_text("no DICOM")
    return tmp_path / "scanner"
