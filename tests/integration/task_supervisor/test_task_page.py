"""The task page in a real browser: what it shows equals the file, and an annotator gets through the work with the keys."""

import io
import json
import random
import time

import numpy as np
import pytest
from PIL import Image

from tests.browser import new_page

from .conftest import Site, nifti, read_nifti

pytestmark = [pytest.mark.browser, pytest.mark.integration]

rng = np.random.default_rng(7)


def rotation(degrees: float, axis: int) -> np.ndarray:
    turn = np.radians(degrees)
    matrix = np.eye(3)
    first, second = [one for one in range(3) if one != axis]
    matrix[[first, second], [first, second]] = np.cos(turn)
    matrix[first, second], matrix[second, first] = -np.sin(turn), np.sin(turn)
    return matrix


def affine(spacing_mm, *, order=(0, 1, 2), flip=(1, 1, 1), oblique=0.0, origin_mm=(-20.0, 13.0, 40.0)) -> np.ndarray:
    """Voxel index to RAS in mm: anisotropic, axes permuted and flipped, then turned."""
    matrix = np.eye(4)
    axes = np.eye(3)[:, list(order)] * np.array(flip) * np.array(spacing_mm)
    matrix[:3, :3] = rotation(oblique, 0) @ rotation(oblique / 2, 2) @ axes
    matrix[:3, 3] = origin_mm
    return matrix


CASES = {
    "plain": (rng.integers(0, 900, (20, 24, 18)).astype(np.int16), affine((1, 1, 1)), {}),
    "oblique, anisotropic, axes permuted and flipped": (
        rng.integers(-1000, 2000, (17, 31, 12)).astype(np.int16),
        affine((0.7, 0.9, 3.1), order=(1, 2, 0), flip=(-1, 1, -1), oblique=17.0),
        {"slope": 0.25, "inter": -31.5},
    ),
    "big endian float": (rng.normal(0, 3, (9, 14, 11)).astype(np.float32), affine((2, 1, 1), flip=(-1, -1, 1)), {"big_endian": True}),
    "whole numbers of 32 bits": (rng.integers(-70000, 70000, (8, 9, 10)).astype(np.int32), affine((1, 2, 4), oblique=5), {}),
    "bytes with a slope": (rng.integers(0, 255, (12, 12, 12)).astype(np.uint8), affine((3, 1, 1), order=(2, 0, 1)), {"slope": 2.0, "inter": 5.0}),
}  # fmt: skip


COUNT_SLICES = """
    window.slicesDrawn = 0;
    const own = WebGL2RenderingContext.prototype.framebufferTextureLayer;
    WebGL2RenderingContext.prototype.framebufferTextureLayer = function (...given) {
      window.slicesDrawn += 1;
      return own.apply(this, given);
    };
"""


def opened(site: Site, window, name: str, task_id: int, *, script: str = "", width: int = 1280, height: int = 800):
    """Return the page of a task, signed in, with everything that went wrong in `page.complaints`."""
    cookie = {"name": "cohortflow_session", "value": site.cookies[name], "url": site.url}
    page = new_page(window, cookies=[cookie], width=width, height=height)
    window.new_cdp_session(page).send("Network.clearBrowserCache")  # task 1 of another test has other images
    page.add_init_script(script)
    page.set_default_timeout(120_000)
    page.goto(f"{site.url}/tasks/{task_id}")
    return page


def ready(page) -> str:
    return page.evaluate("cohortflowViewer.ready.then(() => 'ready', (error) => error.message)")


def until(condition, *, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def picture(page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.locator(".tp-picture").screenshot())).convert("RGB")).astype(int)


def coloured(pixels: np.ndarray) -> float:
    """Share of pixels in the mask's hue: clearly more blue than red."""
    return float((pixels[:, :, 2] - pixels[:, :, 0] > 40).mean())


@pytest.mark.parametrize("case", CASES)
def test_the_value_under_the_crosshair_is_the_files(site: Site, window, case):
    data, matrix, more = CASES[case]
    site.files["image.nii.gz"] = nifti(data, matrix, **more)
    values, read_affine = read_nifti(site.files["image.nii.gz"])
    task_id = site.make_task(("image", "image.nii.gz")).id
    page = opened(
        site, window, "ada", task_id, width=800, height=600
    )  # each crosshair is drawn without a graphics card
    assert ready(page) == "ready"
    chosen = random.Random(3)
    voxels = [tuple(chosen.randrange(count) for count in data.shape) for _ in range(40)]
    voxels += [(0, 0, 0), tuple(count - 1 for count in data.shape)]
    script = """(voxels) => voxels.map((voxel) => {
        cohortflowViewer.setCrosshairVoxel(...voxel);
        return [cohortflowViewer.crosshairVoxel(), cohortflowViewer.voxelAtCrosshair()];
    })"""
    for voxel, (shown, value) in zip(voxels, page.evaluate(script, voxels), strict=True):
        assert tuple(shown) == voxel
        assert value == pytest.approx(float(values[voxel]), rel=1e-6, abs=1e-6)
    last = voxels[-1]
    until(lambda: page.inner_text("[data-part=voxel]") == ", ".join(map(str, last)))
    place = [float(part) for part in page.inner_text("[data-part=position]").split(", ")]
    assert place == pytest.approx((read_affine @ [*last, 1])[:3], abs=0.06)
    assert page.complaints == []
    page.close()


