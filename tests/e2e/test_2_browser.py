"""The pages as people use them: headless Chromium logs in, claims, looks, submits, and the session moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.house import House, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.timeout(300)]

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-background-networking", "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def logged_in(browser: Browser, house: House, role: str) -> Page:
    """Log in through the form; anything the page complains of fails the test."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on("console", lambda m: complaints.append(m.text) if "Content Security Policy" in m.text else None)
    page.complaints = complaints
    username, password = house.login(role)
    page.goto(house.endpoints["site_url"] + "/login")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def volume_of_task(house: House, task_id: int, folder: Path) -> np.ndarray:
    """Fetch the image that the page shows and return its voxels as the page should see them."""
    with httpx.Client(base_url=house.endpoints["site_url"], auth=house.login("annotator"), timeout=60) as client:
        answer = client.get(f"/tasks/api/v1/tasks/{task_id}/files/0").raise_for_status()
    path = folder / "image.nii.gz"
    path.write_bytes(answer.content)
    return np.asarray(nib.load(path).dataobj)


def test_an_annotator_reviews_and_the_coordinator_sees_the_session_move(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    task_id = wait_for("the task", lambda: house.open_task("BV-001"), timeout_s=30)
    coordinator = logged_in(browser, house, "coordinator")
    session = house.session("BV-001")
    coordinator.goto(session["web_uri"])
    expect(coordinator.locator("body")).to_contain_text("review")
    coordinator.screenshot(path=tmp_path / "session.png")

    page = logged_in(browser, house, "annotator")
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
    expect(coordinator.locator("body")).to_contain_text("released", timeout=15_000)  # live, without a reload
    assert page.complaints == []
    assert coordinator.complaints == []


@pytest.mark.parametrize(
    "path",
    ["/", "/sessions", "/gateway/", "/gateway/quarantine", "/tasks/", "/account"],
    ids=lambda p: p.strip("/") or "dashboard",
)
def test_a_page_fits_says_something_and_breaks_no_rule_of_its_own(house: House, browser: Browser, path: str) -> None:
    page = logged_in(browser, house, "coordinator")
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
