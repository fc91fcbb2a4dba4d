"""The copy of a study folder that the flows read."""

import shutil
from pathlib import Path

import pytest

from deployments.errors import StudyMistakes
from deployments.launcher.home import fingerprint_of
from deployments.study_apply import checked_study, copy_study, differences

EXAMPLE = Path("studies/brain-volumetry")


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(EXAMPLE, tmp_path / "study"))


def test_a_study_is_copied_once(folder, tmp_path):
    target = tmp_path / "studies" / "brain-volumetry"
    assert copy_study(folder, target)
    assert not copy_study(folder, target)
    assert not list(differences(folder, target))


def test_a_changed_study_replaces_its_copy_as_a_whole(folder, tmp_path):
    target = tmp_path / "studies" / "brain-volumetry"
    copy_study(folder, target)
    (folder / "task_bases" / "new.json").write_text("{}")
    (folder / "workflow.yaml").write_text((folder / "workflow.yaml").read_text() + "\n")
    assert sorted(differences(folder, target)) == ["task_bases/new.json", "workflow.yaml"]
    assert copy_study(folder, target)
    assert not list(differences(folder, target))
    assert [path.name for path in target.parent.iterdir()] == ["brain-volumetry"]


def test_a_study_applied_from_its_own_copy_stays(folder):
    assert not copy_study(folder, folder)
    assert (folder / "study.yaml").is_file()


def test_mistakes_stop_everything(folder):
    (folder / "study.yaml").write_text("name: 5\n")
    with pytest.raises(StudyMistakes, match=r"study\.yaml:1"):
        checked_study(folder)


def test_a_fingerprint_follows_content_and_names(folder):
    before = fingerprint_of(folder)
    assert fingerprint_of(folder) == before
    (folder / "study.yaml").rename(folder / "study2.yaml")
    assert fingerprint_of(folder) != before
    assert fingerprint_of(folder, salt="x") != fingerprint_of(folder)
