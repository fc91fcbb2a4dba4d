"""A small service that shows every part of the shell, for browser tests and for looking at it.

`python -m tests.web.service_kit.gallery PORT` serves it; sign in as anna with the password `correct horse battery`.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import jinja2
from fastapi import Depends, FastAPI, Request
from starlette.responses import Response

from service_kit.accounts import Role
from service_kit.accounts import web as accounts_web
from service_kit.accounts.guards import CurrentPrincipal, require_role
from service_kit.accounts.service import Accounts
from service_kit.app import new_app
from service_kit.errors import Conflict
from service_kit.events import Broadcast
from service_kit.settings import ServiceSettings
from service_kit.tables import utc_now
from service_kit.web import Pages
from service_kit.web import pages as shell

PASSWORD = "correct horse battery"
TEMPLATES = Path(__file__).parent / "templates"


class GalleryPages(Pages):
    """Pages whose templates lie beside this file."""

    def render(self, request, template, context=None, **options) -> Response:
        environment = shell._environment("service_kit").overlay(
            loader=jinja2.ChoiceLoader([jinja2.FileSystemLoader(TEMPLATES), shell._environment("service_kit").loader])
        )
        shared = {**shell._shared_context(request), **(context or {})}
        return Response(environment.get_template(template).render(shared), media_type="text/html")


def people(accounts: Accounts) -> None:
    """Create one person of each kind."""
    for username, name, role in (
        ("anna", "Anna Lindqvist", Role.engineer),
        ("carl", "Carl Weber", Role.coordinator),
        ("mia", "Mia Rossi", Role.annotator),
    ):
        accounts.create_user(username, PASSWORD, display_name=name, email=f"{username}@example.org")
        accounts.grant(username, role)


def rows() -> list[dict]:
    """Return sessions as a list page would have them."""
    states = ("arrived", "extracting", "review", "released", "extraction_failed", "rejected", "review_overdue")
    return [
        {
            "label": f"sub-{n:03d}_MR_2026{n % 12 + 1:02d}14",
            "study": "brain-volumetry",
            "site": ("leiden", "uppsala")[n % 2],
            "state": states[n % len(states)],
            "scans": n % 5 + 1,
            "since": utc_now() - timedelta(minutes=n * n * 7),
            "at": utc_now() - timedelta(hours=n * 5),
        }
        for n in range(1, 26)
    ]


def create_gallery(home: Path, *, accounts: Accounts | None = None) -> FastAPI:
    """Build the gallery as if it were the governor."""
    settings = ServiceSettings(
        accounts_database_url=f"sqlite:///{home / 'accounts.db'}",
        xnat_url="http://127.0.0.1:8081",
        prefect_ui_url="http://127.0.0.1:4200",
    )
    if accounts is None:
        accounts = Accounts.open(settings.accounts_database_url)
        people(accounts)
    app = new_app("Gallery", settings, service="study_governor")
    accounts_web.install(app, accounts)
    pages = GalleryPages(service="study_governor")
    broadcast = Broadcast(heartbeat_s=0.5)
    app.state.broadcast = broadcast
    clicks = {"count": 0}
    listeners: list[str] = []

    @app.get("/")
    def parts(request: Request, principal: CurrentPrincipal) -> Response:
        return pages.render(request, "parts.html", {"now": utc_now()})

    @app.get("/sessions")
    def table(request: Request, principal: CurrentPrincipal, empty: bool = False) -> Response:
        return pages.render(request, "table.html", {"rows": [] if empty else rows()})

    @app.post("/clicks")
    def click(principal: Annotated[object, Depends(require_role(Role.coordinator))]) -> Response:
        clicks["count"] += 1
        broadcast.publish("clicked", clicks["count"])
        return Response(f"<span>{clicks['count']} clicks</span>", media_type="text/html")

    @app.get("/clicks")
    def count(principal: CurrentPrincipal) -> Response:
        return Response(f"{clicks['count']} live", media_type="text/html")

    @app.post("/conflict")
    def conflict(principal: CurrentPrincipal) -> Response:
        raise Conflict("The session moved on meanwhile. Load the page again to see where it is now.")

    @app.get("/events")
    def events(request: Request, principal: CurrentPrincipal) -> Response:
        listeners.append(principal.username)
        return broadcast.response(request, ["clicked"])

    @app.get("/listeners")
    def who_asked() -> list[str]:
        return listeners

    @app.get("/streams")
    def streams() -> int:
        return broadcast.listener_count

    return app


if __name__ == "__main__":
    import sys
    import tempfile

    import uvicorn

    uvicorn.run(create_gallery(Path(tempfile.mkdtemp())), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