def brain_and_mask() -> tuple[bytes, bytes]:
    grid = np.indices((40, 48, 36)).astype(float)
    centre = np.array([20, 24, 18]).reshape(3, 1, 1, 1)
    inside = (((grid - centre) / np.array([16, 20, 14]).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < 1
    image = (inside * (300 + 40 * np.sin(grid[0] / 2)) + 20).astype(np.int16)
    matrix = affine((1.0, 1.0, 1.5), oblique=8)
    return nifti(image, matrix), nifti(inside.astype(np.uint8), matrix)


def test_an_annotator_claims_looks_and_answers_with_the_keys(site: Site, window):
    site.files["image.nii.gz"], site.files["mask.nii.gz"] = brain_and_mask()
    first = site.make_task(("image", "image.nii.gz"), ("mask", "mask.nii.gz")).id
    second = site.make_task(("image", "image.nii.gz"), ("mask", "mask.nii.gz")).id
    page = opened(site, window, "ada", first)
    assert ready(page) == "ready"
    page.evaluate("cohortflowViewer.setCrosshairVoxel(20, 24, 18)")
    until(lambda: page.inner_text("[data-part=mask-value]") == "1 brain")
    shown = picture(page)
    assert (shown.max(axis=2) > 60).mean() > 0.1, "the canvas is black"
    page.keyboard.press("o")
    until(lambda: page.get_attribute("[data-part=mask]", "aria-pressed") == "false")
    bare = picture(page)
    assert np.abs(shown - bare).mean() > 3, "the mask made no difference"
    grey = bare[np.abs(bare - bare.mean(axis=2, keepdims=True)).max(axis=2) < 12]
    assert grey.max() > 150
    page.keyboard.press("e")
    until(lambda: page.get_attribute("[data-part=outline]", "aria-pressed") == "true")
    time.sleep(0.5)
    filled, edged = coloured(shown), coloured(picture(page))
    assert 0 < edged < filled / 2, "the edge is not an edge"
    page.keyboard.press("o")
    before = page.input_value("[data-part=window]")
    page.keyboard.press("w")
    until(lambda: page.input_value("[data-part=window]") != before)
    start = page.evaluate("cohortflowViewer.crosshairVoxel()")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("cohortflowViewer.crosshairVoxel()") != start
    assert page.is_disabled("input[value=accept]")
    page.click("[data-action=claim]")
    until(lambda: page.is_enabled("input[value=accept]"))
    page.keyboard.press("Control+Enter")
    until(lambda: "A decision is made" in page.inner_text("[data-part=note]"))
    page.keyboard.press("2")
    page.keyboard.press("ArrowUp")
    assert page.is_checked("input[value=reject]"), "the arrows changed the answer"
    page.keyboard.press("c")
    page.keyboard.type("neck inside, 1 o")
    assert page.is_checked("input[value=reject]"), "typing chose an answer"
    page.keyboard.press("Control+Enter")
    until(lambda: page.inner_text("[data-part=state-title]") == "Answer sent")
    until(lambda: bool(site.callbacks))
    values = site.callbacks[0]["result_values"]
    assert (values["decision"], values["comment"]) == ("reject", "neck inside, 1 o")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_url(f"**/tasks/{second}")
    assert page.complaints == []
    page.close()


def test_the_sides_are_named_as_they_are_drawn(site: Site, window):
    image = np.zeros((24, 30, 18), np.int16)
    image[2:10, 4:26, 3:15] = (
        900  # the patient's left: the axes of the file run to the right, to the front and to the head
    )
    image[12:22, 4:26, 3:15] = 300
    site.files["image.nii.gz"] = nifti(image, affine((-1, 1, 1), flip=(-1, 1, 1)))
    page = opened(site, window, "ada", site.make_task(("image", "image.nii.gz")).id)
    assert ready(page) == "ready"
    page.click("[data-layout=axial]")

    def sides() -> dict[str, str]:
        return {edge: page.inner_text(f"[data-part=plane-axial] [data-part={edge}]") for edge in ("left", "right")}

    def brighter() -> str:
        time.sleep(0.5)
        pixels = picture(page).mean(axis=(0, 2))
        half = len(pixels) // 2
        return "left" if pixels[:half].sum() > pixels[half:].sum() else "right"

    until(lambda: sides() == {"left": "R", "right": "L"})
    assert brighter() == "right"
    page.keyboard.press("r")
    until(lambda: sides() == {"left": "L", "right": "R"})
    assert brighter() == "left"
    assert page.inner_text("[data-part=plane-axial] [data-part=top]") == "A"
    page.close()


def test_each_volume_goes_to_the_graphics_card_once_and_a_new_window_takes_the_image_alone(site: Site, window):
    site.files["image.nii.gz"], site.files["mask.nii.gz"] = brain_and_mask()
    task_id = site.make_task(("image", "image.nii.gz"), ("mask", "mask.nii.gz")).id
    page = opened(site, window, "ada", task_id, script=COUNT_SLICES)
    assert ready(page) == "ready"
    slices = 36
    assert page.evaluate("slicesDrawn") <= 2 * slices
    page.evaluate("slicesDrawn = 0")
    page.keyboard.press("w")
    until(lambda: page.evaluate("slicesDrawn") > 0)
    assert page.evaluate("slicesDrawn") <= slices
    page.evaluate("slicesDrawn = 0")
    page.keyboard.press("r")
    until(lambda: page.get_attribute("[data-part=flip]", "aria-pressed") == "false")
    assert page.evaluate("slicesDrawn") == 0
    page.close()


def test_the_whole_form_is_in_sight_on_a_usual_screen(site: Site, window):
    site.files["image.nii.gz"], _ = brain_and_mask()
    page = opened(site, window, "ada", site.make_task(("image", "image.nii.gz")).id)
    page.set_viewport_size({"width": 1440, "height": 900})
    assert ready(page) == "ready"
    assert page.evaluate("(e => e.scrollHeight - e.clientHeight)(document.querySelector('.tp-scroll'))") <= 0
    assert page.inner_text("[data-part=opacity-text]") == "35 %"
    page.close()


def test_a_draft_survives_the_reload_and_a_lost_claim_says_so(site: Site, window):
    site.files["image.nii.gz"], _ = brain_and_mask()
    task_id = site.make_task(("image", "image.nii.gz")).id
    page = opened(site, window, "ada", task_id)
    page.click("[data-action=claim]")
    until(lambda: page.is_enabled("input[value=accept]"))
    page.click("label:has(input[value=accept])")
    until(lambda: page.inner_text("[data-part=note]") == "Kept as a draft.")
    page.reload()
    until(lambda: page.is_checked("input[value=accept]"))
    with site.client("ada") as other_tab:
        lease = other_tab.task(task_id).lease
        assert lease is not None
        assert lease.token is not None
        other_tab.release(task_id, token=lease.token)
    with site.client("bea") as bea:
        bea.claim(task_id)
    page.click("[data-action=submit]")
    until(lambda: page.inner_text("[data-part=state-title]") == "No longer yours")
    assert "kept as a draft" in page.inner_text("[data-part=state-text]")
    assert page.is_checked("input[value=accept]")
    page.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"not a nifti at all", "cut short"), (None, "The archive did not give the image"), (b"\x1f\x8b broken", "")],
)
def test_an_image_that_cannot_be_shown_is_one_sentence_and_the_form_still_works(site: Site, window, content, words):
    if content is not None:
        site.files["image.nii.gz"] = content
    page = opened(site, window, "ada", site.make_task(("image", "image.nii.gz")).id)
    assert ready(page) != "ready"
    assert "The images cannot be shown" in page.inner_text(".tp-picture")
    assert words in page.inner_text("[data-part=failure-text]")
    page.click("[data-action=claim]")
    until(lambda: page.is_enabled("input[value=accept]"))
    page.close()


