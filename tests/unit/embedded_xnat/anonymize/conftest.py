"""An upload of one small DICOM file with made-up values."""

import io
import zipfile
from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


def upload(**values) -> bytes:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.4", "MR"
    ds.PatientName, ds.PatientID, ds.SeriesNumber = "Doe^Jane", "J1", "5"
    ds.SeriesDescription, ds.StudyDescription = "T1 of Jane", "Brain of Jane"
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.Rows = ds.Columns = 2
    ds.BitsAllocated, ds.PixelData = 8, b"\1\2\3\4"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out, body = io.BytesIO(), io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("folder/a.dcm", out.getvalue())
    return body.getvalue()


@pytest.fixture(scope="session")
def zip_with() -> Callable[..., bytes]:
    """Return a maker of zips with one DICOM file: ``zip_with(PatientID="X")``."""
    return upload
