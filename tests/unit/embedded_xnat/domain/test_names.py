from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_xnat.contract.errors import BadName
from embedded_xnat.domain.names import check_file_path, check_folder_name, check_label, check_project_id


@given(st.text(max_size=40) | st.from_regex(r"(\.\.|\.|/|a|\\|\x00|é| ){0,8}", fullmatch=True))
def test_a_file_path_that_is_accepted_stays_in_its_folder(path: str) -> None:
    try:
        check_file_path(path)
    except BadName:
        return
    root = Path("/data/folder")
    assert (root / path).resolve().is_relative_to(root)
    assert (root / path).resolve() != root


@given(st.text(max_size=20) | st.from_regex(r"(\.\.|\.|/|a|\\|\x00| ){0,6}", fullmatch=True))
def test_a_folder_name_that_is_accepted_is_one_folder(name: str) -> None:
    try:
        check_folder_name(name, what="scan id")
    except BadName:
        return
    assert Path("/x", name).resolve().parent == Path("/x")


@pytest.mark.parametrize("label", ["", "..", ".hidden", "a/b", "a b", "ü", "a\n", "x" * 201, "-rf"])
def test_labels_that_cannot_be_folders_everywhere_are_refused(label: str) -> None:
    with pytest.raises(BadName):
        check_label(label, what="label")


@pytest.mark.parametrize("project_id", ["projects", "Archive"])
def test_project_ids_that_would_be_mistaken_for_folders_are_refused(project_id: str) -> None:
    with pytest.raises(BadName):
        check_project_id(project_id)
