"""The shell: macros, headers, error pages, built files."""

import json
import os
import re
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from service_kit.app import new_app
from service_kit.errors import Conflict
from service_kit.settings import ServiceSettings
from service_kit.web import filters
from service_kit.web.assets import STATIC_DIR, Manifest
from service_kit.web.pages import _environment

HTML = {"accept": "text/html"}


@pytest.fixture
def client():
    app = new_app(
        "Test", ServiceSettings(accounts_database_url="sqlite://", site_url="http://testserver"), service="gateway"
    )

    @app.post("/conflict")
    def conflict() -> None:
        raise Conflict("The <session> moved on.")

    @app.get("/bug")
    def bug() -> None:
        raise RuntimeError("secret detail")

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def macro(call: str, **context) -> str:
    source = '{% import "macros.html" as ui %}' + call
    return _environment("service_kit").from_string(source).render(context)


def test_no_answer_lets_anything_inline_or_foreign_run(client):
    for path in ("/healthz", "/nowhere", "/static/mark.svg", "/bug"):
        policy = client.get(path, headers=HTML).headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert client.get(path, headers=HTML).headers["x-content-type-options"] == "nosniff"


def test_no_template_has_inline_script_style_or_handlers():
    for path in (STATIC_DIR.parent.parent).rglob("templates/*.html"):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|hx-on|https?://", text), path


def test_a_browser_gets_an_error_page_with_the_sentence_escaped(client):
    response = client.post("/conflict", headers=HTML)
    assert response.status_code == 409
    assert "The &lt;session&gt; moved on." in response.text
    assert "<h1" in response.text


def test_the_pages_of_all_services_of_a_site_name_one_worker_for_their_streams(client):
    mounted = TestClient(client.app, root_path="/cohort/gateway", raise_server_exceptions=False)
    assert (
        '<meta name="stream-worker" content="/cohort/static/dist/stream_worker' in mounted.get("/x", headers=HTML).text
    )
    assert '<meta name="stream-worker" content="/static/dist/stream_worker' in client.get("/x", headers=HTML).text, (
        "alone"
    )


def test_a_program_gets_the_same_as_problem_details(client):
    assert client.post("/conflict").json()["detail"] == "The <session> moved on."


def test_htmx_gets_a_part_not_a_page(client):
    response = client.post("/conflict", headers={**HTML, "HX-Request": "true"})
    assert "moved on" in response.text
    assert "<html" not in response.text


def test_a_bug_shows_a_reference_and_no_detail(client):
    response = client.get("/bug", headers=HTML)
    assert response.status_code == 500
    assert "secret" not in response.text
    assert re.search(r"reference [0-9a-f]{8}", response.text)


def test_pages_are_not_kept_but_hashed_files_are(client, tmp_path):
    assert client.get("/nowhere", headers=HTML).headers["cache-control"] == "no-store"
    assert client.get("/static/mark.svg").headers["cache-control"] == "no-cache"


def test_the_manifest_is_read_again_after_a_build(tmp_path, caplog):
    path = tmp_path / "manifest.json"
    manifest = Manifest(path)
    assert manifest.path_of("shell.js") == "dist/shell.js"
    assert manifest.path_of("shell.js") == "dist/shell.js"
    assert [record.message for record in caplog.records] == ["front-end bundle is not built"]
    for built in ("shell-A.js", "shell-B.js"):
        path.write_text(json.dumps({"shell.js": built}))
        os.utime(path, ns=(1, hash(built) % 10**9))
        assert manifest.path_of("shell.js") == f"dist/{built}"
    assert manifest.has("shell.js")
    assert not manifest.has("shell.css")


def test_a_state_has_a_word_and_a_tone():
    html = macro('{{ ui.badge("extraction_failed") }}')
    assert "extraction failed" in html
    assert "cf-tone-red" in html
    assert "cf-tone-blue" in macro('{{ ui.badge("released", tone="blue") }}')


def test_text_in_macros_is_escaped():
    for call in ("{{ ui.badge(x) }}", "{{ ui.empty(x, x) }}", "{{ ui.alert(x) }}", "{{ ui.stat(x, x, href=x) }}"):
        assert "<script" not in macro(call, x="<script>")


def test_a_table_has_a_caption_and_scoped_headings():
    html = macro('{% call ui.table(["Session", ("Scans", "num")], caption="Sessions") %}<tr></tr>{% endcall %}')
    assert '<caption class="visually-hidden">Sessions</caption>' in html
    assert html.count('<th scope="col"') == 2
    assert "<tr></tr>" in html


def test_a_moment_is_told_to_machines_and_to_people():
    html = macro("{{ ui.time(at) }}", at=datetime(2026, 3, 1, 9, 5, tzinfo=UTC))
    assert 'datetime="2026-03-01T09:05:00Z"' in html
    assert ">2026-03-01 09:05<" in html
    assert "\N{EN DASH}" in macro("{{ ui.time(none) }}")


def test_progress_without_a_total_only_says_that_it_runs():
    assert "value=" not in macro("{{ ui.progress() }}")
    assert 'value="3" max="7"' in macro("{{ ui.progress(3, 7) }}")


@given(st.floats(0, 1e15))
def test_sizes_and_durations_are_short(number):
    assert len(filters.size(number)) < 12
    assert len(filters.duration(number)) < 25


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        ("arrived", "secondary"),
        ("extracting", "blue"),
        ("waiting", "yellow"),
        ("review", "yellow"),
        ("review_overdue", "yellow"),
        ("released", "green"),
        ("release_failed", "red"),
        ("quarantined", "red"),
        ("claimed", "blue"),
        ("not_relevant", "secondary"),
    ],
)
def test_tones_follow_the_words(state, tone):
    assert filters.tone(state) == tone
