"""Small DICOM files with made-up values, and archives of them."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from service_kit.tables import utc_now


def make_dicom(**values) -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.4", "MR"
    ds.PatientName, ds.PatientID, ds.SeriesNumber = "SUBJ", "SUBJ_MR", "5"
    ds.SeriesDescription, ds.StudyDate, ds.StudyTime = "T1  w, 3D", "20260203", "091500"
    syntax = values.pop("syntax", ExplicitVRLittleEndian)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.Rows, ds.Columns, ds.BitsAllocated = 2, 2, 8
    ds.PixelData = b"\1\2\3\4"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture(scope="session")
def dicom() -> Callable[..., bytes]:
    """Return a maker of DICOM files: ``dicom(SeriesNumber="2")``."""
    return make_dicom


@pytest.fixture(scope="session")
def zip_of() -> Callable[..., bytes]:
    """Return a maker of zips whose root is a folder, as clients send them."""

    def make(**files: bytes) -> bytes:
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archive:
            for name, data in files.items():
                archive.writestr(f"folder/{name}", data)
        return body.getvalue()

    return make


@pytest.fixture(scope="session")
def tar_of() -> Callable[..., bytes]:
    """Return a maker of tars; ``mode`` is that of tarfile."""

    def make(mode: str = "w", **files: bytes) -> bytes:
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode=mode) as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(f"folder/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return body.getvalue()

    return make


@pytest.fixture
def send(admin: TestClient):
    """Return what sends a body to the import service: ``send(body, project="P")``."""

    def post(body: bytes, client: TestClient = admin, **params):
        handler = params.pop("handler", None)
        more = {"import-handler": handler} if handler else {}
        return client.post("/data/services/import", params={**params, **more}, content=body)

    return post


@pytest.fixture
def look(server: TestClient):
    """Return what lets the worker look, as if it were so many seconds later."""
    return lambda seconds=0: server.app.state.import_worker.look(utc_now() + timedelta(seconds=seconds))


@pytest.fixture
def worker(server):
    """The worker, without its thread: it looks when it is told to."""
    found = server.app.state.import_worker
    found.stop()
    found._is_stopping = False
    return found


@pytest.fixture
def rows():
    """Return what reads a table."""

    def read(answer) -> list[dict[str, str]]:
        assert answer.status_code == 200, answer.text
        found = answer.json()["ResultSet"]["Result"]
        assert all(isinstance(value, str) for row in found for value in row.values())
        return found

    return read
