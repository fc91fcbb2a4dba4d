"""Pictures show a volume upright, at its proportions, in the radiological convention."""

import numpy as np

from tasks.pictures import MASK_COLOUR, Plane, Window, draw_plane, save_png, thick_slices, three_planes, window_of


def marked(*, at):
    """A dark volume with one bright block at a corner; axes x right, y front, z head."""
    volume = np.zeros((20, 30, 40), dtype=np.int16)
    volume[at] = 1000
    return volume


def brightest(picture):
    grey = np.asarray(picture.convert("L"))
    row, column = np.unravel_index(grey.argmax(), grey.shape)
    return row / grey.shape[0] < 0.5, column / grey.shape[1] < 0.5


def drawn(volume, plane, index):
    return draw_plane(
        volume, plane=plane, index=index, spacing_mm=(1, 1, 1), window=Window(low=0, high=1000), px_per_mm=4
    )


def test_right_is_left_front_and_head_are_up():
    right_front = marked(at=np.s_[16:, 24:, :])
    is_top, is_left = brightest(drawn(right_front, Plane.AXIAL, 20))
    assert (is_top, is_left) == (True, True)
    right_head = marked(at=np.s_[16:, :, 32:])
    assert brightest(drawn(right_head, Plane.CORONAL, 15)) == (True, True)
    front_head = marked(at=np.s_[:, 24:, 32:])
    assert brightest(drawn(front_head, Plane.SAGITTAL, 10)) == (True, True)


def test_proportions_are_those_of_the_body():
    picture = draw_plane(
        np.zeros((10, 20, 30)),
        plane=Plane.CORONAL,
        index=5,
        spacing_mm=(2.0, 1.0, 3.0),
        window=Window(low=0, high=1),
        px_per_mm=2,
    )
    assert picture.size == (40, 180)


def test_the_mask_has_an_outline_in_its_colour():
    mask = np.zeros((20, 30, 40), dtype=bool)
    mask[5:15, 8:20, 10:30] = True
    picture = draw_plane(
        marked(at=np.s_[5:15, 8:20, 10:30]),
        plane=Plane.AXIAL,
        index=20,
        spacing_mm=(1, 1, 1),
        window=Window(low=0, high=2000),
        px_per_mm=4,
        mask=mask,
    )
    outline = (np.asarray(picture) == MASK_COLOUR).all(axis=2)
    assert 300 < outline.sum() < 500  # twice round 40 x 48 pixels


def test_an_empty_volume_is_drawn_without_complaint(tmp_path):
    volume = np.zeros((8, 8, 8), dtype=np.uint8)
    assert window_of(volume).high > window_of(volume).low
    first = save_png(three_planes(volume, spacing_mm=(1, 1, 1), height_px=64), tmp_path / "a.png")
    second = save_png(three_planes(volume, spacing_mm=(1, 1, 1), height_px=64), tmp_path / "b.png")
    assert first.read_bytes() == second.read_bytes()


def test_thick_slices_are_shown_as_they_were_taken():
    picture = thick_slices(np.zeros((100, 100, 9)), spacing_mm=(1, 1, 6), height_px=100)
    assert picture.height == 100
    assert picture.width > 300
