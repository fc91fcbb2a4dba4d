"""Where callbacks may go, what they say, and what of a task's content pages show."""

import pytest

from task_supervisor.contract.errors import ContentRefused
from task_supervisor.domain import callbacks
from task_supervisor.domain.content import shown_content

ALLOWED = ["http://127.0.0.1:8080", "https://governor.example/base"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/api/v2/callback_executions/7",
        "HTTPS://Governor.Example:443/base/x",
        "https://governor.example/base",
    ],
)
def test_an_address_below_an_allowed_one_is_allowed(url):
    assert callbacks.is_allowed(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8081/api", "https://127.0.0.1:8080/api", "http://127.0.0.1:8080@evil.example/", "file:///etc/passwd",
        "http://127.0.0.1.evil.example:8080/", "https://governor.example/based", "https://governor.example/base/../x",
        "https://governor.example/base/%2e%2e/x", "https://governor.example/", "", "http://[::1", "//127.0.0.1:8080/x",
        "http://127.0.0.1:99999/", "https://governor.example/base/..\\x",
    ],
)  # fmt: skip
def test_every_other_address_is_not(url):
    assert not callbacks.is_allowed(url, ALLOWED)


def test_an_answer_is_merged_into_what_was_ordered():
    body = callbacks.done_body(
        {"status": "finished", "result": "success", "secret_key": "s", "result_values": {"kept": 1}},
        answer={"decision": "accept", "comment": ""},
        values={"decision": "accept", "comment": ""},
        uri="http://site/tasks/7",
        answered_by="mia",
    )
    assert body == {
        "status": "finished",
        "result": "success",
        "secret_key": "s",
        "result_values": {
            "kept": 1,
            "decision": "accept",
            "comment": "",
            "answer": {"decision": "accept", "comment": ""},
            "answered_by": "mia",
            "task_uri": "http://site/tasks/7",
        },
    }


def test_an_aborted_task_is_reported_as_failed_with_the_reason():
    body = callbacks.aborted_body({"result": "success", "secret_key": "s"}, reason="wrong scan", uri="u")
    assert (body["status"], body["result"], body["secret_key"]) == ("finished", "failed", "s")
    assert "wrong scan" in body["run_log"]


def test_secrets_are_blanked_and_their_keys_stay():
    shown = callbacks.blanked({"secret_key": "a", "nested": {"token": "b"}, "status": "finished"})
    assert shown == {"secret_key": callbacks.BLANK, "nested": {"token": callbacks.BLANK}, "status": "finished"}


@pytest.mark.parametrize("content", ["no json", "[1]", 3, [1]])
def test_callback_content_that_is_no_object_is_refused(content):
    with pytest.raises(ContentRefused):
        callbacks.content_object(content)


def test_content_may_be_text_or_an_object_and_shows_the_same():
    text = '{"volumes": [{"role": "mask", "uri": "/data/experiments/E/resources/R/files/m.nii.gz"}], "secret": "x"}'
    shown = shown_content(text)
    assert shown.volumes[0].role == "mask"
    assert "secret" not in shown.model_dump()


@pytest.mark.parametrize("content", ["free text", 3, None, {"scans": []}, {"volumes": None}])
def test_content_of_another_kind_shows_nothing(content):
    assert shown_content(content).files == ()


@pytest.mark.parametrize(
    "uri",
    [
        "http://evil.example/x",
        "/etc/passwd",
        "/data/../x",
        "/data/x?format=zip",
        "/data/x#y",
        "/data/JSESSION",
        "/data/services/tokens/issue",
        "/data/experiments/E/resources/R/files/%2e%2e/%2e%2e/x",
        "data/x",
        "/data/a\\b",
        3,
    ],
)
def test_files_outside_the_archive_are_refused(uri):
    with pytest.raises(ContentRefused, match="volumes/0/uri"):
        shown_content({"volumes": [{"uri": uri}]})
