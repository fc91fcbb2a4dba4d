"""What a client asks of the site itself, and who may."""

import pytest
from starlette.testclient import TestClient

from service_kit.accounts import Role


def rows(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["ResultSet"]["Result"]


def test_settings_are_for_administrators(admin, as_user) -> None:
    assert admin.get("/xapi/siteConfig").json()["requireLogin"] is True
    zoe = as_user("zoe")
    for method, path in (("GET", "/xapi/siteConfig"), ("POST", "/xapi/siteConfig"), ("PUT", "/xapi/siteConfig/siteId")):
        assert zoe.request(method, path, content=b"{}").status_code == 403
    assert zoe.get("/xapi/siteConfig/requireLogin").status_code == 403
    assert zoe.get("/xapi/siteConfig/buildInfo").status_code == 200


def test_a_setting_is_changed_alone_or_with_others_and_stays(admin, settings) -> None:
    assert admin.put("/xapi/siteConfig/siteId", content=b"Lab").status_code == 200
    assert admin.post("/xapi/siteConfig", json={"adminEmail": "a@b.c", "somethingElse": {"kept": [1]}}).is_success
    assert admin.get("/xapi/siteConfig/siteId").json() == "Lab"
    assert admin.get("/xapi/siteConfig/values/siteId,somethingElse,none").json() == {
        "siteId": "Lab",
        "somethingElse": {"kept": [1]},
    }
    assert admin.get("/xapi/siteConfig/none").status_code == 404


@pytest.mark.parametrize(
    "values",
    [
        {"requireLogin": "maybe"},
        {"sessionTimeout": "soon"},
        {"concurrentMaxSessions": 0},
        {"concurrentMaxSessions": "10" * 20},
        {"../x": 1},
        {"": 1},
        {"x": "y" * 70_000},
        {"x": "a\0b"},
        {"siteId": 5},
    ],
)
def test_a_setting_without_sense_changes_nothing(admin, values: dict[str, object]) -> None:
    before = admin.get("/xapi/siteConfig").json()
    answer = admin.post("/xapi/siteConfig", json={"adminEmail": "new@b.c", **values})
    assert answer.status_code == 400
    assert admin.get("/xapi/siteConfig").json() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"text"', b"{", b"\xff", b"[" * 100_000])
def test_settings_that_are_no_object_are_refused(admin, body: bytes) -> None:
    assert admin.post("/xapi/siteConfig", content=body).status_code == 400


def test_the_people_of_the_site(admin, as_user) -> None:
    zoe = as_user("zoe")
    assert {row["login"] for row in rows(admin.get("/data/users"))} == {"admin", "carl", "mary", "olive", "zoe"}
    assert admin.get("/xapi/users").json() == ["admin", "carl", "mary", "olive", "zoe"]
    assert zoe.get("/xapi/users/username").text == "zoe"
    assert zoe.get("/xapi/users/zoe").json()["username"] == "zoe"
    assert admin.get("/xapi/users/admin").json()["admin"] is True
    assert admin.get("/xapi/users/nobody").status_code == 404
    for path in ("/data/users", "/xapi/users", "/xapi/users/profiles", "/xapi/users/admin", "/xapi/users/nobody"):
        assert zoe.get(path).status_code == 403
    assert zoe.get("/xapi/users/zoe/roles").json() == []
    assert admin.get("/xapi/users/admin/roles").json() == ["Administrator"]
    admin.post("/xapi/siteConfig", json={"restrictUserListAccessToAdmins": False})
    assert len(zoe.get("/xapi/users").json()) == 5


def test_who_is_in_a_project_is_told_to_those_in_it(admin, as_user) -> None:
    admin.put("/data/projects/P/users/Members/mary")
    admin.put("/data/projects/P/accessibility/public")
    found = {row["login"]: (row["displayname"], row["GROUP_ID"]) for row in rows(as_user("mary").get(PEOPLE))}
    assert found == {"admin": ("Owners", "P_owner"), "mary": ("Members", "P_member")}
    assert as_user("zoe").get(PEOPLE).status_code == 403
    assert as_user("mary").get("/xapi/users/mary/groups").json() == ["P_member"]
    assert as_user("mary").get("/xapi/access/projects").json() == [{"ID": "P", "role": "Members"}]


PEOPLE = "/data/projects/P/users"


def test_access_is_asked_for_and_given(admin, as_user, session_uri) -> None:
    admin.put("/data/projects/P/users/Owners/olive")
    zoe, olive = as_user("zoe"), as_user("olive")
    assert zoe.put("/data/projects/P/pars").status_code == 404
    olive.put("/data/projects/P/accessibility/protected")
    assert [row["ID"] for row in rows(zoe.get("/data/projects"))] == ["P"]
    assert zoe.get("/data/projects/P").status_code == 200
    assert zoe.get(session_uri).status_code == 403
    number = zoe.put("/data/projects/P/pars", params={"level": "member"}).text
    assert zoe.put("/data/projects/P/pars").status_code == 409
    assert rows(zoe.get("/data/pars"))[0]["status"] == "open"
    assert zoe.get("/data/projects/P/pars").status_code == 403
    assert zoe.put(f"/data/pars/{number}?accept=true").status_code == 403
    assert as_user("mary").put(f"/data/pars/{number}?accept=true").status_code == 403
    assert [row["user"] for row in rows(olive.get("/data/projects/P/pars"))] == ["zoe"]
    assert [row["par_id"] for row in rows(olive.get("/data/pars"))] == [number]
    assert olive.put(f"/data/pars/{number}").status_code == 400
    assert olive.put(f"/data/pars/{number}?accept=true").status_code == 200
    assert zoe.get(session_uri).status_code == 200
    assert olive.put(f"/data/pars/{number}?decline=true").status_code == 404
    assert rows(zoe.get("/data/pars"))[0]["status"] == "accepted"
    assert zoe.put("/data/projects/P/pars").status_code == 409


def test_a_protected_project_shows_its_title_and_no_more(admin, as_user) -> None:
    fields = {"name": "Title", "PI/lastname": "Lead", "keywords": "inner"}
    params = {f"xnat:projectData/{path}": value for path, value in fields.items()}
    params |= {"xnat:projectData/fields/field[name=secret]/field": "inner"}
    params |= {"xnat:projectData/aliases/alias[1]/alias": "inner"}
    assert admin.put("/data/projects/P", params=params).status_code == 200
    admin.put("/data/projects/P/users/Owners/olive")
    admin.put("/data/projects/P/resources/inner/files/x", content=b"x")
    admin.put("/xapi/custom-fields/projects/P/fields", json={"a": "inner"})
    admin.put("/data/projects/P/accessibility/protected")
    zoe = as_user("zoe")
    (item,) = zoe.get("/data/projects/P").json()["items"]
    assert [child["field"] for child in item["children"]] == ["PI"]
    assert item["data_fields"] == {"ID": "P", "name": "Title"}
    columns = ["ID", "name", "pi_lastname", "alias", "keywords", "insert_user", "project_owners", "proj_mr_count"]
    columns += ["xnat:projectData/resources/resource/label", "xnat:projectData/fields/field[name=secret]/field"]
    (row,) = rows(zoe.get("/data/projects", params={"columns": ",".join(columns)}))
    assert (row.pop("ID"), row.pop("name"), row.pop("pi_lastname")) == ("P", "Title", "Lead")
    assert {value for key, value in row.items() if key not in {"URI", "pi_firstname"}} == {""}
    for inner in ("alias", "keywords", "xnat:projectData/resources/resource/label"):
        assert rows(zoe.get("/data/projects", params={inner: "inner"})) == []
        assert len(rows(as_user("olive").get("/data/projects", params={inner: "inner"}))) == 1
    for path in ("xapi/custom-fields/projects/P/fields", "data/projects/P/resources", "data/projects/P/users"):
        assert zoe.get(f"/{path}").status_code == 403
    for path in ("subjects/CF_S00001", "experiments/CF_E00001", "subjects/CF_S00001/experiments"):
        assert zoe.get(f"/data/{path}").status_code == 403


def test_a_declined_request_gives_nothing(admin, as_user, session_uri) -> None:
    admin.put("/data/projects/P/accessibility/protected")
    number = as_user("zoe").put("/data/projects/P/pars").text
    assert admin.put(f"/data/pars/{number}?decline=true").status_code == 200
    assert as_user("zoe").get(session_uri).status_code == 403
    for wrong in ("999", "x", "-1", "9" * 30):
        assert admin.put(f"/data/pars/{wrong}?accept=true").status_code == 404
    assert as_user("zoe").put("/data/projects/P/pars?level=king").status_code == 400


def test_a_coordinator_of_all_studies_reads_everything_and_changes_nothing(server, as_user, session_uri) -> None:
    server.app.state.accounts.create_user("cora", None)
    server.app.state.accounts.grant("cora", Role.coordinator)
    cora = as_user("cora")
    assert [row["ID"] for row in rows(cora.get("/data/projects"))] == ["P"]
    assert cora.get(session_uri).status_code == 200
    assert cora.put(f"{session_uri}?xnat:mrSessionData/note=x").status_code == 403
    assert cora.delete(session_uri).status_code == 403
    assert cora.get("/xapi/access/projects").json() == [{"ID": "P", "role": "Collaborators"}]


def test_lists_over_the_whole_site_tell_only_what_may_be_read(admin, as_user, session_uri) -> None:
    admin.put(session_uri, params={"xnat:mrSessionData/scanner": "S1"})
    assert rows(admin.get("/data/archive/scanners")) == [{"scanner": "S1"}]
    assert rows(admin.get("/data/archive/scan_types")) == [{"type": "T1 w"}]
    zoe = as_user("zoe")
    assert rows(zoe.get("/data/scanners")) == []
    assert rows(zoe.get("/data/scan_types")) == []
    counts = {row["ELEMENT_NAME"]: row["COUNT"] for row in rows(zoe.get("/data/search/elements"))}
    assert counts["xnat:mrSessionData"] == "0"


def test_values_of_custom_forms_are_kept_with_their_object(admin, as_user, session_uri) -> None:
    base = "/xapi/custom-fields/projects/P/subjects/S1/experiments/S1_MR1"
    assert admin.get(f"{base}/fields").json() == {}
    assert admin.put(f"{base}/fields", json={"a": {"b": [1, 2.5, None]}, "c": "x"}).json() == {
        "a": {"b": [1, 2.5, None]},
        "c": "x",
    }
    assert admin.get(f"{base}/fields/c").json() == "x"
    assert admin.get(f"{base}/fields?keys=c,none").json() == {"c": "x"}
    assert admin.put(f"{base}/fields", json={"c": "y"}).json() == {"a": {"b": [1, 2.5, None]}, "c": "y"}
    assert admin.get(f"{base}/scans/3/fields").json() == {}
    assert admin.delete(f"{base}/fields/a").json() == {"c": "y"}
    assert admin.get(f"{base}/fields/a").status_code == 404
    assert as_user("zoe").get(f"{base}/fields").status_code == 404
    assert admin.put("/xapi/custom-fields/projects/P/fields", json={"p": True}).json() == {"p": True}
    for body in ([], {"": 1}, {"k" * 300: 1}, {"k": "v" * 70_000}, {"k": "\0"}):
        assert admin.put(f"{base}/fields", json=body).status_code == 400
    admin.delete(session_uri)
    admin.put(session_uri, params={"xsiType": "xnat:mrSessionData"})
    assert admin.get(f"{base}/fields").json() == {}


def test_custom_forms_are_listed(admin, as_user) -> None:
    assert admin.get("/xapi/customforms").json() == []
    form_id = admin.put("/xapi/customforms/save", json={"title": "MRI quality"}).json()["formId"]
    assert as_user("zoe").get("/xapi/customforms").json()[0]["title"] == "MRI quality"
    assert as_user("zoe").put("/xapi/customforms/save", json={}).status_code == 403
    assert admin.delete(f"/xapi/customforms/{form_id}").status_code == 200
    assert admin.get("/xapi/customforms").json() == []


def test_what_is_not_here_is_an_empty_list_or_a_sentence(admin) -> None:
    assert admin.get("/xapi/plugins/").json() == {}
    assert admin.get("/xapi/plugins/containers").status_code == 404
    for path in ("/xapi/dicomscp", "/xapi/commands", "/xapi/containers"):
        assert admin.get(path).json() == []
    assert admin.get("/data/version").status_code == 404


def test_a_setting_outlives_the_server(admin, settings) -> None:
    from embedded_xnat.app import create_app

    admin.post("/xapi/siteConfig", json={"requireLogin": False})
    admin.app.state.holding.release()  # as the end of the process would
    with TestClient(create_app(settings)) as again:
        assert again.get("/data/projects").status_code == 200


def test_a_site_can_keep_projects_for_its_administrators(admin, as_user) -> None:
    olive = as_user("olive")
    assert olive.put("/data/projects/MINE").status_code == 200
    assert admin.post("/xapi/siteConfig", json={"uiAllowNonAdminProjectCreation": False}).status_code == 200
    refused = olive.put("/data/projects/MORE")
    assert (refused.status_code, "administrators" in refused.text) == (403, True)
    assert olive.put("/data/projects/MINE", params={"description": "still mine"}).status_code == 200
    assert admin.put("/data/projects/MORE").status_code == 200
