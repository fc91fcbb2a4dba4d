"""A small MR image that names a person in every way a header can."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

STUDY_UID, SERIES_UID, INSTANCE_UID = "1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"
NAMES = ("MUSTERFRAU", "ERIKA", "PAT4711", "HAUSARZT", "KLINIKUM", "19640812", "ACC99")


def image_dataset():
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.SourceApplicationEntityTitle = "KLINIKUM"
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, INSTANCE_UID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = STUDY_UID, SERIES_UID, "1.2.3.4.9"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "MR", 3, 1
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "MUSTERFRAU^ERIKA", "PAT4711", "19640812"
    ds.PatientSex, ds.PatientAge, ds.OtherPatientIDs, ds.PatientAddress = "F", "059Y", "PAT4711-B", "KLINIKUM 1"
    ds.StudyDate, ds.AcquisitionDateTime, ds.AccessionNumber = "20240115", "20240115101500.12", "ACC99"
    ds.ReferringPhysicianName, ds.InstitutionName, ds.StationName = "HAUSARZT^DR", "KLINIKUM", "KLINIKUM-MR1"
    ds.SeriesDescription, ds.ImageComments = "t1_mprage MUSTERFRAU", "ERIKA moved"
    ds.StudyDescription, ds.DeviceSerialNumber = "Kopf MUSTERFRAU", "KLINIKUM-4711"
    request = Dataset()
    request.RequestedProcedureDescription, request.StudyInstanceUID = "MUSTERFRAU", STUDY_UID
    ds.RequestAttributesSequence = Sequence([request])
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = MRImageStorage, INSTANCE_UID
    ds.ReferencedImageSequence = Sequence([reference])
    block = ds.private_block(0x0029, "KLINIKUM HEADER", create=True)
    block.add_new(0x10, "LO", "ERIKA")
    ds.RepetitionTime, ds.EchoTime, ds.PixelSpacing = 2000, 2.5, [1, 1]
    ds.Rows = ds.Columns = 4
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = np.arange(16, dtype="<u2").tobytes()
    return ds


def as_bytes(ds):
    output = BytesIO()
    ds.save_as(output, enforce_file_format=True)
    return output.getvalue()


@pytest.fixture
def image():
    return image_dataset()


@pytest.fixture
def content_of():
    return as_bytes


@pytest.fixture
def names():
    return NAMES
