"""The header of a file as rows."""

import io

import pytest

DUMP = "/data/services/dicomdump"
SOURCE = "/archive/projects/P/subjects/S1/experiments/S1_MR1"


def dicom() -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    code = Dataset()
    code.CodeValue, code.CodeMeaning = "T-A0100", "Brain"
    inner = Dataset()
    inner.PurposeOfReferenceCodeSequence = [code]
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = MRImageStorage, "1.2.3.4"
    ds.PatientID, ds.ImageType, ds.Modality = "P1", ["ORIGINAL", "PRIMARY"], "MR"
    ds.ImageComments = "long " * 1000
    ds.ReferencedImageSequence = [inner]
    ds.add_new(0x00091001, "OB", b"\1" * 200_000)
    ds.add_new(0x00091002, "UN", b"\1" * 10)
    ds.Rows, ds.Columns, ds.PixelData = 2, 2, b"\0" * 8
    ds.BitsAllocated, ds.SamplesPerPixel, ds.PixelRepresentation = 16, 1, 0
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.fixture
def filled(admin, session_uri: str) -> str:
    uri = f"{session_uri}/scans/3/resources/DICOM/files/a.dcm"
    assert admin.put(uri, content=dicom(), params={"format": "DICOM"}).status_code == 200
    return uri


def rows(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


@pytest.mark.parametrize(
    "source", [SOURCE, f"/data{SOURCE}", f"{SOURCE}/scans/3", f"{SOURCE}/scans/3/resources/DICOM/files/a.dcm"]
)
def test_every_element_is_a_row(admin, filled: str, source: str) -> None:
    table = rows(admin.get(DUMP, params={"src": source}))
    by_tag = {(row["tag1"], row["tag2"]): row for row in table}
    assert by_tag["(0010,0020)", ""] == {
        "tag1": "(0010,0020)",
        "tag2": "",
        "vr": "LO",
        "value": "P1",
        "desc": "Patient ID",
    }
    assert by_tag["(0008,0008)", ""]["value"] == "ORIGINAL\\PRIMARY"
    assert by_tag["(0008,1140)", ""]["vr"] == "SQ"
    assert by_tag["(0008,1140)", "(0040,A170)"]["vr"] == "SQ"
    assert by_tag["(0040,A170)", "(0008,0104)"]["value"] == "Brain"
    assert by_tag["(0002,0010)", ""]["vr"] == "UI"
    assert ("(7FE0,0010)", "") not in by_tag


def test_large_values_are_cut(admin, filled: str) -> None:
    by_tag = {row["tag1"]: row["value"] for row in rows(admin.get(DUMP, params={"src": SOURCE}))}
    assert len(by_tag["(0020,4000)"]) == 1001
    assert by_tag["(0009,1001)"] == "(200000 bytes)"
    assert by_tag["(0009,1002)"] == "(10 bytes)"


@pytest.mark.parametrize("field", ["PatientID", "00100020", "(0010,0020)"])
def test_fields_can_be_chosen(admin, filled: str, field: str) -> None:
    found = rows(admin.get(DUMP, params={"src": SOURCE, "field": [field, "Modality"]}))
    assert [(row["tag1"], row["value"]) for row in found] == [("(0008,0060)", "MR"), ("(0010,0020)", "P1")]


def test_only_who_may_read_the_object_sees_its_header(admin, as_user, filled: str) -> None:
    assert as_user("zoe").get(DUMP, params={"src": SOURCE}).status_code == 404


def test_the_prearchive_can_be_looked_at_too(admin, as_user) -> None:
    from tests.unit.embedded_xnat.test_rest import dicom as importable
    from tests.unit.embedded_xnat.test_rest import zip_of

    uri = admin.post("/data/services/import", content=zip_of(a=importable())).text.strip()
    source = uri.removeprefix("/data")
    for src in (uri, source, f"{source}/scans/5"):
        found = rows(admin.get(DUMP, params={"src": src, "field": "Modality"}))
        assert [row["value"] for row in found] == ["MR"]
    assert admin.get(DUMP, params={"src": f"{source}/scans/99"}).status_code == 404
    assert admin.get(DUMP, params={"src": f"{source}/scans/.."}).status_code == 404
    assert as_user("zoe").get(DUMP, params={"src": source}).status_code == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"src": "/etc/passwd"}, 400),
        ({"src": "/archive/projects/P"}, 400),
        ({"src": SOURCE, "field": "NoSuchKeyword"}, 400),
        ({"src": "/prearchive/projects/P"}, 400),
        ({"src": f"{SOURCE}/scans/99"}, 404),
        ({"src": f"{SOURCE}/scans/3/resources/DICOM/files/../../x"}, 404),
    ],
)
def test_nonsense_is_refused(admin, filled: str, query: dict[str, str], status: int) -> None:
    assert admin.get(DUMP, params=query).status_code == status


@pytest.mark.parametrize("damage", [b"", b"no DICOM", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 500])
def test_a_file_that_is_no_dicom_is_said_to_be_none(admin, session_uri: str, damage: bytes) -> None:
    admin.put(f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", content=damage)
    answer = admin.get(DUMP, params={"src": SOURCE})
    assert (answer.status_code, answer.json()["detail"]) == (400, "The file is no DICOM file that can be read.")
