"""Links and the navigation, for a service at the root, mounted, behind a proxy and alone."""

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from service_kit.accounts.domain import Grant, Principal, Role
from service_kit.web import site
from service_kit.web.site import Site

CARL = Principal("carl", "Carl", frozenset({Grant(Role.coordinator)}))
MIA = Principal("mia", "Mia", frozenset({Grant(Role.annotator)}))


def request(service: str, path: str, *, root_path: str = "", **addresses: str) -> Request:
    app = FastAPI()
    app.state.service = service
    app.state.site = Site(site_url="https://cohort.example.org", **addresses)
    scope = {"type": "http", "method": "GET", "path": path, "root_path": root_path, "headers": [], "app": app}
    return Request({**scope, "query_string": b"", "server": ("testserver", 80), "scheme": "http"})


@pytest.mark.parametrize(
    ("service", "root_path", "own", "across", "login"),
    [
        ("study_governor", "", "/x", "/tasks/7", "/login"),
        ("task_supervisor", "/tasks", "/tasks/x", "/tasks/7", "/login"),
        ("gateway", "/cohort/gateway", "/cohort/gateway/x", "/cohort/tasks/7", "/cohort/login"),
        ("task_supervisor", "", "/x", "https://cohort.example.org/tasks/7", "/login"),
    ],
)
def test_links_fit_where_the_service_is(service, root_path, own, across, login):
    asked = request(service, f"{root_path}/", root_path=root_path)
    assert site.own_url(asked, "/x") == own
    assert site.site_url(asked, "/tasks/7") == across
    assert site.shared_url(asked, "/login") == login


@pytest.mark.parametrize(
    ("service", "root_path", "path", "current"),
    [
        ("study_governor", "", "/", "Dashboard"),
        ("study_governor", "", "/sessions/3", "Sessions"),
        ("study_governor", "", "/sessionsx", None),
        ("study_governor", "", "/account", None),
        ("task_supervisor", "/tasks", "/tasks/", "Tasks"),
        ("task_supervisor", "/tasks", "/tasks/12", "Tasks"),
        ("gateway", "/cohort/gateway", "/cohort/gateway/quarantine", "Arrivals"),
        ("study_governor", "/cohort", "/cohort/", "Dashboard"),
        ("study_governor", "/cohort", "/cohort/sessions", "Sessions"),
    ],
)
def test_one_entry_is_the_current_one(service, root_path, path, current):
    items = site.navigation(request(service, path, root_path=root_path), CARL)
    assert [item.label for item in items if item.is_current] == ([] if current is None else [current])


def test_people_see_what_they_may_open():
    asked = request("study_governor", "/", xnat_url="http://x", prefect_ui_url="http://p")
    assert [item.label for item in site.navigation(asked, MIA)] == ["Tasks"]
    labels = [item.label for item in site.navigation(asked, CARL)]
    assert labels == ["Dashboard", "Sessions", "Arrivals", "Tasks", "Workflows", "Archive", "Flows"]
    assert site.navigation(asked, None) == []


def test_what_is_not_there_is_not_linked():
    assert "Archive" not in [item.label for item in site.navigation(request("study_governor", "/"), CARL)]
