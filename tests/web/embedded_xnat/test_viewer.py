"""The viewer in a real browser: series in time with a slider over their volumes, and pictures in their colours."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from PIL import Image

from .conftest import until, zipped

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def view(page, client, label: str, files: list[Path]) -> None:
    """Archive files as a session and open its one scan that can be drawn."""
    where = {"project": "DEMO", "subject": label, "session": f"{label}_1", "dest": "/archive", "inbody": "true"}
    body = zipped({path.name: path.read_bytes() for path in files})
    client.post("/data/services/import", params=where, content=body).raise_for_status()
    uri = f"/projects/DEMO/experiments/{label}_1"
    scans = client.get(f"/data{uri}/scans").json()["ResultSet"]["Result"]
    page.goto(f"{uri}/scans/{scans[0]['ID']}/view")
    assert page.evaluate("cohortflowViewer.ready.then(() => 'ready', (error) => error.message)") == "ready"


def example(name: str) -> Path:
    return Path(pydicom.data.get_testdata_file(name, download=False))


def drawn(page) -> np.ndarray:
    """The picture on the page: ndarray of int, shape (row, column, 3)."""
    return np.asarray(Image.open(io.BytesIO(page.locator(".tp-picture").screenshot())).convert("RGB")).astype(int)


def test_a_series_in_time_has_a_slider_over_its_volumes(page, client, shared_data: Path):
    paths = sorted((shared_data / "odd" / "enhanced_mr").glob("6_*.dcm"))
    frames = np.stack([pydicom.dcmread(path).pixel_array for path in paths])  # shape (volume, slice, row, column)
    view(page, client, "TIMES", paths)
    shown = "document.querySelector('[data-part=volume-text]').textContent"
    until(page, f"{shown} === 'volume 1 of 4'")
    assert page.is_visible("[data-part=volume]")
    slice_, row, column = np.unravel_index(np.ptp(frames.astype(int), axis=0).argmax(), frames.shape[1:])
    page.evaluate(f"cohortflowViewer.setCrosshairVoxel({column}, {row}, {slice_})")
    page.focus("#viewer")
    seen = []
    steps = (("Shift", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowRight", 3), ("ArrowRight", 3), ("ArrowLeft", 2))
    for key, volume in steps:
        page.keyboard.press(key)
        until(page, f"{shown} === 'volume {volume + 1} of 4'")
        assert page.evaluate("cohortflowViewer.voxelAtCrosshair()") == frames[volume, slice_, row, column]
        seen.append(drawn(page))
    assert (seen[0] != seen[1]).any()
    page.locator("[data-part=volume]").fill("4")
    until(page, f"{shown} === 'volume 4 of 4'")
    assert page.complaints == []


def test_a_volume_has_no_slider(page):
    page.goto("/projects/DEMO/experiments/P00_MR1/scans/4/view")
    page.evaluate("cohortflowViewer.ready")
    assert not page.is_visible("[data-part=volume]")
    page.focus("#viewer")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('[data-part=plane-coronal]').classList.contains('is-active')")


def test_an_ultrasound_film_is_shown_in_its_colours(page, client):
    path = example("examples_ybr_color.dcm")
    frames = pydicom.dcmread(path).pixel_array  # shape (frame, row, column, 3), red, green, blue
    view(page, client, "ULTRA", [path])
    until(page, "document.querySelector('[data-part=volume-text]').textContent === 'picture 1 of 30'")
    page.focus("#viewer")
    for frame in range(3):
        colourful = np.ptp(frames[frame].astype(int), axis=2)
        row, column = np.unravel_index(colourful.argmax(), colourful.shape)
        page.evaluate(f"cohortflowViewer.setCrosshairVoxel({column}, {row}, 0)")
        expected = ", ".join(str(value) for value in frames[frame, row, column])
        until(page, f"document.querySelector('[data-part=value]').textContent === '{expected}'")
        page.keyboard.press("ArrowRight")
    assert (np.ptp(drawn(page), axis=2) > 60).mean() > 0.0005, "the picture is grey"
    for part in ("preset", "flip", "position"):  # no window, no left and right: it is a photograph
        assert not page.is_visible(f"[data-part={part}]")
    assert page.complaints == []


def test_a_secondary_capture_is_shown_in_its_colours_and_the_right_way_up(page, client):
    path = example("SC_rgb_rle.dcm")
    pixels = pydicom.dcmread(path).pixel_array
    view(page, client, "CAPTURE", [path])
    page.evaluate("cohortflowViewer.setCrosshairVoxel(0, 99, 0)")
    until(page, "document.querySelector('[data-part=voxel]').textContent === '0, 99, 0'")
    picture = drawn(page)
    middle = picture.shape[1] // 2
    lit = np.flatnonzero(picture[:, middle].sum(axis=1) > 60)
    top, bottom = lit[0], lit[-1]
    for share in (0.15, 0.35, 0.55, 0.75):
        here = picture[int(top + share * (bottom - top)), middle]
        assert here == pytest.approx(pixels[int(share * 100), 50], abs=25)
    assert page.complaints == []
