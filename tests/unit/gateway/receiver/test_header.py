"""The header reader finds the study in anything that has one, and says why where there is none."""

from __future__ import annotations

import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from gateway.receiver.header import BROKEN, NO_STUDY, NO_UID, read_header

GE_PRIVATE = "1.2.840.113619.5.2"


def encoded(*, implicit=False, little=True, study="1.2.3", tail=True) -> bytes:
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    ds.ReferencedStudySequence = [Dataset()]
    ds.ReferencedStudySequence[0].ReferencedSOPInstanceUID = "9.9"
    if study is not None:
        ds.StudyInstanceUID = study
        ds.SeriesInstanceUID = "1.2.3.4"
    if tail:
        ds.Rows = 4
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_dataset(buffer, ds)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("syntax", "content"),
    [
        (ExplicitVRLittleEndian, encoded()),
        (ImplicitVRLittleEndian, encoded(implicit=True)),
        (ExplicitVRBigEndian, encoded(little=False)),
        ("1.2.840.10008.1.2.4.90", encoded()),
        (GE_PRIVATE, encoded(implicit=True)),
        ("1.2.3.4.5", encoded()),
    ],
)
def test_the_study_is_found_in_every_encoding(syntax, content):
    header = read_header(BytesIO(content), transfer_syntax_uid=syntax)
    assert (header.study_instance_uid, header.series_instance_uid) == ("1.2.3", "1.2.3.4")
    assert header.unreadable_reason is None


def test_the_study_is_found_in_a_deflated_dataset():
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    content = deflater.compress(encoded()) + deflater.flush()
    header = read_header(BytesIO(content), transfer_syntax_uid=DeflatedExplicitVRLittleEndian)
    assert header.study_instance_uid == "1.2.3"


def test_a_dataset_without_a_study_says_so():
    header = read_header(BytesIO(encoded(study=None)), transfer_syntax_uid=ExplicitVRLittleEndian)
    assert header.unreadable_reason == NO_STUDY


def test_a_study_uid_that_is_none_says_so_without_telling_its_value():
    content = encoded(study="1.2.3").replace(b"1.2.3\0", b"SMITH ")
    header = read_header(BytesIO(content), transfer_syntax_uid=ExplicitVRLittleEndian)
    assert header.unreadable_reason == NO_UID
    assert "SMITH" not in header.unreadable_reason


def test_every_cut_before_the_end_of_the_study_is_broken_and_none_raises():
    content = encoded(tail=False)
    whole = content.index(b"1.2.3\0") + 6
    for length in range(whole):
        header = read_header(BytesIO(content[:length]), transfer_syntax_uid=ExplicitVRLittleEndian)
        assert header.unreadable_reason == BROKEN, length


@given(st.binary(max_size=400), st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, GE_PRIVATE, "", "x"]))
def test_no_bytes_make_it_raise(content, syntax):
    header = read_header(BytesIO(content), transfer_syntax_uid=syntax)
    assert header.study_instance_uid is not None or header.unreadable_reason is not None
