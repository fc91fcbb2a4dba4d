"""A session far larger than what may stay in memory goes in by import and comes out as a zip."""

import io
import itertools
import os
import threading
import zipfile

import psutil
import pytest

pytestmark = pytest.mark.integration

FILES, PIXELS = 300, 512 * 1024
MOST_MB = 100


def dicom_files():
    """Yield images with values made up, half a megabyte each."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    for number in range(FILES):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, f"1.2.3.4.{number + 1}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.4", "MR"
        ds.PatientName, ds.PatientID, ds.SeriesNumber = "LARGE", "LARGE_MR", "1"
        ds.Rows = ds.Columns = 512
        ds.BitsAllocated, ds.SamplesPerPixel, ds.PixelRepresentation = 16, 1, 0
        ds.PixelData = os.urandom(PIXELS)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        out = io.BytesIO()
        ds.save_as(out, enforce_file_format=True)
        yield f"LARGE/{number}.dcm", out.getvalue()


def test_a_large_session_needs_little_memory(own_server, tmp_path) -> None:
    own_server.start()
    packed = tmp_path / "large.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in dicom_files():
            archive.writestr(name, data)
    process = psutil.Process(own_server.process.pid)
    before, seen, done = process.memory_info().rss, [0], threading.Event()

    def sample() -> None:
        while not done.wait(0.02):
            seen.append(process.memory_info().rss)

    thread = threading.Thread(target=sample)
    thread.start()
    with own_server.client() as client, packed.open("rb") as handle:
        client.put("/data/projects/P").raise_for_status()
        chunks = iter(lambda: handle.read(1024 * 1024), b"")
        answer = client.post("/data/services/import", params={"project": "P"}, content=chunks)
        assert answer.status_code == 200, answer.text
        uri = f"{answer.text.strip()}/scans/ALL/files"
        assert len(client.get(uri).json()["ResultSet"]["Result"]) == FILES
        for packing in ("zip", "tar", "tar.gz"):
            with client.stream("GET", uri, params={"format": packing}) as stream:
                assert stream.status_code == 200
                size = sum(map(len, itertools.islice(stream.iter_raw(), None)))
            assert size > FILES * PIXELS
    done.set()
    thread.join()
    assert (max(seen) - before) / 1e6 < MOST_MB
