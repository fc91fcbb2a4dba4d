"""The arrivals page in a real browser: what comes in shows up by itself, and the keyboard is enough."""

from __future__ import annotations

import socket
import threading
import time

import pytest
import uvicorn
from pydicom.uid import ExplicitVRLittleEndian

from gateway.app import create_app
from gateway.arrivals.service import Arrivals
from gateway.contract.ids import ArrivalId
from gateway.contract.schemas import Settlement
from gateway.contract.states import Outcome
from gateway.db import arrivals as rows
from gateway.settings import GatewaySettings
from service_kit.accounts.domain import Role
from service_kit.accounts.service import Accounts
from service_kit.database import Database
from service_kit.flow_orders import MemoryFlowOrders
from service_kit.web.assets import STATIC_DIR
from tests.browser import launched
from tests.conftest import missing
from tests.integration.gateway.conftest import association, mr_object

pytestmark = [pytest.mark.integration, pytest.mark.browser]

MR = "1.2.840.10008.5.1.4.1.1.4"
PASSWORD = "correct horse battery"


@pytest.fixture
def site(home, tmp_path, receiver):
    """The gateway under a real server; yields its address."""
    if not (STATIC_DIR / "dist" / "manifest.json").is_file():
        missing("the front-end bundle", "./run setup")
    accounts = Accounts.open(f"sqlite:///{tmp_path}/accounts.db")
    accounts.create_user("anna", PASSWORD, display_name="Anna Example")
    accounts.grant("anna", Role.coordinator)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = GatewaySettings(
        gateway_database_url=home.url,
        accounts_database_url=accounts.database.url,
        gateway_spool_dir=home.spool,
        prefect_api_url="http://127.0.0.1:1/api",
        site_url=address,
        quiet_period_s=8,  # a busy machine shall have time to see it pass
    )
    app = create_app(settings, flow_orders=MemoryFlowOrders(), accounts=accounts)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield address
    server.should_exit = True
    app.state.broadcast.close()
    thread.join(10)
    listener.close()
    accounts.database.dispose()


@pytest.fixture(scope="module")
def browser(chromium):
    with launched(chromium) as browser:
        yield browser


@pytest.fixture
def page(browser, site):
    page = browser.new_page()
    page.goto(f"{site}/login?next=/")
    page.fill("[name=username]", "anna")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("h1")
    yield page
    page.context.close()


def test_what_comes_in_shows_up_and_moves_on_without_a_reload(page, receiver):
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.get_by_text("Nothing has arrived yet").wait_for()
    page.evaluate("window.notReloaded = true")
    with association(receiver.port, (MR, ExplicitVRLittleEndian), calling="SCANNER") as assoc:
        assert assoc.send_c_store(mr_object()).Status == 0x0000
    page.get_by_text("SCANNER").wait_for(timeout=15_000)
    page.get_by_role("progressbar", name="Quiet period").wait_for(timeout=15_000)
    page.get_by_text("Being checked, routed to its study and archived.").wait_for(timeout=30_000)
    assert page.evaluate("window.notReloaded")
    assert faults == []


def test_the_keyboard_alone_opens_an_arrival_and_keeps_its_place_while_the_page_lives(page, receiver):
    with association(receiver.port, (MR, ExplicitVRLittleEndian), calling="SCANNER") as assoc:
        assoc.send_c_store(mr_object())
    page.locator("#arrival-1").wait_for(timeout=15_000)
    page.locator("#filter-all").focus()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "arrival-1":
            break
    page.wait_for_timeout(2500)
    assert page.evaluate("document.activeElement.id") == "arrival-1"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Arrival 1").wait_for(timeout=15_000)


def test_the_reason_that_one_writes_survives_the_live_page_and_a_phone_shows_the_whole_list(page, site, receiver, home):
    with association(receiver.port, (MR, ExplicitVRLittleEndian), calling="SCANNER") as assoc:
        assoc.send_c_store(mr_object())
    database = Database(home.url)
    arrivals = Arrivals(database, quiet_period_s=8)
    arrivals.complete(ArrivalId(1), actor="test")
    reason = "No study of this house has the name that it gives; ask the engineer to look at the study."
    arrivals.settle(ArrivalId(1), Settlement(outcome=Outcome.quarantined, reason=reason), actor="flows")
    page.goto(f"{site}/arrivals/1?set_aside=true")
    page.wait_for_selector("#reason:focus")
    page.keyboard.type("A phantom.")
    page.evaluate("document.querySelector('.gw-now-state').dataset.before = 'yes'")
    with database.write() as uow:
        rows.note(uow, rows.get(uow, ArrivalId(1)), actor="test", what="Looked at")
    page.wait_for_selector(".gw-now-state:not([data-before])", timeout=15_000)
    assert page.locator("#reason").input_value() == "A phantom."
    page.locator("#reason").press("Enter")
    page.get_by_text("Set aside by anna").wait_for(timeout=15_000)
    database.dispose()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(site)
    page.get_by_text("A phantom.").wait_for()
    cut = "[...document.querySelectorAll('.cf-table-wrap')].map((one) => one.scrollWidth - one.clientWidth)"
    assert page.evaluate(cut) == [0]
