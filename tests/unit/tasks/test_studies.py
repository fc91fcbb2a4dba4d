"""A study folder is read as one value, and each of its mistakes is named with file and line."""

from pathlib import Path

import pytest

from tasks.errors import StudyInvalid
from tasks.studies import Condition, check_study, load_studies, load_study

REPOSITORY = Path(__file__).resolve().parents[3]


def mistakes_after(folder, old, new, *, file="study.yaml", **options):
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return [str(one) for one in check_study(folder, **options)]


def test_a_good_folder_has_no_mistakes(study_folder):
    assert check_study(study_folder, known_models=["brain_tiv"]) == []
    study = load_study(study_folder)
    assert study.cohort == study.name == "heads"
    assert study.workflow_label() == "heads_v1"
    assert study.scan_type("T1w").match["scanning_sequence"].any_of == ("GR",)
    assert load_studies(study_folder.parent) == (study,)


def test_the_example_studies_have_no_mistakes():
    for path in (REPOSITORY / "studies").glob("*/study.yaml"):
        assert [str(one) for one in check_study(path.parent)] == []


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("name: heads", "name: 7 heads", 1, "name"),
        ("modalities: [MR]", "modalities: []", 4, "modalities"),
        ("title: Heads", "titel: Heads", 2, "Extra inputs"),
        ("mr_acquisition_type: 3D", "acquisition: 3D", 15, "unknown fact 'acquisition'"),
        ("required: [T1w]", "required: [T2w]", 21, "no scan type 'T2w'"),
        ("scan_type: T1w", "scan_type: T1", 24, "no scan type 'T1'"),
        ("title: Heads", "title: Heads\nworkflow: other.yaml", 3, "there is no file 'other.yaml'"),
        ("title: Heads", "title: [Heads", 3, "not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(study_folder, old, new, line, words):
    found = mistakes_after(study_folder, old, new)
    assert any(one.startswith(f"study.yaml:{line}: ") and words in one for one in found), found
    with pytest.raises(StudyInvalid, match=r"study\.yaml:"):
        load_study(study_folder)


def test_an_unknown_model_is_a_mistake_where_the_models_are_known(study_folder):
    found = mistakes_after(study_folder, "name: brain_tiv", "name: brain_tvi", known_models=["brain_tiv"])
    assert found == ["study.yaml:23: no model 'brain_tvi'; known are: brain_tiv"]


def test_a_workflow_that_names_a_missing_task_base_or_template_is_a_mistake(study_folder):
    callback = """    callbacks:
      - label: read
        function: create_task
        callback_arguments:
          task_base: nowhere.json
          task_info: {template: unseen}
"""
    found = mistakes_after(study_folder, "    callbacks: []\n", callback, file="workflow.yaml")
    assert found == [
        "workflow.yaml:8: there is no task base 'nowhere.json'",
        "workflow.yaml:9: no template is called 'unseen'",
    ]


def test_a_folder_without_study_file_says_so(tmp_path):
    assert [str(one) for one in check_study(tmp_path)] == ["study.yaml:1: the file is missing"]


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        (Condition(any_of=("gr",)), ("GR", "IR"), True),
        (Condition(any_of=("GR",), none_of=("EP",)), ("GR", "EP"), False),
        (Condition(all_of=("GR", "IR")), ("GR",), False),
        (Condition(any_of=("*T1*",)), "Sag T1 MPRAGE", True),
        (Condition(max=13), 13.0, True),
        (Condition(max=13), None, False),
        (Condition(min=40), 39, False),
        (Condition(any_of=(False,)), False, True),
        (Condition(any_of=(False,)), 0, True),
        (Condition(none_of=("EP",)), (), True),
        (Condition(any_of=("3D",)), "", False),
    ],
)
def test_a_condition_holds_or_not(condition, value, holds):
    assert condition.holds(value) is holds
