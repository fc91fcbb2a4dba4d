"""Small DICOM series with made-up values."""

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


def series(folder: Path, *, count: int, number: int = 1, **values: object) -> list[Path]:
    """Write the instances of one MR series and return where they lie."""
    folder.mkdir(parents=True, exist_ok=True)
    study, uid = values.pop("StudyInstanceUID", generate_uid()), generate_uid()
    paths = []
    for position in range(count):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = study, uid, "MR"
        ds.PatientName, ds.PatientID, ds.StudyID, ds.AccessionNumber = "S01", "S01_MR01", "MR01", "INGEST"
        ds.SeriesNumber, ds.InstanceNumber, ds.SeriesDescription = str(number), str(position + 1), "t1 mprage"
        ds.StudyDate, ds.StudyTime, ds.SeriesDate, ds.ImageType = (
            "20260203",
            "091500",
            "20260203",
            ["ORIGINAL", "PRIMARY"],
        )
        ds.RepetitionTime, ds.PixelSpacing, ds.SliceThickness = "2300", ["1", "1"], "1"
        ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 16, 16, 15
        ds.SamplesPerPixel, ds.PixelRepresentation, ds.PhotometricInterpretation = 1, 0, "MONOCHROME2"
        ds.ImagePositionPatient, ds.ImageOrientationPatient = ["0", "0", str(position)], ["1", "0", "0", "0", "1", "0"]
        ds.PixelData = bytes(8 * 8 * 2)
        for keyword, value in values.items():
            setattr(ds, keyword, value)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{number:02d}_{position:03d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths
