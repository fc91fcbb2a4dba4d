"""Small real DICOM files for the unit tests: made with pydicom, de-identified, a few kilobytes each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"


def instance(
    *, slice_mm: float = 0.0, number: int = 1, series: str = "1.2.826.0.1.3680043.10.1.5", **elements
) -> Dataset:
    """Return one axial MR slice of 16 x 16 pixels; elements by keyword replace its own, None removes them."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = MR_IMAGE
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[series, str(number)])
    ds.StudyInstanceUID = "1.2.826.0.1.3680043.10.1"
    ds.SeriesInstanceUID = series
    ds.SeriesNumber = 5
    ds.InstanceNumber = number
    ds.Modality = "MR"
    ds.StudyDate = "20260203"
    ds.SeriesDescription = "T1 VOLUME"
    ds.PatientID = "BV-001"
    ds.PatientName = "BV-001"
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "test"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113100", "DCM", "Basic Profile"
    ds.DeidentificationMethodCodeSequence = [code]
    ds.ClinicalTrialProtocolID = "heads"
    ds.MRAcquisitionType = "3D"
    ds.ScanningSequence = "GR"
    ds.SequenceVariant = ["SS", "SP"]
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.RepetitionTime, ds.EchoTime, ds.FlipAngle = 20, 4, 20
    ds.PixelSpacing = [1, 1]
    ds.SliceThickness = 2
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [0, 0, slice_mm]
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = 15, 0, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ramp = np.arange(256, dtype="<u2").reshape(16, 16) + number
    ds.PixelData = ramp.tobytes()
    for keyword, value in elements.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def write(ds: Dataset, folder: Path, name: str | None = None) -> Path:
    """Write a data set as a Part 10 file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"{ds.SOPInstanceUID}.dcm")
    ds.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path, *, slices: int = 4, spacing_mm: float = 2.0, missing: tuple[int, ...] = (), **elements
) -> list[Path]:
    """Write a stack of slices, numbered from 1, without those missing."""
    numbers = [number for number in range(1, slices + 1) if number not in missing]
    return [write(instance(slice_mm=number * spacing_mm, number=number, **elements), folder) for number in numbers]
