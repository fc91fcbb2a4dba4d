"""Resources and files: what is made, sent, read in parts, packed and described."""

import base64
import hashlib
import io
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer

import pytest
from sqlalchemy import event

from embedded_xnat.resources import endpoints


def rows(response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    return response.json()["ResultSet"]["Result"]


def test_a_resource_is_made_once(admin, session_uri: str) -> None:
    uri = f"{session_uri}/resources/R"
    made = admin.put(uri, params={"format": "NIFTI", "content": "T1", "tags": "a,b", "description": "text"})
    assert made.status_code == 200
    assert admin.put(uri).status_code == 409
    form = {"xsiType": "xnat:resourceCatalog", "req_format": "qs", "xnat:resourceCatalog/label": "R"}
    assert admin.put(uri, params=form).status_code == 409
    row = rows(admin.get(f"{session_uri}/resources"))[0]
    assert {name: row[name] for name in ("format", "content", "tags", "cat_desc", "file_count")} == {
        "format": "NIFTI",
        "content": "T1",
        "tags": "a,b",
        "cat_desc": "text",
        "file_count": "0",
    }
    assert not {"ID", "URI"} & set(row)


def test_what_is_said_about_a_resource_can_be_changed(admin, as_user, session_uri: str) -> None:
    uri = f"{session_uri}/resources/R"
    admin.put(uri, params={"format": "NIFTI"})
    change = {"xsiType": "xnat:resourceCatalog", "xnat:resourceCatalog/tags": "new"}
    assert admin.put(uri, params=change).status_code == 200
    row = rows(admin.get(f"{session_uri}/resources"))[0]
    assert (row["format"], row["tags"]) == ("NIFTI", "new")
    admin.put("/data/projects/P/users/Collaborators/carl")
    assert as_user("carl").put(uri, params=change).status_code == 403


@pytest.mark.parametrize(
    "name", ["a b.txt", "ä.txt", "50%.txt", "a#1.txt", "a?b.txt", "a&b=c.txt", "[1].txt", "a;b.txt", "'q\".txt"]
)
def test_odd_names_come_back_as_they_were(admin, session_uri: str, name: str) -> None:
    from urllib.parse import quote

    uri = f"{session_uri}/resources/R/files/sub/{quote(name)}"
    assert admin.put(uri, content=name.encode()).status_code == 200
    row = rows(admin.get(f"{session_uri}/resources/R/files"))[0]
    assert row["Name"] == name
    answer = admin.get(row["URI"])
    assert (answer.status_code, answer.content) == (200, name.encode())
    packed = admin.get(f"{session_uri}/resources/R/files", params={"format": "zip"}).content
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == [f"S1_MR1/resources/R/files/sub/{name}"]
    assert admin.delete(row["URI"]).status_code == 200
    assert admin.get(row["URI"]).status_code == 404


@pytest.fixture
def digits(admin, session_uri: str) -> str:
    uri = f"{session_uri}/resources/R/files/a.bin"
    admin.put(uri, content=b"0123456789")
    return uri


@pytest.mark.parametrize(
    ("wanted", "status", "content", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=20-30", 416, None, "bytes */10"),
    ],
)
def test_a_range_is_served_or_refused(admin, digits: str, wanted, status, content, content_range) -> None:
    answer = admin.get(digits, headers={"Range": wanted})
    assert (answer.status_code, answer.headers["content-range"]) == (status, content_range)
    assert content is None or answer.content == content


def test_a_client_that_has_the_file_is_told_so(admin, digits: str) -> None:
    whole = admin.get(digits)
    assert whole.headers["etag"] == f'"{hashlib.md5(b"0123456789").hexdigest()}"'
    for headers in (
        {"If-None-Match": whole.headers["etag"]},
        {"If-None-Match": f'"other", W/{whole.headers["etag"]}'},
        {"If-Modified-Since": whole.headers["last-modified"]},
    ):
        answer = admin.get(digits, headers=headers)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", whole.headers["etag"])
    assert admin.get(digits, headers={"If-None-Match": '"other"'}).status_code == 200
    assert admin.get(digits, headers={"If-Modified-Since": "no date"}).status_code == 200
    stale = admin.get(digits, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, b"0123456789")


def test_head_says_how_large_a_file_is_and_sends_nothing(admin, digits: str, session_uri: str) -> None:
    head = admin.head(digits)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "10", b"")
    assert head.headers["last-modified"]
    assert admin.head(f"{session_uri}/resources/R/files/none").status_code == 404
    packed = admin.head(f"{session_uri}/resources/R/files", params={"format": "zip"})
    assert (packed.status_code, packed.content, packed.headers.get("content-length")) == (200, b"", None)


