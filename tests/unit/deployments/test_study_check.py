"""Every mistake of a study folder is found before anything runs."""

import shutil
from pathlib import Path

import pytest

from deployments.errors import StudyMistakes
from deployments.study_apply import checked_study
from deployments.study_check import find_mistakes

EXAMPLE = Path("studies/brain-volumetry")
EXTRACT = "deployment: extract-biomarkers/warm"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(EXAMPLE, tmp_path / "study"))


def changed(folder, before, after, file="workflow.yaml"):
    path = folder / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    return text[: text.index(before)].count("\n") + 1


def test_the_example_has_no_mistake():
    assert find_mistakes(EXAMPLE) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("destination: extracting", "destination: extractnig", "leads to 'extractnig'"),
        ("callbacks['", "callbacks['not_", "has no 'not_"),
        ("label: extracting", "label: review", "2 states with the label 'review'"),
        ("function: prefect_flow", "function: prefect_flo", "function 'prefect_flo'"),
        (EXTRACT, "deployment: extract/warm", "no deployment 'extract/warm'; known are: extract-biomarkers/warm"),
        ("condition: ", "condition: '__import__(1)' #", "condition: "),
    ],
)
def test_a_mistake_of_the_workflow_is_told_with_its_path_and_line(folder, before, after, said):
    changed(folder, before, after)
    found = find_mistakes(folder)
    assert any(said in one for one in found), found
    assert all(one.startswith(f"{folder}/workflow.yaml:") for one in found)


def test_an_unknown_deployment_is_told_at_its_line(folder):
    line = changed(folder, EXTRACT, "deployment: extract/warm")
    assert find_mistakes(folder)[0].startswith(f"{folder}/workflow.yaml:{line}: ")


def test_an_unknown_model_is_told_although_other_files_are_wrong_too(folder):
    changed(folder, "name: brain_tiv", "name: brain_tvi", file="study.yaml")
    (folder / "task_bases" / "brain_mask_review.json").write_text('{\n  "a": 1,\n}')
    found = "\n".join(find_mistakes(folder))
    assert "no model 'brain_tvi'" in found
    assert "brain_mask_review.json:3: this is not JSON" in found


def test_a_workflow_or_template_that_is_not_yaml_is_told_once(folder):
    (folder / "workflow.yaml").write_text("label: [\n")
    assert len(find_mistakes(folder)) == 1
    shutil.copy(EXAMPLE / "workflow.yaml", folder)
    next((folder / "templates").glob("*.yaml")).write_text("a: [\n")
    assert len(find_mistakes(folder)) == 1


def test_a_check_does_not_speak_of_changes(folder):
    changed(folder, "label: extracting", "label: review")
    with pytest.raises(StudyMistakes) as raised:
        checked_study(folder)
    assert "changed" not in str(raised.value)
