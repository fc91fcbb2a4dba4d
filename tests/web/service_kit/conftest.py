"""The gallery on a real server, and a real browser to look at it."""

import socket
import threading

import pytest
import uvicorn

from tests.browser import launched
from tests.web.service_kit.gallery import create_gallery


@pytest.fixture(scope="module")
def gallery_url(tmp_path_factory, built_front_end):
    app = create_gallery(tmp_path_factory.mktemp("gallery"))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        threading.Event().wait(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    app.state.broadcast.close()
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def chromium_browser(chromium):
    with launched(chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def built_front_end():
    from service_kit.web.assets import STATIC_DIR

    manifest = STATIC_DIR / "dist" / "manifest.json"
    if not manifest.is_file():
        pytest.fail("the front end is not built: ./run setup")
    return manifest