def test_a_file_that_is_being_replaced_is_never_served_with_the_other_digest(server, admin, digits: str) -> None:
    """Between the commit and the rename the row is new and the old bytes still have the name."""
    archive = server.app.state.archive
    finish, archive._finish = archive._finish, lambda rows: held.extend(rows)
    held: list = []
    keep = archive.files.root / ".incoming" / "kept"
    with archive.files.incoming() as incoming:
        incoming.write(b"new bytes")
        stored = incoming.finish()
        stored.temporary.rename(keep)
    from sqlmodel import select

    from embedded_xnat.db.tables import FileRow
    from embedded_xnat.storage.files import Stored

    with archive.change() as change:
        row = change.session.exec(select(FileRow)).one()
        row.size, row.md5 = stored.size, stored.md5
        change.replace(Stored(keep, stored.size, stored.md5), "P/arc001/S1_MR1/RESOURCES/R/a.bin")
    answer = admin.get(digits)
    assert (answer.content, answer.headers["etag"]) == (b"new bytes", f'"{stored.md5}"')
    archive._finish = finish
    finish(held)
    assert admin.get(digits).content == b"new bytes"


def test_a_file_is_there_while_its_session_is_being_renamed(server, admin, as_user, digits: str, session_uri) -> None:
    """Between the commit and the rename on disk the row says the new place, and the bytes lie in the old one."""
    archive = server.app.state.archive
    finish, committed, go_on = archive._finish, Event(), Event()

    def finish_late(rows) -> None:
        committed.set()
        go_on.wait(10)
        finish(rows)

    archive._finish = finish_late
    number = rows(admin.get(f"{session_uri}/resources"))[0]["xnat_abstractresource_id"]
    with ThreadPoolExecutor(2) as pool:
        renamed = pool.submit(admin.put, session_uri, params={"label": "NEW"})
        assert committed.wait(10)
        read = pool.submit(as_user("admin").get, f"/data/experiments/CF_E00001/resources/{number}/files/a.bin")
        Timer(0.2, go_on.set).start()
        assert (read.result().status_code, read.result().content) == (200, b"0123456789")
        assert renamed.result().status_code == 200


