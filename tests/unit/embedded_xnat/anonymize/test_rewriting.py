"""What scripts make of real and made-up DICOM files."""

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from embedded_xnat.anonymize.rewriting import Names, hash_uid, rewrite
from embedded_xnat.anonymize.vocabulary import read_script
from embedded_xnat.contract.errors import NotAnonymized

NAMES = Names("P", "S1", "S1_MR1")


@pytest.fixture
def changed(tmp_path: Path):
    """Return what applies lines of a script to bytes, and gives the new bytes or None."""

    def apply(data: bytes, *lines: str) -> bytes | None:
        source = tmp_path / "source"
        source.write_bytes(data)
        sink = io.BytesIO()
        script = read_script('version "6.1"\n' + "\n".join(lines))
        return sink.getvalue() if rewrite(source, sink, [script], NAMES) else None

    return apply


def read(data: bytes | None) -> pydicom.FileDataset:
    assert data is not None
    return pydicom.dcmread(io.BytesIO(data))


@pytest.fixture
def made() -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import MRImageStorage

    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID = MRImageStorage, "1.2.3.4", "1.2.3"
    ds.SeriesInstanceUID, ds.Modality, ds.PatientName, ds.PatientID = "1.2.3.9", "MR", "Doe^Jane", "ID7"
    ds.PatientBirthDate, ds.SeriesDescription, ds.ImageType = "19700101", "T1 brain", ["ORIGINAL", "PRIMARY"]
    ds.add_new(0x00291010, "LO", "private")
    ds.add_new(0x00290010, "LO", "MAKER")
    ds.Rows = ds.Columns = 2
    ds.BitsAllocated, ds.PixelData = 8, b"\1\2\3\4"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_texts_are_assigned_deleted_and_taken_from_the_session(changed, made) -> None:
    ds = read(changed(made, '(0010,0010) := "Anon"', "(0010,0020) := subject", "- (0010,0030)", '(0012,0040) := "7"'))
    assert (ds.PatientName, ds.PatientID, ds.ClinicalTrialSubjectID) == ("Anon", "S1", "7")
    assert "PatientBirthDate" not in ds
    assert (ds.SeriesDescription, ds.PixelData) == ("T1 brain", b"\1\2\3\4")


def test_uids_are_hashed_alike_everywhere_and_the_file_meta_information_follows(changed, made) -> None:
    ds = read(changed(made, "(0020,000D) := hashUID[(0020,000D)]", "(0008,0018) := hashUID[(0008,0018)]"))
    assert ds.StudyInstanceUID == hash_uid("1.2.3")
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID == hash_uid("1.2.3.4")
    assert ds.SeriesInstanceUID == "1.2.3.9"
    assert hash_uid("1.2.3") != hash_uid("1.2.4")


CONDITIONS = [
    ('(0008,0060) = "MR"', True),
    ('(0008,0060) = "M"', False),
    ('(0008,0060) != "CT"', True),
    ('(0008,103E) ~ "T1.*"', True),
    ('(0008,103E) ~ "T1"', False),
    ('(0008,103E) !~ "T2.*"', True),
    (r'(0008,0008) ~ "ORIGINAL\\.*"', True),
    ('(0008,1090) = ""', True),
    ('(0008,1090) ~ "x.*"', False),
    ('session = "S1_MR1"', True),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
def test_conditions_look_at_the_whole_text(changed, made, condition, holds) -> None:
    ds = read(changed(made, f'{condition} ? (0010,4000) := "yes" : (0010,4000) := "no"'))
    assert ds.PatientComments == ("yes" if holds else "no")


def test_private_elements_go_and_the_others_stay(changed, made) -> None:
    ds = read(changed(made, "- (XXX#,XXXX)"))
    assert not [element for element in ds if element.tag.is_private]
    assert ds.PatientName == "Doe^Jane"


def test_a_script_that_changes_nothing_leaves_the_bytes_alone(changed, made) -> None:
    assert changed(made, "- (0040,A730)", '(0010,0010) := "Doe^Jane"', '(0008,0060) = "CT" ? - (0010,0010)') is None


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_the_transfer_syntax_stays(changed, made, syntax) -> None:
    ds = pydicom.dcmread(io.BytesIO(made))
    ds.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    ds.save_as(out, implicit_vr=syntax.is_implicit_VR, little_endian=True, enforce_file_format=True)
    again = read(changed(out.getvalue(), '(0010,0010) := "Anon"'))
    assert again.file_meta.TransferSyntaxUID == syntax
    assert (again.PatientName, again.PixelData) == ("Anon", b"\1\2\3\4")


def test_what_cannot_be_read_is_not_taken(changed, made) -> None:
    with pytest.raises(NotAnonymized):
        changed(b"no DICOM at all", "- (0010,0030)")


def real_files(shared_data: Path) -> list[Path]:
    return [path for path in sorted((shared_data / "odd").rglob("*.dcm")) if path.stat().st_size > 144]


@pytest.mark.filterwarnings("ignore")
def test_pixels_of_real_files_of_many_kinds_stay_byte_for_byte(shared_data, changed) -> None:
    syntaxes = set()
    for path in real_files(shared_data):
        before = path.read_bytes()
        after = changed(before, '(0010,0010) := "Anon"', "(0020,000D) := hashUID[(0020,000D)]", "- (XXX#,XXXX)")
        assert after is not None
        old, new = pydicom.dcmread(io.BytesIO(before)), read(after)
        syntaxes.add(old.file_meta.TransferSyntaxUID)
        assert (new.PatientName, new.StudyInstanceUID) == ("Anon", hash_uid(old.StudyInstanceUID))
        assert new.file_meta.TransferSyntaxUID == old.file_meta.TransferSyntaxUID
        assert new.get("PixelData") == old.get("PixelData")
        start = before.rindex(old.PixelData[-64:]) if "PixelData" in old else len(before)
        assert after.endswith(before[start:])
    assert len(syntaxes) >= 4
