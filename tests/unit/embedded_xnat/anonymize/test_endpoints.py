"""Scripts of the site and of projects: who may store them, and what they do to sessions."""

import io

import pydicom
import pytest

from embedded_xnat.anonymize.rewriting import hash_uid

TEXT = {"Content-Type": "text/plain"}
SITE = 'version "6.1"\n(0010,0010) := "NOBODY"\n(0020,000D) := hashUID[(0020,000D)]\n'
OURS = 'version "6.1"\n(0008,1030) := project\n(0010,0020) := session\n- (0008,103E)\n'


def put_script(client, scope: str, text: str):
    return client.put(f"/xapi/anonymize/{scope}", content=text, headers=TEXT)


def send(client, body: bytes, **params) -> str:
    answer = client.post("/data/services/import", content=body, params=params)
    assert answer.status_code == 200, answer.text
    return answer.text.strip()


def archived(client, uri: str) -> pydicom.FileDataset:
    (file,) = client.get(f"{uri}/scans/5/resources/DICOM/files").json()["ResultSet"]["Result"]
    data = client.get(file["URI"]).content
    assert str(len(data)) == file["Size"]
    return pydicom.dcmread(io.BytesIO(data))


def test_scripts_are_stored_and_read_back_as_they_are(admin) -> None:
    assert admin.get("/xapi/anonymize/default").text.startswith("//")
    assert admin.get("/xapi/anonymize/site/enabled").json() is False
    assert admin.get("/xapi/anonymize/projects/P").status_code == 204
    assert admin.get("/xapi/anonymize/projects/P/enabled").json() is False
    assert admin.get("/data/projects/P/config/anon").status_code == 404
    for scope in ("site", "projects/P"):
        answer = put_script(admin, scope, SITE)
        assert (answer.status_code, answer.text) == (200, "")
        assert admin.get(f"/xapi/anonymize/{scope}").text == SITE
        assert admin.get(f"/xapi/anonymize/{scope}/enabled").json() is True
        assert admin.put(f"/xapi/anonymize/{scope}/enabled", params={"enable": "false"}, json=None).status_code == 200
        assert admin.get(f"/xapi/anonymize/{scope}/enabled").json() is False
        assert admin.put(f"/xapi/anonymize/{scope}/enabled", json=True).status_code == 200
        assert admin.get(f"/xapi/anonymize/{scope}/enabled").json() is True
    (row,) = admin.get("/data/projects/P/config/anon").json()["ResultSet"]["Result"]
    assert (row["contents"], row["status"]) == (SITE, "enabled")


def test_uploaders_read_the_script_of_the_site_from_its_configuration(admin) -> None:
    uri, text = "/data/config/anon/script", 'version "6.1"\n- (0010,0030)'
    assert admin.get(uri).status_code == 404
    admin.put("/xapi/anonymize/site", content=text)
    (row,) = admin.get(uri).json()["ResultSet"]["Result"]
    assert (row["contents"], row["path"], row["status"]) == (text, "script", "enabled")
    assert admin.get(uri, params={"contents": "true"}).text == text
    admin.put("/xapi/anonymize/site/enabled", params={"enable": "false"})
    assert admin.get(uri, params={"contents": "true"}).status_code == 404


def test_a_script_beyond_the_subset_is_refused_and_the_old_one_stays(admin) -> None:
    put_script(admin, "site", SITE)
    answer = put_script(admin, "site", 'version "6.1"\n\nremoveAllPrivateTags\n')
    assert answer.status_code == 400
    assert "Line 3: removeAllPrivateTags is not supported by this server" in answer.json()["detail"]
    assert admin.get("/xapi/anonymize/site").text == SITE
    assert put_script(admin, "projects/NONE", SITE).status_code == 404
    assert admin.put("/xapi/anonymize/site", content=b"\xff\xfe").status_code == 400
    long = put_script(admin, "site", "x" * 10**6)
    assert (long.status_code, long.json()["detail"]) == (400, "A script has at most 65536 characters.")


RIGHTS = [("olive", 403, 200), ("mary", 403, 403), ("carl", 403, 403), ("zoe", 403, 404)]


