"""Streams of events in a real browser: many tabs, one connection; none is shared by two people."""

import httpx
import pytest

from tests.web.service_kit.test_shell import sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium_browser, gallery_url):
    context = chromium_browser.new_context(base_url=gallery_url)
    yield context.new_page()
    context.close()


def is_live(page):
    page.wait_for_selector("html[data-live=on]")
    return True


def click_and_hear(page, *tabs):
    """Click on one page; the others hear of it."""
    with page.expect_response("**/clicks") as answered:
        page.click("button:has-text('Click')")
    clicks = answered.value.text().removeprefix("<span>").split()[0]
    for tab in tabs:
        tab.wait_for_selector(f"#live:text-is('{clicks} live')")


def test_all_tabs_of_a_log_in_share_a_stream_and_another_person_has_an_own_one(page, gallery_url):
    sign_in(page)
    tabs = [page, *(page.context.new_page() for _ in range(7))]
    for tab in tabs[1:]:
        tab.goto("/")
    assert all(is_live(tab) for tab in tabs), "a browser keeps six connections to a site at most"
    assert httpx.get(f"{gallery_url}/streams").json() == 1
    click_and_hear(page, *tabs)
    page.context.clear_cookies()
    sign_in(page, username="anna")
    assert is_live(page)
    assert httpx.get(f"{gallery_url}/streams").json() == 2, "one is carl's, whose tabs are still open"
    click_and_hear(page, page)


@pytest.mark.parametrize(
    "lack",
    [
        "delete window.SharedWorker",
        "const Real = SharedWorker; SharedWorker = function (_, options) { return new Real('/static/gone.js', options) }",
    ],
    ids=["no such worker", "the worker of another version"],
)
def test_a_page_is_live_where_no_worker_can_be_shared(page, lack):
    page.add_init_script(lack)
    sign_in(page)
    assert is_live(page)
    click_and_hear(page, page)
