"""Volumes and previews of DICOM series: every value is the file's, every voxel at its place."""

import io
import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

from embedded_xnat.contract.errors import NoPicture
from embedded_xnat.pictures.preview import preview_png
from embedded_xnat.pictures.reading import Unreadable, opened
from embedded_xnat.pictures.slices import read_slices
from embedded_xnat.pictures.volume import Series, arrange, nifti_stream

nibabel = pytest.importorskip("nibabel")
rng = np.random.default_rng(5)
OBLIQUE = [0.96, 0.28, 0.0, -0.28, 0.96, 0.0]


def write(path: Path, pixels: np.ndarray, **values) -> Path:
    """Write one slice; ``pixels`` has shape (row, column) or (frame, row, column)."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = MRImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.4", "MR"
    ds.PatientName, ds.PatientID = "S1", "S1"
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(pixels.dtype.kind == "i")
    if pixels.ndim == 3:
        ds.NumberOfFrames = len(pixels)
    for name, value in values.items():
        setattr(ds, name, value)
    ds.PixelData = pixels.tobytes()
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


def place(number: int) -> dict:
    """Return the geometry of a slice: oblique, 3 mm apart, written out of order."""
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    return {
        "ImageOrientationPatient": OBLIQUE,
        "ImagePositionPatient": [float(v) for v in np.array([-50.0, 20.0, 7.0]) + 3.0 * number * normal],
        "PixelSpacing": [0.75, 0.5],
        "SliceThickness": 2.5,
        "InstanceNumber": 100 - number,
    }


def volume(paths: list[Path]) -> "nibabel.Nifti1Image":
    return nifti_of(arrange(read_slices(paths)))


def nifti_of(series: Series) -> "nibabel.Nifti1Image":
    content = b"".join(nifti_stream(series))
    assert len(content) == series.size
    return nibabel.Nifti1Image.from_bytes(content)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "uint8", "int8"])
def test_each_voxel_has_its_value_at_its_place(tmp_path: Path, dtype: str) -> None:
    planes = [rng.integers(*limits(dtype), (6, 5)).astype(dtype) for _ in range(4)]
    paths = [
        write(tmp_path / f"{name}.dcm", planes[number], RescaleSlope=2.5, RescaleIntercept=-7.0, **place(number))
        for name, number in zip("dbca", range(4), strict=True)
    ]
    image = volume(sorted(paths))
    values = np.asanyarray(image.dataobj)
    assert values.shape == (5, 6, 4)
    for number, plane in enumerate(planes):
        for row, column in ((0, 0), (5, 4), (2, 3)):
            assert values[column, row, number] == pytest.approx(plane[row, column] * 2.5 - 7.0)
            origin = np.array(place(number)["ImagePositionPatient"])
            lps = origin + np.array(OBLIQUE[:3]) * 0.5 * column + np.array(OBLIQUE[3:]) * 0.75 * row
            assert (image.affine @ [column, row, number, 1])[:3] == pytest.approx(lps * [-1, -1, 1], abs=1e-4)


def limits(dtype: str) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return info.min, info.max


def test_slices_with_slopes_of_their_own_become_real_numbers(tmp_path: Path) -> None:
    plane = rng.integers(0, 1000, (3, 4)).astype("uint16")
    paths = [
        write(tmp_path / f"{number}.dcm", plane, RescaleSlope=number + 0.5, RescaleIntercept=number, **place(number))
        for number in range(3)
    ]
    values = volume(paths).get_fdata()
    for number in range(3):
        assert pytest.approx(plane * (number + 0.5) + number) == values[..., number].T


def two_volumes(folder: Path) -> list[Path]:
    """Slices of two volumes at the same places, numbered one volume after the other."""
    return [
        write(
            folder / f"{moment}{number}.dcm",
            np.full((3, 3), 10 * moment + number, "uint16"),
            **{**place(number), "InstanceNumber": 10 * moment + number},
        )
        for moment in (2, 1)
        for number in range(4)
    ]


def test_a_second_image_of_each_place_makes_a_second_volume(tmp_path: Path) -> None:
    series = arrange(read_slices(two_volumes(tmp_path)))
    assert series.shape == (3, 3, 4, 2)
    assert series.left_out == 0
    values = np.asanyarray(nifti_of(series).dataobj)
    assert values[1, 1].T.tolist() == [[10, 11, 12, 13], [20, 21, 22, 23]]


def test_a_volume_that_was_broken_off_is_left_out(tmp_path: Path) -> None:
    paths = two_volumes(tmp_path)
    series = arrange(read_slices(paths[1:]))
    assert series.shape == (3, 3, 4, 1)
    assert series.left_out == 3


def test_only_as_many_volumes_are_given_as_a_browser_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = read_slices(two_volumes(tmp_path))
    monkeypatch.setattr("embedded_xnat.pictures.volume.MAX_BYTES", 352 + 3 * 3 * 4 * 2 + 70)
    series = arrange(slices)
    assert (series.shape[3], series.left_out) == (1, 4)
    monkeypatch.setattr("embedded_xnat.pictures.volume.MAX_BYTES", 400)
    with pytest.raises(NoPicture, match="larger"):
        arrange(slices)


def test_an_enhanced_series_of_four_moments_has_four_volumes(shared_data: Path) -> None:
    paths = sorted((shared_data / "odd" / "enhanced_mr").glob("6_*.dcm"))
    series = arrange(read_slices(paths))
    assert series.shape == (64, 64, 6, 4)
    values = np.asanyarray(nifti_of(series).dataobj)
    for moment, path in enumerate(paths):
        frames = pydicom.dcmread(path).pixel_array
        assert [values[..., place, moment].T.tolist() for place in range(6)] == frames.tolist()


def test_a_localizer_of_another_orientation_is_left_out(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.dcm", np.zeros((3, 3), "int16"), **place(n)) for n in range(3)]
    paths.append(
        write(
            tmp_path / "x.dcm",
            np.zeros((3, 3), "int16"),
            **{**place(9), "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]},
        )
    )
    assert volume(paths).shape == (3, 3, 3)


def test_a_file_of_many_frames_is_a_volume(tmp_path: Path) -> None:
    frames = rng.integers(0, 255, (7, 4, 5)).astype("uint8")
    image = volume([write(tmp_path / "a.dcm", frames, PixelSpacing=[1.5, 2.0], SliceThickness=4)])
    assert np.asanyarray(image.dataobj).transpose(2, 1, 0) == pytest.approx(frames)
    assert image.header.get_zooms() == pytest.approx((2.0, 1.5, 4.0))


def test_frames_that_a_header_only_claims_cost_nothing(tmp_path: Path) -> None:
    boast = write(tmp_path / "boast.dcm", np.zeros((4, 4), np.uint8), NumberOfFrames=999_999_999)
    true = write(tmp_path / "true.dcm", np.ones((4, 4), np.uint8))
    assert [one.path for one in read_slices([boast, true])] == [true]


def test_a_picture_larger_than_any_is_not_unpacked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", np.zeros((8, 8), np.uint8))
    ds = pydicom.dcmread(path)
    ds.compress(RLELossless)
    ds.save_as(path)
    with opened(path) as frames:
        assert frames.pixels(0).shape == (8, 8)
        frames.ds.Rows = frames.ds.Columns = 60_000
        tracemalloc.start()
        with pytest.raises(Unreadable):
            frames.pixels(0)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_of_a_file_of_many_frames_one_is_in_memory(tmp_path: Path, syntax) -> None:
    pixels = rng.integers(0, 4000, (32, 128, 128), np.uint16)
    path = write(tmp_path / "many.dcm", pixels)
    if syntax is RLELossless:
        ds = pydicom.dcmread(path)
        ds.compress(syntax)
        ds.save_as(path)
    elif syntax is not ExplicitVRLittleEndian:
        ds = pydicom.dcmread(path)
        ds.file_meta.TransferSyntaxUID = syntax
        ds.save_as(path, implicit_vr=syntax.is_implicit_VR)
    series = arrange(read_slices([path]))
    tracemalloc.start()
    pieces = list(islice(nifti_stream(series), 1, 4))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for number, piece in enumerate(pieces):
        assert np.array_equal(np.frombuffer(piece, "<u2").reshape(128, 128), pixels[number])
    assert peak < pixels.nbytes or syntax is DeflatedExplicitVRLittleEndian


def test_a_film_is_a_volume_a_frame(tmp_path: Path) -> None:
    frames = rng.integers(0, 255, (7, 4, 5)).astype("uint8")
    image = volume([write(tmp_path / "a.dcm", frames, FrameTime=40.0)])
    assert image.shape == (5, 4, 1, 7)
    assert np.asanyarray(image.dataobj)[:, :, 0].transpose(2, 1, 0) == pytest.approx(frames)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("examples_ybr_color.dcm", (320, 240, 1, 30)),
        ("examples_rgb_color.dcm", (320, 240, 1)),
        ("examples_palette.dcm", (800, 350, 1)),
        ("SC_rgb_rle_16bit_2frame.dcm", (100, 100, 1, 2)),
        ("ExplVR_BigEnd.dcm", (80, 60, 1)),
    ],
)
def test_colours_stay_colours(name: str, shape: tuple[int, ...]) -> None:
    path = Path(pydicom.data.get_testdata_file(name, download=False))
    image = volume([path])
    assert image.shape == shape
    values = np.asanyarray(image.dataobj)
    assert values.dtype.names == ("R", "G", "B")
    first = values.reshape(*shape[:2], -1)[..., 0]
    channels = [first[channel].astype(int) for channel in "RGB"]
    assert any((channels[one] != channels[other]).any() for one, other in ((0, 1), (1, 2)))


def test_red_is_red_and_at_its_place(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), "uint8")
    pixels[1, 2], pixels[3, 5] = (250, 10, 20), (0, 0, 200)
    path = write(tmp_path / "a.dcm", np.zeros((4, 6), "uint8"))
    ds = pydicom.dcmread(path)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.PixelData = pixels.tobytes()
    ds.save_as(path)
    values = np.asanyarray(volume([path]).dataobj)
    assert values[2, 1, 0].tolist() == (250, 10, 20)
    assert values[5, 3, 0].tolist() == (0, 0, 200)
    drawn = preview_png(path)
    assert drawn is not None
    assert Image.open(io.BytesIO(drawn)).getpixel((2, 1)) == (250, 10, 20)


def test_a_palette_is_looked_up_in_the_preview() -> None:
    drawn = preview_png(Path(pydicom.data.get_testdata_file("examples_palette.dcm", download=False)))
    assert drawn is not None
    pixels = np.asarray(Image.open(io.BytesIO(drawn))).astype(int)
    assert pixels.ndim == 3
    assert (np.ptp(pixels, axis=2) > 30).any()


def test_other_files_make_no_volume(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"\0" * 200)
    assert read_slices([tmp_path / "a.dcm"]) == []
    with pytest.raises(NoPicture):
        arrange([])


def test_the_preview_shows_the_image_and_nothing_is_drawn_of_nonsense(tmp_path: Path) -> None:
    plane = np.zeros((300, 400), "uint16")
    plane[:, 200:] = 4000
    drawn = preview_png(write(tmp_path / "a.dcm", plane, PatientName="Doe^Jane"))
    assert drawn is not None
    picture = Image.open(io.BytesIO(drawn))
    assert picture.size == (192, 144)
    assert picture.getpixel((10, 70)) == 0
    assert picture.getpixel((180, 70)) == 255
    assert not picture.info
    (tmp_path / "b.dcm").write_bytes(bytes(128) + b"DICM" + bytes(40))
    assert preview_png(tmp_path / "b.dcm") is None


def test_the_archive_serves_preview_and_volume_of_a_scan(admin, session_uri, tmp_path: Path) -> None:
    planes = [rng.integers(0, 900, (6, 5)).astype("int16") for _ in range(4)]
    for number, plane in enumerate(planes):
        content = write(tmp_path / "s.dcm", plane, **place(number)).read_bytes()
        uri = f"{session_uri}/scans/3/resources/DICOM/files/{number}.dcm"
        admin.put(uri, content=content, params={"format": "DICOM"})
    scan = "/projects/P/experiments/S1_MR1/scans/3"
    preview = admin.get(f"{scan}/preview.png")
    assert preview.headers["content-type"] == "image/png"
    again = admin.get(f"{scan}/preview.png", headers={"if-none-match": preview.headers["etag"]})
    assert again.status_code == 304
    answer = admin.get(f"{scan}/volume.nii")
    assert int(answer.headers["content-length"]) == len(answer.content)
    image = nibabel.Nifti1Image.from_bytes(answer.content)
    assert pytest.approx(planes[2]) == np.asanyarray(image.dataobj)[..., 2].T


def test_a_scan_without_images_has_a_quiet_frame_and_no_volume(admin, session_uri) -> None:
    admin.put(f"{session_uri}/scans/3/resources/DICOM/files/a.dcm", content=b"nonsense", params={"format": "DICOM"})
    scan = "/projects/P/experiments/S1_MR1/scans/3"
    assert admin.get(f"{scan}/preview.png").headers["content-type"] == "image/svg+xml"
    assert admin.get(f"{scan}/volume.nii").status_code == 404


def test_a_picture_among_the_snapshots_is_the_preview(admin, session_uri) -> None:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), (200, 10, 10)).save(out, "PNG")
    admin.put(f"{session_uri}/scans/3/resources/SNAPSHOTS/files/big.png", content=b"other")
    admin.put(
        f"{session_uri}/scans/3/resources/SNAPSHOTS/files/small.png",
        content=out.getvalue(),
        params={"content": "THUMBNAIL"},
    )
    answer = admin.get("/projects/P/experiments/S1_MR1/scans/3/preview.png")
    assert answer.content == out.getvalue()


def test_nobody_sees_the_picture_of_a_project_that_is_closed(as_user, session_uri) -> None:
    for name in ("preview.png", "volume.nii"):
        assert as_user("zoe").get(f"/projects/P/experiments/S1_MR1/scans/3/{name}").status_code == 404