@pytest.mark.parametrize(("who", "of_site", "of_project"), RIGHTS)
def test_administrators_own_the_script_of_the_site_and_owners_that_of_their_project(
    admin, as_user, who, of_site, of_project
) -> None:
    for role, name in (("Owners", "olive"), ("Members", "mary"), ("Collaborators", "carl")):
        admin.put(f"/data/projects/P/users/{role}/{name}")
    put_script(admin, "projects/P", OURS)
    client = as_user(who)
    assert put_script(client, "site", SITE).status_code == of_site
    assert client.put("/xapi/anonymize/site/enabled", params={"enable": "true"}).status_code == of_site
    assert put_script(client, "projects/P", SITE).status_code == of_project
    assert client.put("/xapi/anonymize/projects/P/enabled").status_code == of_project
    assert client.get("/xapi/anonymize/projects/P").status_code == (404 if who == "zoe" else 200)


def test_both_scripts_are_applied_on_the_way_into_the_archive(admin, zip_with) -> None:
    put_script(admin, "site", SITE)
    put_script(admin, "projects/P", OURS)
    uri = send(admin, zip_with(), project="P", session="S1_MR9")
    ds = archived(admin, uri)
    assert (ds.PatientName, ds.PatientID, ds.StudyDescription) == ("NOBODY", "S1_MR9", "P")
    assert ds.StudyInstanceUID == hash_uid("1.2.3")
    assert "SeriesDescription" not in ds
    fields = admin.get(uri).json()["items"][0]["data_fields"]
    assert (fields["dcmPatientName"], fields["UID"]) == ("NOBODY", hash_uid("1.2.3"))
    assert "Jane" not in admin.get(f"{uri}/scans/5").text


def test_the_header_that_came_in_says_where_a_session_belongs(admin, zip_with) -> None:
    put_script(admin, "site", SITE)
    uri = send(admin, zip_with(StudyDescription="P"))
    assert uri.endswith("/projects/P/subjects/Doe_Jane/experiments/J1")


def test_the_prearchive_has_what_the_site_made_of_it_and_archiving_applies_the_project(admin, zip_with) -> None:
    put_script(admin, "site", SITE)
    put_script(admin, "projects/P", OURS)
    waiting = send(admin, zip_with(), dest="/prearchive/projects/P")
    data = admin.get(f"{waiting}/scans/5/resources/DICOM/files/a.dcm").content
    ds = pydicom.dcmread(io.BytesIO(data))
    assert (ds.PatientName, ds.StudyDescription, ds.StudyInstanceUID) == ("NOBODY", "Brain of Jane", hash_uid("1.2.3"))
    uri = admin.post("/data/services/archive", params={"src": waiting, "session": "S1_MR9"}).text
    ds = archived(admin, uri)
    assert (ds.PatientID, ds.StudyDescription, ds.StudyInstanceUID) == ("S1_MR9", "P", hash_uid("1.2.3"))


def test_a_disabled_script_changes_nothing(admin, zip_with) -> None:
    put_script(admin, "site", SITE)
    admin.put("/xapi/anonymize/site/enabled", params={"enable": "false"})
    assert archived(admin, send(admin, zip_with(), project="P")).PatientName == "Doe^Jane"


def test_a_session_that_falls_back_to_the_prearchive_is_not_changed_twice(admin, zip_with) -> None:
    put_script(admin, "projects/P", 'version "6.1"\n(0020,000D) := hashUID[(0020,000D)]\n')
    params = {"project": "P", "Direct-Archive": "true"}
    send(admin, zip_with(), **params)
    waiting = send(admin, zip_with(), **params)
    assert "prearchive" in waiting
    answer = admin.post("/data/services/archive", params={"src": waiting, "overwrite": "append"})
    assert answer.status_code == 200, answer.text


def test_a_file_that_a_script_cannot_be_applied_to_is_not_stored(admin, settings, zip_with) -> None:
    put_script(admin, "site", 'version "6.1"\n(0010,4000) ~ ".*a.*" ? - (0010,4000)\n')
    answer = admin.post(
        "/data/services/import", content=zip_with(PatientComments="a" * 20_000), params={"project": "P"}
    )
    assert (answer.status_code, "line 2" in answer.json()["detail"]) == (400, True)
    assert "aaa" not in answer.text
    assert not list(settings.data_dir.rglob("*.dcm"))
