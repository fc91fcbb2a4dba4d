"""A real browser for tests. A new context starts processes and loads everything anew, which takes longer than most tests;
so the tests of a module share one, and each has a page of its own in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-sync",
    "--no-first-run",
    "--renderer-process-limit=1",
]


@contextmanager
def launched(chromium: str) -> Iterator[Browser]:
    """Start headless Chromium with software WebGL."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def context_at(browser: Browser, url: str) -> BrowserContext:
    """Return a context for one site; in its first page next to nothing stays open, whose process the others share."""
    context = browser.new_context(base_url=url)
    context.new_page().goto("/healthz")
    return context


def new_page(
    context: BrowserContext, *, cookies: Sequence[Any] = (), width: int = 1280, height: int = 860, scheme: str = "light"
) -> Page:
    """Return a page that knows nothing of those before, with everything that goes wrong in ``complaints``."""
    context.clear_cookies()
    context.add_cookies(cookies)
    context.pages[0].evaluate("localStorage.clear()")
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda message: page.complaints.append(message.text) if _is_complaint(message) else None)
    return page


def _is_complaint(message: ConsoleMessage) -> bool:
    """Whether a page's fault is told; that drawing without a graphics card is slow is none."""
    return message.type in {"error", "warning"} and "GL Driver Message" not in message.text
