"""A file that was cut off is noticed without reading its pixels."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from tasks.intake.reading import read_header
from tests.unit.tasks.dicom_files import instance, write


def whole_file(tmp_path: Path, *, transfer_syntax=None) -> Path:
    ds = instance()
    if transfer_syntax == JPEG2000Lossless:
        ds.PixelData = encapsulate([b"\xff\x4f" + bytes(300)])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    if transfer_syntax is not None:
        ds.file_meta.TransferSyntaxUID = transfer_syntax
    return write(ds, tmp_path, "whole.dcm")


@pytest.mark.parametrize(
    "transfer_syntax", [None, ImplicitVRLittleEndian, JPEG2000Lossless, DeflatedExplicitVRLittleEndian]
)
def test_a_whole_file_has_no_problem(tmp_path, transfer_syntax):
    header, problem = read_header(whole_file(tmp_path, transfer_syntax=transfer_syntax))
    assert problem is None
    assert header.sop_instance_uid == instance().SOPInstanceUID


def test_a_whole_big_endian_file_has_no_problem(tmp_path):
    ds = instance()
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    path = tmp_path / "big.dcm"
    ds.save_as(path, implicit_vr=False, little_endian=False, enforce_file_format=True)
    assert read_header(path)[1] is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize(
    "transfer_syntax", [None, ImplicitVRLittleEndian, JPEG2000Lossless, DeflatedExplicitVRLittleEndian]
)
def test_a_file_cut_off_anywhere_is_never_taken_for_whole(tmp_path, transfer_syntax, data):
    whole = tmp_path / "whole.dcm"
    content = (whole if whole.exists() else whole_file(tmp_path, transfer_syntax=transfer_syntax)).read_bytes()
    length = data.draw(st.integers(min_value=0, max_value=len(content) - 1))
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(content[:length])
    _, problem = read_header(cut)
    assert problem is not None


def test_a_cut_in_the_pixels_is_called_truncated(tmp_path):
    path = whole_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    assert read_header(path)[1] == "the file is truncated: 512 bytes of pixel data are announced and 412 are there"


def test_compressed_pixels_without_end_are_called_truncated(tmp_path):
    path = whole_file(tmp_path, transfer_syntax=JPEG2000Lossless)
    path.write_bytes(path.read_bytes()[:-8])
    assert read_header(path)[1] == "the file is truncated: its compressed pixel data do not end"


def test_fewer_pixels_than_the_header_asks_for_are_named(tmp_path):
    path = write(instance(PixelData=np.zeros(100, "<u2").tobytes()), tmp_path)
    assert read_header(path)[1] == "the image needs 512 bytes of pixel data and holds 200"


def test_bytes_that_are_no_dicom_are_named(tmp_path):
    path = tmp_path / "README.md"
    path.write_bytes(BytesIO(b"# not an image\n" * 50).getvalue())
    assert read_header(path) == (None, "it cannot be read as a DICOM file")