def test_forms_bring_several_files_in_pieces(admin, session_uri: str) -> None:
    uri = f"{session_uri}/resources/R/files"
    large = bytes(range(256)) * 20_000
    files = [("file", ("a.bin", large)), ("file", ("sub.txt", b"\r\n--x\r\n")), ("note", (None, "no file"))]
    assert admin.post(f"{uri}/folder", files=files).status_code == 200
    assert admin.get(f"{uri}/folder/a.bin").content == large
    assert admin.get(f"{uri}/folder/sub.txt").content == b"\r\n--x\r\n"
    assert len(rows(admin.get(uri))) == 2


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no form at all"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nhalf',
        ),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n--b--\r\n'),
        ("multipart/form-data; boundary=b", b"--b\r\nX: " + b"x" * 100_000),
    ],
)
def test_broken_forms_are_refused_and_leave_nothing(admin, settings, session_uri, content_type, body) -> None:
    answer = admin.post(f"{session_uri}/resources/R/files", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 400
    assert admin.get(f"{session_uri}/resources/R").status_code == 404
    assert not list((settings.data_dir / ".incoming").iterdir())


def md5_of(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def sha256_of(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-MD5": md5_of(b"data")}, 200),
        ({"Content-MD5": md5_of(b"other")}, 400),
        ({"Content-MD5": "no base64!"}, 400),
        ({"Content-Digest": f"sha-256=:{sha256_of(b'data')}:"}, 200),
        ({"Content-Digest": f"sha-256=:{sha256_of(b'other')}:"}, 400),
        ({"Repr-Digest": f"md5=:{md5_of(b'other')}:"}, 400),
        ({"Content-Digest": "unixsum=:AAAA:"}, 200),
    ],
)
def test_a_body_with_another_digest_than_declared_is_not_stored(admin, session_uri, headers, status) -> None:
    uri = f"{session_uri}/resources/R/files/a"
    assert admin.put(uri, content=b"data", headers=headers).status_code == status
    assert admin.get(uri).status_code == (200 if status == 200 else 404)


def archive_bytes(kind: str, **files: bytes) -> bytes:
    body = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(body, "w") as archive:
            for name, data in files.items():
                archive.writestr(f"sub/{name}", data)
    else:
        with tarfile.open(fileobj=body, mode="w:gz" if kind == "tgz" else "w") as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(f"./sub/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return body.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_archives_are_unpacked_into_the_resource(admin, session_uri: str, kind: str) -> None:
    uri = f"{session_uri}/resources/R/files"
    sent = {"a": b"one", "b": b"two"}
    answer = admin.put(f"{uri}/upload.{kind}", content=archive_bytes(kind, **sent), params={"extract": "true"})
    assert answer.status_code == 200
    assert {row["Name"]: row["digest"] for row in rows(admin.get(uri))} == {
        name: hashlib.md5(data).hexdigest() for name, data in sent.items()
    }
    again = admin.put(f"{uri}/upload.{kind}", content=archive_bytes(kind, a=b"other"), params={"extract": "true"})
    assert again.json() == {"duplicates": ["sub/a"]}
    assert admin.get(f"{uri}/sub/a").content == b"one"


def names(answer, kind: str) -> set[str]:
    assert answer.status_code == 200, answer.text
    if kind == "zip":
        return set(zipfile.ZipFile(io.BytesIO(answer.content)).namelist())
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:*") as archive:
        return set(archive.getnames())


@pytest.fixture
def filled(admin, session_uri: str) -> str:
    admin.put(f"{session_uri}/assessors/QC1", params={"xsiType": "xnat:qcManualAssessorData"})
    admin.put(f"{session_uri}/reconstructions/REC")
    for path in (
        "scans/3/resources/DICOM/files/a.dcm",
        "resources/R/files/b",
        "assessors/QC1/resources/A/files/c",
        "reconstructions/REC/resources/B/files/d",
    ):
        assert admin.put(f"{session_uri}/{path}", content=path.encode(), params={"format": "X"}).status_code == 200
    return session_uri


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_have_the_folders_that_clients_expect(admin, filled: str, kind: str) -> None:
    scan, own = "S1_MR1/scans/3-T1_w/resources/DICOM/files/a.dcm", "S1_MR1/resources/R/files/b"
    for uri, expected in {
        f"{filled}/scans/ALL/files": {scan},
        f"{filled}/scans/3/resources/DICOM/files": {scan},
        f"{filled}/scans/3/resources/DICOM": {scan},
        f"{filled}/files": {own},
        f"{filled}/resources/R/files": {own},
        f"{filled}/assessors/QC1/files": {"S1_MR1/assessors/QC1/resources/A/files/c"},
        f"{filled}/reconstructions/REC/files": {"S1_MR1/reconstructions/REC/resources/B/files/d"},
    }.items():
        assert names(admin.get(uri, params={"format": kind}), kind) == expected, uri
    everything = names(admin.get(f"{filled}/files", params={"format": kind, "all": "true"}), kind)
    assert {scan, own} < everything
    assert len(everything) == 4


def test_a_simplified_archive_has_no_folders_that_say_nothing(admin, filled: str) -> None:
    params = {"format": "zip", "structure": "simplified", "all": "true"}
    assert names(admin.get(f"{filled}/files", params=params), "zip") == {
        "S1_MR1/R/b",
        "S1_MR1/scans/3-T1_w/DICOM/a.dcm",
        "S1_MR1/assessors/QC1/A/c",
        "S1_MR1/reconstructions/REC/B/d",
    }
    admin.put(f"{filled}/resources/scans/files/3-T1_w/DICOM/a.dcm", content=b"another of this name")
    assert len(names(admin.get(f"{filled}/files", params=params), "zip")) == 5, "none takes the place of another"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_is_whole_when_what_it_holds_is_renamed_on_the_way(
    admin, filled: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = endpoints._pack

    def rename_and_pack(entries, packing: str):
        assert admin.put(f"{filled}/assessors/QC1", params={"label": "QC2"}).status_code == 200
        assert admin.put(filled, params={"label": "NEW"}).status_code == 200
        return pack(entries, packing)

    before = names(admin.get(f"{filled}/files", params={"format": kind, "all": "true"}), kind)
    monkeypatch.setattr(endpoints, "_pack", rename_and_pack)
    assert names(admin.get(f"{filled}/files", params={"format": kind, "all": "true"}), kind) == before


def test_an_archive_never_holds_what_came_to_the_place_of_its_files(
    admin, session_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels of two sessions are exchanged after the files to send were listed, and before they are read."""
    other = f"{session_uri.removesuffix('S1_MR1')}OTHER"
    admin.put(other, params={"xsiType": "xnat:mrSessionData"})
    for uri, content in ((session_uri, b"mine"), (other, b"not!")):
        admin.put(f"{uri}/resources/R/files/a", content=content)
    pack = endpoints._pack

    def exchange_and_pack(entries, packing: str):
        for number, label in ((1, "FREE"), (2, "S1_MR1"), (1, "OTHER")):
            assert admin.put(f"/data/experiments/CF_E0000{number}", params={"label": label}).status_code == 200
        return pack(entries, packing)

    monkeypatch.setattr(endpoints, "_pack", exchange_and_pack)
    answer = admin.get("/data/experiments/CF_E00001/files", params={"format": "zip"})
    assert zipfile.ZipFile(io.BytesIO(answer.content)).read("S1_MR1/resources/R/files/a") == b"mine"


def test_files_can_be_chosen_by_what_was_said_about_them(admin, filled: str) -> None:
    admin.put(f"{filled}/resources/R/files/n", content=b"n", params={"format": "NIFTI", "content": "T1"})
    uri = f"{filled}/resources/R/files"
    assert [row["Name"] for row in rows(admin.get(uri, params={"file_format": "NIFTI"}))] == ["n"]
    assert [row["Name"] for row in rows(admin.get(uri, params={"file_content": "T1,T2"}))] == ["n"]
    assert names(admin.get(uri, params={"format": "zip", "file_format": "X"}), "zip") == {"S1_MR1/resources/R/files/b"}


def test_a_file_of_the_servers_own_disk_is_not_taken(admin, session_uri: str) -> None:
    answer = admin.put(f"{session_uri}/resources/R/files/a", params={"reference": "/etc/passwd"})
    assert answer.status_code == 400
    assert admin.get(f"{session_uri}/resources/R").status_code == 404


def test_the_files_of_many_scans_are_listed_by_as_few_questions_as_those_of_one(
    admin, server, session_uri: str
) -> None:
    engine = server.app.state.archive.database.engine

    def asked() -> int:
        questions: list[str] = []

        def note(*said) -> None:
            questions.append(said[2])

        event.listen(engine, "before_cursor_execute", note)
        try:
            assert admin.get(f"{session_uri}/scans/ALL/files").status_code == 200
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len([one for one in questions if "FROM resource" in one or "FROM file" in one])

    def fill(scan: int) -> None:
        admin.put(f"{session_uri}/scans/{scan}", params={"xsiType": "xnat:mrScanData"})
        assert admin.put(f"{session_uri}/scans/{scan}/resources/R/files/a", content=b"a").status_code == 200

    fill(3)
    one = asked()
    for scan in range(4, 9):
        fill(scan)
    assert asked() == one
    found = admin.get(f"{session_uri}/scans/4,8/resources/R/files").json()["ResultSet"]["Result"]
    assert [row["URI"].split("/")[5] for row in found] == ["4", "8"]
