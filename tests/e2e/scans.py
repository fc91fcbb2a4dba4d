"""Real scans for the end-to-end tests, de-identified as a site would, and what goes wrong at sites."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from deployments.demo.deidentify import Policy, deidentify, read_image

POLICY = Policy(b"end-to-end tests", protocol_id="brain-volumetry", site_id="site-a", keep_dates=True)
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


def archived(path: Path) -> list[bytes]:
    """Return the DICOM files of a ``dicom.tar.xz``."""
    with tarfile.open(path) as tar:
        contents = [tar.extractfile(m).read() for m in tar if m.isfile()]
    return [c for c in contents if c[128:132] == b"DICM"]


def cleaned(contents: list[bytes], subject: str, *, policy: Policy = POLICY) -> list[Dataset]:
    """De-identify files as a site would; another policy makes other UIDs of the same files."""
    return [dcmread(BytesIO(deidentify(read_image(c), subject=subject, policy=policy).content)) for c in contents]


def unmarked(datasets: list[Dataset]) -> list[Dataset]:
    """Take away what says that they are de-identified, as a site whose anonymiser is off would send."""
    uid = generate_uid()
    out = []
    for ds in datasets:
        copy = dcmread(BytesIO(as_bytes(ds)))
        copy.StudyInstanceUID = uid
        copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        for keyword in ("PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"):
            delattr(copy, keyword)
        out.append(copy)
    return out


def cut_off(ds: Dataset) -> Dataset:
    """Return an instance whose pixels end before the header says they do."""
    copy = dcmread(BytesIO(as_bytes(ds)))
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    copy.PixelData = copy.PixelData[: len(copy.PixelData) // 4 * 2]
    return copy


def text_object(like: Dataset) -> Dataset:
    """Return an object without pixels in the same study: a structured report."""
    ds = Dataset()
    for keyword in (
        "PatientID", "PatientName", "StudyInstanceUID", "PatientIdentityRemoved", "DeidentificationMethod",
        "ClinicalTrialProtocolID", "ClinicalTrialSiteID",
    ):  # fmt: skip
        setattr(ds, keyword, like[keyword].value)
    ds.Modality, ds.SOPClassUID = "SR", BASIC_TEXT_SR
    ds.SOPInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def as_bytes(ds: Dataset) -> bytes:
    """Return the Part 10 file of a dataset."""
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()
