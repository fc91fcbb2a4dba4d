"""The pages as people use them: headless Chromium logs in, claims, looks, submits, and the session moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import context_at, launched
from tests.e2e.house import House, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with launched(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def coordinator(browser: Browser, house: House) -> BrowserContext:
    """The browser of the coordinator."""
    return logged_in(browser, house, "coordinator")


def logged_in(browser: Browser, house: House, role: str) -> BrowserContext:
    """Log in through the form."""
    context = context_at(browser, house.endpoints["site_url"])
    page = context.new_page()
    username, password = house.login(role)
    page.goto("/login")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    page.close()
    return context


def page_of(context: BrowserContext) -> Page:
    """Return a new page; anything it complains of fails the test."""
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 900})
    complaints: list[str] = []
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on("console", lambda m: complaints.append(m.text) if "Content Security Policy" in m.text else None)
    page.complaints = complaints
    return page


def volume_of_task(house: House, task_id: int, folder: Path) -> np.ndarray:
    """Fetch the image that the page shows and return its voxels as the page should see them."""
    with house.client("annotator") as client:
        answer = client.get(f"/tasks/api/v1/tasks/{task_id}/files/0").raise_for_status()
    path = folder / "image.nii.gz"
    path.write_bytes(answer.content)
    return np.asarray(nib.load(path).dataobj)


def test_an_annotator_reviews_and_the_coordinator_sees_the_session_move(
    house: House, browser: Browser, coordinator: BrowserContext, tmp_path: Path
) -> None:
    task_id = wait_for("the task", lambda: house.open_task("BV-001"), timeout_s=30)
    watched = page_of(coordinator)
    session = house.session("BV-001")
    watched.goto(session["web_uri"])
    expect(watched.locator("body")).to_contain_text("review")
    watched.screenshot(path=tmp_path / "session.png")

    page = page_of(logged_in(browser, house, "annotator"))
    page.goto(f"{house.endpoints['site_url']}/tasks/")
    expect(page.locator("body")).to_contain_text("brain", ignore_case=True)
    page.goto(f"{house.endpoints['site_url']}/tasks/{task_id}")
    page.evaluate("() => window.cohortflowViewer.ready")
    page.locator("[data-action=claim]").click()

    array = volume_of_task(house, task_id, tmp_path)
    for fraction in (0.3, 0.5, 0.62):
        i, j, k = (int(n * fraction) for n in array.shape[:3])
        page.evaluate("([i, j, k]) => window.cohortflowViewer.setCrosshairVoxel(i, j, k)", [i, j, k])
        assert page.evaluate("() => Array.from(window.cohortflowViewer.crosshairVoxel())") == [i, j, k]
        assert page.evaluate("() => window.cohortflowViewer.voxelAtCrosshair()") == pytest.approx(array[i, j, k])

    picture = tmp_path / "canvas.png"
    page.locator("canvas#viewer").screenshot(path=picture)
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert (pixels > 40).mean() > 0.05, "the canvas is black"
    with_mask = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    page.locator("canvas#viewer").focus()
    page.keyboard.press("o")
    page.wait_for_timeout(300)
    page.locator("canvas#viewer").screenshot(path=picture)
    without = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    assert (np.abs(with_mask - without).sum(axis=2) > 10).mean() > 0.01, "the mask does not show"

    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#task-panel")).to_contain_text("Answer sent", timeout=10_000)

    house.wait_state("BV-001", "released", timeout_s=60)
    expect(watched.locator("body")).to_contain_text("released", timeout=15_000)  # live, without a reload
    assert page.complaints == []
    assert watched.complaints == []


@pytest.mark.parametrize(
    "path",
    ["/", "/sessions", "/gateway/", "/gateway/quarantine", "/tasks/", "/account"],
    ids=lambda p: p.strip("/") or "dashboard",
)
def test_a_page_fits_says_something_and_breaks_no_rule_of_its_own(
    house: House, coordinator: BrowserContext, path: str
) -> None:
    page = page_of(coordinator)
    failed: list[str] = []
    page.on("requestfailed", lambda r: failed.append(r.url) if r.failure != "net::ERR_ABORTED" else None)
    page.on(
        "request",
        lambda r: (
            failed.append(r.url) if not r.url.startswith((house.endpoints["site_url"], "data:", "blob:")) else None
        ),
    )
    page.goto(house.endpoints["site_url"] + path)
    page.wait_for_load_state("load")
    assert len(page.locator("main").inner_text()) > 20
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
    assert page.title()
    assert failed == []
    assert page.complaints == []
    names = page.evaluate(
        "() => [...document.querySelectorAll('main a, main button, main input:not([type=hidden])')]"
        ".filter(e => !(e.innerText || e.getAttribute('aria-label') || e.title || e.labels?.length || e.value)).map(e => e.outerHTML)"
    )
    assert json.dumps(names) == "[]", "controls without a name"
    page.close()
