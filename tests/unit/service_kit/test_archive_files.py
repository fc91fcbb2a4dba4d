"""Files of the archive, through a small archive of our own that speaks by real HTTP."""

import hashlib
import threading
from typing import Annotated

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Header, Request
from fastapi.responses import FileResponse
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse, Response

from service_kit import problems
from service_kit.archive_files import ArchiveFileMissing, ArchiveFiles, ArchiveUnavailable, UriRefused

CONTENT = bytes(range(256)) * 4000
FILE = "/data/experiments/XNAT_E1/resources/1/files/a.nii.gz"


class Archive:
    """Log-ins by JSESSION, files with ranges and ETags; counts what it is asked."""

    def __init__(self, folder):
        self.path = folder / "a.nii.gz"
        self.path.write_bytes(CONTENT)
        self.sessions, self.logins = set(), 0
        self.app = FastAPI()
        self.app.post("/data/JSESSION")(self.log_in)
        self.app.delete("/data/JSESSION")(self.log_out)
        self.app.get("/data/{path:path}")(self.file)

    def log_in(self, authorization: Annotated[str, Header()] = "") -> Response:
        if authorization != "Basic c2VydmljZTpwYXNz":
            return Response(status_code=401)
        self.logins += 1
        session = f"S{self.logins}"
        self.sessions.add(session)
        return PlainTextResponse(session)

    def log_out(self, request: Request) -> Response:
        self.sessions.discard(request.cookies.get("JSESSIONID"))
        return Response()

    def file(self, path: str, request: Request) -> Response:
        if request.cookies.get("JSESSIONID") not in self.sessions:
            return Response(status_code=401)
        if "broken" in path:
            return Response(status_code=500)
        if not path.endswith("a.nii.gz"):
            return Response(status_code=404)
        etag = f'"{hashlib.md5(CONTENT).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"etag": etag})
        return FileResponse(self.path, headers={"etag": etag, "set-cookie": "JSESSIONID=leak"})


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    archive = Archive(tmp_path_factory.mktemp("archive"))
    server = uvicorn.Server(uvicorn.Config(archive.app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    archive.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield archive
    server.should_exit = True
    thread.join()


@pytest.fixture
def files(archive):
    files = ArchiveFiles(archive.url, "service", "pass")
    yield files
    files.close()


@pytest.fixture
def browser(files):
    app = FastAPI()
    problems.install(app)

    @app.get("/picture")
    def picture(request: Request, uri: str = FILE, media_type: str = "application/gzip") -> Response:
        return files.response(request, uri, "masque é.nii.gz", media_type=media_type, cache_s=60)

    with TestClient(app) as client:
        yield client


def test_a_file_comes_whole_with_one_log_in_for_many(archive, files):
    logins = archive.logins
    for _ in range(3):
        status, headers, pieces = files.stream(FILE)
        assert (status, b"".join(pieces)) == (200, CONTENT)
    assert headers["content-length"] == str(len(CONTENT))
    assert archive.logins == logins + 1


def test_a_log_in_that_ended_is_renewed(archive, files):
    b"".join(files.stream(FILE)[2])
    archive.sessions.clear()
    assert b"".join(files.stream(FILE)[2]) == CONTENT


def test_a_part_comes_by_range(files):
    status, headers, pieces = files.stream(FILE, "bytes=10-19")
    assert (status, b"".join(pieces)) == (206, CONTENT[10:20])
    assert headers["content-range"] == f"bytes 10-19/{len(CONTENT)}"


def test_a_browser_gets_it_in_place_kept_and_harmless(browser):
    response = browser.get("/picture")
    assert response.content == CONTENT
    assert response.headers["content-type"] == "application/gzip"
    assert response.headers["cache-control"] == "private, max-age=60"
    assert response.headers["content-disposition"] == "inline; filename*=UTF-8''masque%20%C3%A9.nii.gz"
    assert "sandbox" in response.headers["content-security-policy"]
    assert "set-cookie" not in response.headers


def test_a_report_of_the_archive_runs_nothing_but_a_pdf_can_be_shown(browser):
    for media_type, is_boxed in (("text/html", True), ("image/svg+xml", True), ("application/pdf", False)):
        policy = browser.get("/picture", params={"media_type": media_type}).headers["content-security-policy"]
        assert ("sandbox" in policy) == is_boxed
        assert "script-src" not in policy


def test_a_browser_that_has_it_is_told_so(browser):
    etag = browser.get("/picture").headers["etag"]
    response = browser.get("/picture", headers={"If-None-Match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert browser.get("/picture", headers={"Range": "bytes=0-3"}).content == CONTENT[:4]


@pytest.mark.parametrize(
    "uri",
    [
        "http://evil.example/data/x",
        "//evil.example/data/x",
        "/xapi/users",
        "/data/../xapi/users",
        "/data/%2e%2e/xapi/users",
        "/data/%252e%252e/xapi/users",
        "/data/x?format=zip",
        "/data//x",
        "/data/a\r\nHost: evil",
        "/data/..\\x",
        "/data/JSESSION",
        "/data/services/tokens/issue",
        "/data/experiments/E1",
        "/data/experiments/E1/resources/1/files/",
        "/data/experiments/E1/resources/1/files/../../../JSESSION",
        "/data/experiments/E1/resources/1/files/%2e%2e/b.png",
        "/data/experiments/E1/resources/1/files/a.png\n",
        "/data/services/x/resources/1/files/a.png",
        "",
    ],
)
def test_nothing_but_a_file_of_the_archive_is_asked_for(files, uri):
    with pytest.raises(UriRefused):
        files.stream(uri)


def test_a_missing_file_and_a_sick_archive_are_told_apart(files, browser):
    with pytest.raises(ArchiveFileMissing):
        files.stream("/data/experiments/E1/scans/5/resources/1/files/b.png")
    with pytest.raises(ArchiveUnavailable, match="answered 500"):
        files.stream("/data/experiments/E1/resources/1/files/broken")
    assert browser.get("/picture", params={"uri": "/data/experiments/E1/resources/1/files/none"}).status_code == 404


def test_a_wrong_password_and_a_silent_archive_are_one_sentence(archive):
    wrong = ArchiveFiles(archive.url, "service", "wrong")
    with pytest.raises(ArchiveUnavailable, match="refused the log-in"):
        wrong.stream(FILE)
    wrong.close()
    silent = ArchiveFiles("http://127.0.0.1:9", "service", "pass")
    with pytest.raises(ArchiveUnavailable, match="does not answer"):
        silent.stream(FILE)
    silent.close()


def test_closing_does_not_wait_for_an_archive_that_hangs():
    asked = []

    def archive(request):
        asked.append((request.method, request.extensions["timeout"]["read"]))
        return httpx.Response(200, stream=httpx.ByteStream(b"A-SESSION"))

    files = ArchiveFiles(
        "http://archive", "service", "pass", client=httpx.Client(transport=httpx.MockTransport(archive))
    )
    b"".join(files.stream(FILE)[2])
    files.close()
    assert asked[-1] == ("DELETE", 2.0)


def test_closing_signs_out(archive):
    files = ArchiveFiles(archive.url, "service", "pass")
    b"".join(files.stream(FILE)[2])
    before = len(archive.sessions)
    files.close()
    assert len(archive.sessions) == before - 1