def test_a_browser_without_webgl_is_told_and_can_still_answer(site: Site, window):
    site.files["image.nii.gz"], _ = brain_and_mask()
    task_id = site.make_task(("image", "image.nii.gz")).id
    page = opened(site, window, "ada", task_id)
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.reload()
    assert "cannot draw volumes" in ready(page)
    assert page.is_visible("#no-webgl")
    page.click("[data-action=claim]")
    until(lambda: page.is_enabled("input[value=accept]"))
    page.close()


def test_the_queue_follows_by_itself(site: Site, window):
    page = opened(site, window, "ada", site.make_task(("image", "missing.nii.gz")).id)
    page.goto(f"{site.url}/tasks/")
    assert page.locator("tbody tr").count() == 1
    time.sleep(0.5)
    site.make_task(("image", "missing.nii.gz"))
    until(lambda: page.locator("tbody tr").count() == 2)
    page.close()


def test_the_page_holds_no_inline_script_and_no_foreign_address(site: Site, window):
    site.files["image.nii.gz"], _ = brain_and_mask()
    task_id = site.make_task(("image", "image.nii.gz")).id
    asked: list[str] = []
    page = opened(site, window, "ada", task_id)
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    assert ready(page) == "ready"
    assert all(url.startswith((site.url, "data:", "blob:")) for url in asked), json.dumps(asked)
    assert page.complaints == []
    page.close()
