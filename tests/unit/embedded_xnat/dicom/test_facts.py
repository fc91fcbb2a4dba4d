"""What headers say about scans and sessions."""

import tarfile
from pathlib import Path

import pytest

from embedded_xnat.dicom.facts import frames, read_header, scan_data, session_data


def facts(path: Path) -> dict:
    header = read_header(path)
    assert header is not None
    return {**scan_data(header), "frames": frames(header)}


def test_an_enhanced_mr_object_is_read_through_its_functional_groups(shared_data) -> None:
    found = facts(shared_data / "odd" / "enhanced_mr" / "6_1.dcm")
    assert (found["modality"], found["frames"]) == ("MR", 6)
    assert (found["parameters/fov/x"], found["parameters/fov/y"]) == (64, 64)
    assert found["parameters/orientation"] in {"Tra", "Sag", "Cor"}
    assert found["parameters/voxelRes/x"] > 0
    assert found["parameters/tr"] > 0
    assert found["parameters/te"] > 0


def test_a_philips_field_map_has_its_frames(shared_data) -> None:
    assert facts(shared_data / "odd" / "enhanced_mr" / "IM_0027_fMAP.dcm")["frames"] == 64


def test_real_mr_and_ct_series_give_their_parameters(shared_data, tmp_path) -> None:
    expected = {
        "dev/t1_philips_adni_mprage_41y": {"modality": "MR", "parameters/acqType": "3D"},
        "odd/ct_head_ge_tilt_variable_spacing": {"modality": "CT", "parameters/fov/x": 512, "scanner/model": "HiSpeed"},
    }
    for case, wanted in expected.items():
        with tarfile.open(shared_data / case / "dicom.tar.xz") as archive:
            member = next(each for each in archive if each.isfile() and "LICENSE" not in each.name)
            handle = archive.extractfile(member)
            assert handle is not None
            path = tmp_path / "one.dcm"
            path.write_bytes(handle.read())
        found = facts(path)
        for name, value in wanted.items():
            assert str(found[name]).startswith(str(value)), (case, name, found[name])
        assert found["quality"] == "usable"
        assert found["UID"]
        assert found["parameters/voxelRes/units"] == "mm"
        assert isinstance(found["parameters/voxelRes/z"], float)


@pytest.mark.filterwarnings("error")
def test_headers_of_odd_real_files_are_read_without_a_warning(shared_data) -> None:
    for path in sorted((shared_data / "odd").rglob("*.dcm")):
        header = read_header(path)
        if header is not None:
            scan_data(header)
            session_data(header)
