"""An open page in a real browser: counts change by themselves, nothing flickers, what is open stays open."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import uvicorn

from deployments.web import join
from gateway.app import create_app as create_gateway
from gateway.contract.ids import ArrivalId
from gateway.db.index import index_instances
from gateway.domain.received import ReceivedInstance, Sender
from gateway.settings import GatewaySettings
from service_kit import migrations
from service_kit.accounts.domain import Role
from service_kit.accounts.service import Accounts
from service_kit.flow_orders import MemoryFlowOrders
from service_kit.web.assets import STATIC_DIR
from study_governor.app import create_app
from study_governor.settings import StudyGovernorSettings
from tests.browser import context_at, launched, new_page
from tests.unit.study_governor.house import WORKFLOW, House

pytestmark = pytest.mark.browser


@contextmanager
def served(app):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    server.force_exit = True
    thread.join(10)


@pytest.fixture
def gateway(tmp_path):
    """Whether, and as what, a gateway shares the site; None here."""
    return


@pytest.fixture
def site(tmp_path, gateway):
    if not (STATIC_DIR / "dist" / "manifest.json").is_file():
        pytest.skip("the front end is not built: run node build.mjs in service_kit/web/frontend")
    url = f"sqlite:///{tmp_path}/governor.db"
    migrations.upgrade(url, package="study_governor")
    accounts = Accounts.open(f"sqlite:///{tmp_path}/accounts.db")
    accounts.create_user("anna", None, display_name="Anna")
    accounts.grant("anna", Role.coordinator)
    settings = StudyGovernorSettings(
        governor_database_url=url,
        accounts_database_url=accounts.database.url,
        prefect_api_url="http://127.0.0.1:1/api",
        gateway_url="http://127.0.0.1:1/gateway" if gateway else None,
    )
    app = create_app(settings, flow_orders=MemoryFlowOrders(), accounts=accounts)
    app.state.governor.workflows.import_text(WORKFLOW, actor="setup")
    with served(join(root=app, mounts=(("/gateway", gateway(accounts)),)) if gateway else app) as url:
        yield app, url, accounts.start_session("anna")
    accounts.database.dispose()


@pytest.fixture(scope="module")
def browser(chromium):
    with launched(chromium) as browser:
        yield browser


@pytest.fixture
def page(site, browser):
    _app, url, cookie = site
    page = new_page(context_at(browser, url), cookies=[{"name": "cohortflow_session", "value": cookie, "url": url}])
    yield page
    assert not page.complaints
    page.context.close()


def house_of(site):
    """Return the parts of the served governor under the names that the tests know."""
    house = House.__new__(House)
    house.governor = site[0].state.governor
    house.database, house.engine = house.governor.database, house.governor.engine
    return house


def test_the_dashboard_counts_by_itself(site, page):
    house = house_of(site)
    session = house.new_session()
    page.goto(site[1] + "/")
    page.locator("html[data-live=on]").wait_for(state="attached")
    station = page.locator(".gov-station", has_text="review")
    house.answer(house.execution(session), outcome="measured")
    station.locator(".gov-dot", has_text="1").wait_for(timeout=10_000)
    house.new_session(label="another")
    page.locator(".gov-station", has_text="extracting").locator(".gov-dot", has_text="1").wait_for(timeout=10_000)


def test_the_page_of_a_session_follows_it_and_keeps_what_is_open(site, page):
    house = house_of(site)
    session = house.new_session()
    page.goto(f"{site[1]}/sessions/{session}")
    page.locator("html[data-live=on]").wait_for(state="attached")
    page.locator("#move summary").click()
    page.evaluate("window.node = document.querySelector('#now')")
    house.answer(house.execution(session), outcome="measured")
    page.locator("h1", has_text="review").wait_for(timeout=10_000)
    assert page.evaluate("window.node === document.querySelector('#now')")
    assert page.locator("#move").evaluate("details => details.open")
    page.locator("#reason").fill("the mask is wrong")
    house.answer(house.execution(session), decision="reject")
    page.locator("h1", has_text="rejected").wait_for(timeout=10_000)


def test_a_session_is_moved_by_keyboard(site, page):
    house = house_of(site)
    session, _ = house.in_review()
    page.goto(f"{site[1]}/sessions/{session}")
    page.locator("#move summary").focus()
    page.keyboard.press("Enter")
    page.locator("#destination").select_option("rejected")
    page.locator("#reason").fill("not the right subject")
    page.keyboard.press("Enter")
    page.locator("h1", has_text="rejected").wait_for(timeout=10_000)
    assert "not the right subject" in page.locator("#history").inner_text()
    assert house.actions(session)[-1].actor == "anna"


class TestBesideAGateway:
    """The dashboard shows what the gateway holds back, and keeps that true."""

    @pytest.fixture
    def gateway(self, tmp_path):
        def gateway(accounts):
            url = f"sqlite:///{tmp_path}/gateway.db"
            settings = GatewaySettings(
                gateway_database_url=url,
                accounts_database_url=accounts.database.url,
                gateway_spool_dir=tmp_path / "spool",
                prefect_api_url="http://127.0.0.1:1/api",
            )
            self.app = create_gateway(settings, flow_orders=MemoryFlowOrders(), accounts=accounts)
            return self.app

        return gateway

    def receive_unreadable(self, number):
        """Let an object come in that nobody can read, which puts its arrival into the quarantine."""
        one = ReceivedInstance(
            sop_instance_uid=f"1.2.{number}",
            sha256=f"{number:064}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            study_instance_uid=None,
            series_instance_uid=None,
            path=f"{number}",
            size_bytes=1,
            received_at=datetime.now(UTC),
            sender=Sender(f"SITE{number}", "COHORTFLOW", "10.0.0.7"),
            unreadable_reason="Its header is broken.",
        )
        arrivals = self.app.state.arrivals
        with arrivals._database.write() as uow:
            index_instances(uow, [one])
        arrivals.complete(ArrivalId(number), actor="test")

    def test_what_it_holds_back_is_counted_by_reason(self, site, page):
        page.goto(site[1] + "/")
        page.locator("html[data-live=on]").wait_for(state="attached")
        assert page.locator("#quarantine").count() == 0
        self.receive_unreadable(1)
        page.locator("#quarantine", has_text="1 arrival holds something back").wait_for(timeout=10_000)
        house_of(site).new_session()
        page.locator(".gov-board").wait_for(timeout=10_000)
        card = page.locator(".gov-board #quarantine")
        card.wait_for(timeout=10_000)
        self.receive_unreadable(2)
        card.locator(".cf-held-number", has_text="2").wait_for(timeout=10_000)
        assert "Its header is broken." in card.inner_text()
        page.locator(".cf-held-count", has_text="2 arrivals wait in the quarantine").click()
        page.wait_for_url("**/gateway/quarantine")
