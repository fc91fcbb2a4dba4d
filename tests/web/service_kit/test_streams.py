"""Streams of events in a real browser: many tabs, one connection, whose log-in the server knows."""

import time

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


def wait_for_streams(gallery_url, expected):
    """Wait until so many streams are open: one whose browser closed it is known to be gone a moment later."""
    deadline = time.monotonic() + 10
    while (count := httpx.get(f"{gallery_url}/streams").json()) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert count == expected


def test_all_tabs_share_a_stream_which_is_that_of_the_newest_log_in(page, gallery_url):
    sign_in(page)
    tabs = [page, *(page.context.new_page() for _ in range(7))]
    for tab in tabs[1:5]:
        tab.goto("/")
    for tab, username in zip(tabs[5:], ("carl", "carl", "anna"), strict=True):
        page.context.clear_cookies()
        sign_in(tab, username=username)
        assert is_live(tab)
    assert all(is_live(tab) for tab in tabs), "a browser keeps six connections to a site at most"
    click_and_hear(tabs[-1], *tabs)
    wait_for_streams(gallery_url, 1)
    assert httpx.get(f"{gallery_url}/listeners").json()[-1] == "anna", "carl's rights are not hers"


def test_a_stream_ends_with_its_log_in_and_comes_back_with_the_next(page, gallery_url):
    sign_in(page)
    other = page.context.new_page()
    other.goto("/")
    assert is_live(other)
    page.click(".cf-user")
    page.click("text=Sign out")
    other.wait_for_selector("html[data-live=lost]")
    wait_for_streams(gallery_url, 0)
    sign_in(page)
    assert is_live(other)
    click_and_hear(page, other)


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
