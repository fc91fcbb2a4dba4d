"""The handler XAR: the document of a session, with the files that its resource elements name."""

import hashlib
import io
import zipfile
from contextlib import ExitStack

import pytest

from embedded_xnat.consistency.service import find_problems
from embedded_xnat.domain.xml_documents import MAX_BYTES
from embedded_xnat.imports.xar_reading import read_xar
from embedded_xnat.storage.files import FileStore
from service_kit.errors import InvalidInput

URI = "/data/archive/projects/P/subjects/S1/experiments/X1"
SPACES = (
    'xmlns:xnat="http://nrg.wustl.edu/xnat" xmlns:cat="http://nrg.wustl.edu/catalog" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
CATALOG = (
    f'<cat:DCMCatalog {SPACES}><cat:entries><cat:entry URI="sub/a.dcm" digest="%s"/></cat:entries></cat:DCMCatalog>'
)
SCAN = (
    '<xnat:scans><xnat:scan ID="7" UID="1.2.7" xsi:type="xnat:mrScanData">'
    '<xnat:file label="DICOM" format="DICOM" URI="SCANS/7/DICOM/c.xml" xsi:type="xnat:resourceCatalog"/>'
    "<xnat:type>T1 w</xnat:type></xnat:scan></xnat:scans>"
)
NOTE = '<xnat:resource label="NOTES" content="NOTE" URI="notes/n.txt" xsi:type="xnat:resource"/>'
NOTES = f"<xnat:resources>{NOTE}</xnat:resources>"
ASSESSOR = (
    '<xnat:out><xnat:file label="DATA" URI="out/m.csv" xsi:type="xnat:resource"/></xnat:out>'
    "<xnat:imageSession_ID>S1_MR1</xnat:imageSession_ID><xnat:comments>seen</xnat:comments>"
)


def session(inner: str = SCAN + NOTES, head: str = 'project="P" label="X1" UID="1.2"', subject: str = "S1") -> str:
    date = "<xnat:date>2026-02-03</xnat:date>"
    inner = inner.replace("<xnat:scans>", f"<xnat:subject_ID>{subject}</xnat:subject_ID><xnat:scans>", 1)
    return f"<xnat:MRSession {SPACES} {head}>{date}{inner}</xnat:MRSession>"


def assessor(head: str = 'project="P" label="QC1"', inner: str = ASSESSOR) -> str:
    return f"<xnat:QCManualAssessment {SPACES} {head}>{inner}</xnat:QCManualAssessment>"


@pytest.fixture(scope="session")
def image(dicom) -> bytes:
    return dicom(SOPInstanceUID="1.2.7.1")


@pytest.fixture
def xar(image):
    """Return a maker of XARs: ``xar(session(), **more)``; what is None is left out."""

    def make(document: str | bytes = session(), *, folder: str = "", **more: bytes | None) -> bytes:
        digest = hashlib.md5(image).hexdigest()
        files = {
            "session.xml": document,
            "SCANS/7/DICOM/c.xml": CATALOG % digest,
            "SCANS/7/DICOM/sub/a.dcm": image,
            "notes/n.txt": b"as it came",
            **more,
        }
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archive:
            for name, data in files.items():
                if data is not None:
                    archive.writestr(f"{folder}{name}", data)
        return body.getvalue()

    return make


@pytest.mark.parametrize("folder", ["", "container/"])
def test_a_session_comes_with_its_scans_resources_and_files(send, xar, image, admin, rows, settings, folder) -> None:
    answer = send(xar(folder=folder), handler="XAR")
    assert (answer.status_code, answer.text) == (200, f"{URI}\r\n")
    fields = admin.get(URI).json()["items"][0]["data_fields"]
    assert (fields["date"], fields["UID"], fields["label"]) == ("2026-02-03", "1.2", "X1")
    assert [(row["ID"], row["type"]) for row in rows(admin.get(f"{URI}/scans"))] == [("7", "T1 w")]
    (resource,) = rows(admin.get(f"{URI}/scans/7/resources"))
    assert (resource["label"], resource["format"]) == ("DICOM", "DICOM")
    assert admin.get(f"{URI}/scans/7/resources/DICOM/files/sub/a.dcm").content == image
    assert admin.get(f"{URI}/resources/NOTES/files/n.txt").content == b"as it came"
    assert (settings.data_dir / "P/arc001/X1/SCANS/7/DICOM/sub/a.dcm").is_file(), "where clients look for it"
    assert not list((settings.data_dir / ".incoming").iterdir())


def test_paths_may_begin_in_the_folder_beside_the_document(send, image, admin) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("outer/session.xml", session(SCAN))
        archive.writestr("outer/X1/SCANS/7/DICOM/c.xml", CATALOG % "")
        archive.writestr("outer/X1/SCANS/7/DICOM/sub/a.dcm", image)
    assert send(body.getvalue(), handler="XAR").status_code == 200
    assert admin.get(f"{URI}/scans/7/resources/DICOM/files/sub/a.dcm").content == image


def test_the_request_counts_more_than_the_document(send, xar, admin) -> None:
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/subjects/S9")
    answer = send(xar(), handler="XAR", project="Q", subject="S9", session="Y")
    assert answer.text.strip() == "/data/archive/projects/Q/subjects/S9/experiments/Y"


def test_the_same_xar_twice_is_there_once(send, xar, admin, rows, settings) -> None:
    send(xar(), handler="XAR")
    before = rows(admin.get(f"{URI}/scans/ALL/files")) + rows(admin.get(f"{URI}/files"))
    for overwrite, status in (("none", 409), ("append", 200), ("delete", 200)):
        assert send(xar(), handler="XAR", overwrite=overwrite).status_code == status
        assert rows(admin.get(f"{URI}/scans/ALL/files")) + rows(admin.get(f"{URI}/files")) == before
    assert list(find_problems(settings.data_dir, settings.database_url)) == []


def test_what_was_exported_can_be_restored_by_its_id(send, xar, admin, rows) -> None:
    send(xar(), handler="XAR")
    exported = admin.get(URI, params={"format": "xml"}).content.decode()
    notes = exported.replace("</xnat:MRSession>", f"{NOTES}</xnat:MRSession>")
    body = xar(notes, **{"notes/n.txt": b"another", "SCANS/7/DICOM/c.xml": None, "SCANS/7/DICOM/sub/a.dcm": None})
    assert send(body, handler="XAR", overwrite="delete").text.strip() == URI
    assert admin.get(f"{URI}/resources/NOTES/files/n.txt").content == b"another"
    alone = dict.fromkeys(("SCANS/7/DICOM/c.xml", "SCANS/7/DICOM/sub/a.dcm"))
    renamed = send(xar(notes.replace('label="X1"', 'label="X2"'), **alone), handler="XAR", overwrite="delete")
    assert (renamed.status_code, "(code 2)" in renamed.text) == (409, True)
    assert [row["label"] for row in rows(admin.get("/data/projects/P/experiments"))] == ["S1_MR1", "X1"]


CONFLICTS = [
    # what comes after the session one after another, overwrite, status, what the sentence says
    (session(), "none", 409, "Session already exists, retry with overwrite enabled"),
    (session(head='project="P" label="X1" UID="9.9"'), "append", 409, "(code 5)"),
    (session(subject="S2"), "delete", 409, "(code 4)"),
    (session().replace("MRSession", "CTSession"), "delete", 409, "(code 19)"),
    (session().replace("1.2.7", "1.2.8"), "append", 409, "(code 17)"),
    (session().replace("1.2.7", "1.2.8"), "delete", 200, ""),
    (session(head='project="P" label="X1" UID="9.9"'), "delete", 200, ""),
]


def test_what_does_not_fit_to_the_session_that_is_there_is_refused(send, xar, admin) -> None:
    admin.put("/data/projects/P/subjects/S2")
    send(xar(), handler="XAR")
    for document, overwrite, status, says in CONFLICTS:
        answer = send(xar(document), handler="XAR", overwrite=overwrite)
        assert (answer.status_code, says in answer.text) == (status, True), answer.text


def test_other_bytes_of_a_file_replace_it_only_when_the_request_says_so(send, xar, admin) -> None:
    send(xar(), handler="XAR")
    other = xar(**{"notes/n.txt": b"corrected"})
    refused = send(other, handler="XAR", overwrite="append")
    assert (refused.status_code, "(code 16)" in refused.text) == (409, True)
    assert admin.get(f"{URI}/resources/NOTES/files/n.txt").content == b"as it came"
    assert send(other, handler="XAR", overwrite="delete").status_code == 200
    assert admin.get(f"{URI}/resources/NOTES/files/n.txt").content == b"corrected"


def test_assessors_come_inside_a_session_or_on_their_own(send, xar, admin, rows) -> None:
    inside = f'<xnat:assessor xsi:type="xnat:qcManualAssessorData" label="QC1">{ASSESSOR}</xnat:assessor>'
    document = session(f"{SCAN}<xnat:assessors>{inside}</xnat:assessors>")
    whole = send(xar(document, **{"notes/n.txt": None, "out/m.csv": b"1"}), handler="XAR")
    assert (whole.status_code, whole.text.strip()) == (200, URI)
    assert admin.get(f"{URI}/assessors/QC1/resources/DATA/files/m.csv").content == b"1"
    nothing_else = dict.fromkeys(("notes/n.txt", "SCANS/7/DICOM/c.xml", "SCANS/7/DICOM/sub/a.dcm"))
    alone = send(xar(assessor('project="P" label="QC2"'), **nothing_else, **{"out/m.csv": b"2"}), handler="XAR")
    uri = URI.replace("X1", "S1_MR1/assessors/QC2")
    assert (alone.status_code, alone.text.strip()) == (200, uri)
    assert admin.get(uri).json()["items"][0]["data_fields"]["comments"] == "seen"
    assert admin.get(f"{uri}/resources/DATA/files/m.csv").content == b"2"


ALONE = dict.fromkeys(("notes/n.txt", "SCANS/7/DICOM/c.xml", "SCANS/7/DICOM/sub/a.dcm"))
SERIES = '<xnat:file label="RAW" path="raw/" pattern="\\.dcm$" count="2" xsi:type="xnat:imageResourceSeries"/>'


def part(element: str = "MRScan", head: str = 'ID="9" UID="1.2.9"', inner: str = SERIES, of: str = "S1_MR1") -> str:
    inner = f"<xnat:image_session_ID>{of}</xnat:image_session_ID>{inner}"
    return f'<xnat:{element} {SPACES} {head} project="P">{inner}</xnat:{element}>'


def test_a_scan_comes_on_its_own_with_a_series_of_files(send, xar, admin, rows, image, session_uri) -> None:
    files = {"raw/1.dcm": image, "raw/2.dcm": b"second"}
    answer = send(xar(part(), **ALONE, **files), handler="XAR")
    assert (answer.status_code, answer.text) == (200, f"/data/archive{session_uri.removeprefix('/data')}\r\n")
    assert [row["ID"] for row in rows(admin.get(f"{session_uri}/scans"))] == ["3", "9"]
    found = rows(admin.get(f"{session_uri}/scans/9/resources/RAW/files"))
    assert [row["Name"] for row in found] == ["1.dcm", "2.dcm"]
    assert admin.get(f"{session_uri}/scans/9/resources/RAW/files/1.dcm").content == image
    other = xar(part(head='ID="9" UID="9.9"'), **ALONE, **files)
    for body, overwrite, status, says in (
        (xar(part(), **ALONE, **files), "none", 409, "(code 16)"),
        (xar(part(), **ALONE, **files), "append", 200, ""),
        (other, "append", 409, "(code 17)"),
        (xar(part("CTScan"), **ALONE, **files), "delete", 409, "(code 19)"),
        (other, "delete", 200, ""),
    ):
        answer = send(body, handler="XAR", overwrite=overwrite)
        assert (answer.status_code, says in answer.text) == (status, True), answer.text
    assert len(rows(admin.get(f"{session_uri}/scans/9/files"))) == 2


def test_parts_of_several_kinds_come_together_for_one_session(send, xar, admin, rows, session_uri) -> None:
    out = '<xnat:out><xnat:file label="SEG" URI="out/seg.nii" xsi:type="xnat:imageResource"/></xnat:out>'
    images = "".join(f'<xnat:image URI="set/{n}.dcm" sop_instance_UID="1.{n}"/>' for n in (1, 2))
    series = f'<xnat:file label="DCM" UID="1" xsi:type="xnat:dicomSeries"><xnat:imageSet>{images}</xnat:imageSet></xnat:file>'
    documents = {
        "recon.xml": part("ReconstructedImage", 'ID="R1"', out),
        "scan.xml": part(inner=series, of="CF_E00001"),
        "qc.xml": assessor('project="P" label="QC2"'),
    }
    files = {"out/seg.nii": b"seg", "set/1.dcm": b"1", "set/2.dcm": b"2", "out/m.csv": b"3"}
    answer = send(xar(None, **ALONE, **documents, **files), handler="XAR")
    uri = f"/data/archive{session_uri.removeprefix('/data')}"
    assert (answer.status_code, answer.text.split()) == (200, [uri, f"{uri}/assessors/QC2"])
    assert admin.get(f"{session_uri}/reconstructions/R1/out/resources/SEG/files/seg.nii").content == b"seg"
    assert [row["Name"] for row in rows(admin.get(f"{session_uri}/scans/9/files"))] == ["1.dcm", "2.dcm"]
    elsewhere = {**documents, "scan.xml": part(inner="", of="OTHER")}
    assert send(xar(None, **ALONE, **elsewhere, **files), handler="XAR", overwrite="append").status_code == 400


def test_a_part_goes_into_no_session_that_is_only_shown_in_the_project(send, xar, as_user, admin, session_uri) -> None:
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/users/Members/mary")
    admin.put(f"{session_uri}/projects/Q")
    for document in (
        part(inner=""),
        part(inner="", of="CF_E00001"),
        assessor(inner=ASSESSOR.partition("</xnat:out>")[2]),
    ):
        answer = send(xar(document, **ALONE), as_user("mary"), handler="XAR", project="Q")
        assert (answer.status_code, "image_session_ID" in answer.text) == (400, True), answer.text
    assert admin.get(f"{session_uri}/scans/9").status_code == 404


def test_scripts_change_the_images_of_a_xar_too(send, xar, admin, dicom) -> None:
    script = 'version "6.1"\n(0010,0010) := subject\n- (0010,0020)'
    assert admin.put("/xapi/anonymize/site", content=script, headers={"Content-Type": "text/plain"}).status_code == 200
    admin.put("/xapi/anonymize/site/enabled?enable=true")
    assert send(xar(), handler="XAR").status_code == 200
    stored = admin.get(f"{URI}/scans/7/resources/DICOM/files/sub/a.dcm").content
    assert b"SUBJ" not in stored
    assert b"S1" in stored


def test_what_was_packed_as_a_xar_can_be_taken_in_again(send, admin, rows, image, session_uri, settings) -> None:
    files = {
        "scans/3/resources/DICOM/files/sub/a.dcm": image,
        "scans/3/resources/DICOM/files/catalog.xml": b"no catalog",
        "reconstructions/R1/resources/SEG/files/seg.nii": b"seg",
        "assessors/QC1/resources/DATA/files/m.csv": b"1",
        "resources/NOTES/files/n o.txt": b"note",
    }
    admin.put(f"{session_uri}/reconstructions/R1")
    admin.put(f"{session_uri}/assessors/QC1", params={"xsiType": "xnat:qcManualAssessorData"})
    for place, content in files.items():
        assert admin.put(f"{session_uri}/{place}", content=content, params={"format": "F"}).is_success
    packed = admin.get(f"{session_uri}/XAR")
    assert (packed.status_code, packed.headers["content-type"]) == (200, "application/zip")
    before = admin.get(session_uri).json()["items"][0]["data_fields"]
    assert admin.delete(session_uri, params={"removeFiles": "true"}).status_code == 200
    assert send(packed.content, handler="XAR").text.strip() == f"/data/archive{session_uri.removeprefix('/data')}"
    for place, content in files.items():
        assert admin.get(f"{session_uri}/{place}").content == content, place
    after = admin.get(session_uri).json()["items"][0]["data_fields"]
    ours = {"ID", "id"}
    assert {k: v for k, v in after.items() if k not in ours} == {k: v for k, v in before.items() if k not in ours}
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/subjects/S9")
    there = send(packed.content, handler="XAR", project="Q", subject="S9")
    assert there.text.strip() == "/data/archive/projects/Q/subjects/S9/experiments/S1_MR1"
    assert list(find_problems(settings.data_dir, settings.database_url)) == []


def test_a_xar_is_packed_for_those_who_may_read_the_session(admin, as_user, session_uri) -> None:
    assert as_user("zoe").get(f"{session_uri}/XAR").status_code == 404
    admin.put("/data/projects/P/users/Collaborators/carl")
    assert as_user("carl").get(f"{session_uri}/XAR").status_code == 200
    head = admin.head(f"{session_uri}/XAR")
    assert (head.status_code, head.content) == (200, b"")
    assert admin.get("/data/projects/P/XAR").status_code == 404


DTD = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
#: What the files of a XAR say against it, whatever the archive has.
UNSOUND = {
    "an entity": {"document": DTD + session().replace("T1 w", "&e;")},
    "no XML": {"document": "<xnat:MRSession"},
    "no document": {"document": None},
    "another kind of document": {"document": f'<xnat:Subject {SPACES} label="S1" project="P"/>'},
    "a type that nobody knows": {"document": session().replace("MRSession", "XYSession")},
    "two sessions": {"other.xml": session()},
    "a session and an assessor": {"other.xml": assessor()},
    "a session and a scan": {"other.xml": part(inner="")},
    "an assessor that is a session": {
        "document": session(
            SCAN + '<xnat:assessors><xnat:assessor xsi:type="xnat:mrSessionData" label="A"/></xnat:assessors>'
        )
    },
    "an unknown field": {"document": session(f"{SCAN}<xnat:nonsense>1</xnat:nonsense>{NOTES}")},
    "a file that is not there": {"document": session(SCAN + NOTES.replace("notes/n.txt", "notes/lost.txt"))},
    "a file that nothing names": {"notes/more.txt": b"x"},
    "a file named twice": {"document": session(f"{SCAN}<xnat:resources>{NOTE}{NOTE}</xnat:resources>")},
    "a path upwards": {"document": session().replace("notes/n.txt", "../../secret")},
    "an absolute path": {"document": session().replace("notes/n.txt", "/etc/passwd")},
    "an address": {"document": session().replace("notes/n.txt", "http://127.0.0.1/x")},
    "files named in another way": {"document": session().replace('"xnat:resource"', '"xnat:qcSeries"')},
    "a series without files": {"document": part(), **ALONE},
    "a series of fewer files": {"document": part(), **ALONE, "raw/1.dcm": b"1"},
    "a series that leads out": {"document": part(inner=SERIES.replace("raw/", "../raw")), **ALONE},
    "a pattern that takes for ever": {"document": part(inner=SERIES.replace("dcm$", "(a+)+$")), **ALONE},
    "a pattern that takes long on long names": {
        "document": part(inner=SERIES.replace("\\.dcm$", r"a?a?a?a?(\w*)(\w*)!")),
        **ALONE,
        f"raw/{'a' * 245}": b"1",
    },
    "a pattern that is none": {"document": part(inner=SERIES.replace("dcm$", "(")), **ALONE},
    "a scan among the assessors": {
        "document": session(f'{SCAN}<xnat:assessors><xnat:assessor xsi:type="xnat:mrScanData"/></xnat:assessors>')
    },
    "a catalog that is none": {"SCANS/7/DICOM/c.xml": session()},
    "a catalog with an entity": {"SCANS/7/DICOM/c.xml": DTD + CATALOG % ""},
    "a catalog that leads out": {"SCANS/7/DICOM/c.xml": (CATALOG % "").replace("sub/a.dcm", "../../../x")},
    "a catalog without end": {"SCANS/7/DICOM/c.xml": CATALOG % "" + " " * MAX_BYTES},
    "another digest": {"SCANS/7/DICOM/c.xml": CATALOG % ("0" * 32)},
    "an entry that leads out": {"../evil": b"x"},
}


@pytest.mark.parametrize("kind", UNSOUND)
def test_what_is_no_sound_xar_is_refused_in_a_sentence(xar, tmp_path, kind) -> None:
    files = FileStore(tmp_path)
    with ExitStack() as stack:
        incoming = stack.enter_context(files.incoming())
        incoming.write(xar(**UNSOUND[kind]))
        with pytest.raises(InvalidInput) as refused:
            read_xar([("", incoming.finish())], files, stack)
    assert refused.value.detail.endswith(".")
    assert "passwd" not in refused.value.detail
    assert files.leftovers() == []


def test_what_the_archive_says_against_a_xar_leaves_nothing(send, xar, admin, rows, settings) -> None:
    only_assessor = {
        **dict.fromkeys(("notes/n.txt", "SCANS/7/DICOM/c.xml", "SCANS/7/DICOM/sub/a.dcm")),
        "out/m.csv": b"1",
    }
    refused = [
        (xar(session(head='label="X1"')), {}, 400),
        (xar(), {"project": "NONE"}, 404),
        (xar(session(head='project="P"')), {}, 417),
        (xar(session(subject="NONE")), {}, 400),
        (xar(session().replace('ID="7"', "")), {}, 400),
        (xar(session().replace('ID="7"', 'id="7"')), {}, 400),
        (xar(session().replace('ID="7"', 'ID="7" id="8"')), {}, 400),
        (xar(assessor(inner=ASSESSOR.replace("S1_MR1", "NONE")), **only_assessor), {}, 400),
        (xar(), {"session": "../evil"}, 417),
        (xar(), {"subject": "\x00"}, 417),
        (xar(assessor(), **only_assessor), {"session": "\x00"}, 417),
        (xar(), {"dest": "/prearchive/projects/P"}, 400),
        (xar()[:-30], {}, 400),
        (b"<xnat:MRSession/>", {}, 400),
    ]
    for body, params, status in refused:
        answer = send(body, handler="XAR", **params)
        assert (answer.status_code, answer.json()["detail"][-1:]) == (status, "."), answer.text
    assert [row["label"] for row in rows(admin.get("/data/projects/P/experiments"))] == ["S1_MR1"]
    assert not list((settings.data_dir / ".incoming").iterdir())
    assert not [path for path in (settings.data_dir / "P").rglob("*") if path.is_file()]


def test_a_xar_goes_into_no_project_that_one_may_not_write_to(send, xar, as_user, admin) -> None:
    assert send(xar(), as_user("zoe"), handler="XAR").status_code == 404
    admin.put("/data/projects/P/users/Collaborators/carl")
    assert send(xar(), as_user("carl"), handler="XAR").status_code == 403
    admin.put("/data/projects/P/users/Members/mary")
    assert send(xar(), as_user("mary"), handler="XAR").status_code == 200


def test_the_session_of_another_project_gets_no_assessor_through_a_share(send, xar, as_user, admin, rows) -> None:
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/users/Owners/mary")
    assert admin.put("/data/projects/P/experiments/S1_MR1/projects/Q").status_code == 200
    alone = dict.fromkeys(("notes/n.txt", "SCANS/7/DICOM/c.xml", "SCANS/7/DICOM/sub/a.dcm"))
    body = xar(assessor('project="Q" label="QC1"'), **alone, **{"out/m.csv": b"1"})
    refused = send(body, as_user("mary"), handler="XAR")
    assert (refused.status_code, "imaging session of the project" in refused.json()["detail"]) == (400, True)
    assert rows(admin.get("/data/projects/P/experiments/S1_MR1/assessors")) == []


def test_assessors_of_sessions_of_two_projects_are_sent_apart(send, xar, admin) -> None:
    """The scripts of one project say nothing about the images of another."""
    admin.put("/data/projects/Q")
    admin.put("/data/projects/Q/subjects/S1")
    assert admin.put("/data/projects/Q/subjects/S1/experiments/S1_MR1?xsiType=xnat:mrSessionData").status_code == 201
    alone = dict.fromkeys(("notes/n.txt", "SCANS/7/DICOM/c.xml", "SCANS/7/DICOM/sub/a.dcm"))
    without_files = ASSESSOR[ASSESSOR.index("<xnat:imageSession_ID>") :]
    other = assessor('project="Q" label="QC2"', without_files)
    body = xar(assessor(), **alone, **{"out/m.csv": b"1", "other.xml": other})
    assert send(body, handler="XAR").status_code == 400


def test_a_project_that_puts_what_comes_in_into_quarantine_does_so_here(send, xar, admin) -> None:
    admin.put("/data/projects/P/quarantine_code/1")
    assert send(xar(), handler="XAR").status_code == 200
    assert admin.get(f"{URI}/status").text == "quarantined"
