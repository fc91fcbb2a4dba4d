"""A task base becomes a task's content."""

import json
from pathlib import Path

import pytest

from tasks.errors import RejectedInput
from tasks.review import task_content
from tasks.review.content import ReviewedSession, ShownMeasurement

SESSION = ReviewedSession(
    label='BV-001 "left"',
    url="https://house/sessions/3",
    experiment_id="CF_E00001",
    subject_id="CF_S00001",
    archive_url="https://xnat",
    artifacts={"volume": "/data/v.nii.gz", "mask": "/data/m.nii.gz", "overlay": "/data/o.png"},
)


def test_the_example_base_is_filled_with_the_session():
    base = Path(__file__).resolve().parents[4] / "studies" / "brain-volumetry" / "task_bases" / "brain_mask_review.json"
    shown = ShownMeasurement(name="intracranial_volume", value=1505.3, unit="mL")
    content = task_content(base.read_text(), SESSION, measurements=[shown])
    assert content["session"] == {"label": 'BV-001 "left"', "url": "https://house/sessions/3"}
    assert [(one["role"], one["uri"]) for one in content["volumes"]] == [
        ("image", "/data/v.nii.gz"),
        ("mask", "/data/m.nii.gz"),
    ]
    assert content["measurements"][0]["value"] == 1505.3


def test_a_base_of_the_study_governor_language_is_filled_unmodified():
    base = '{"xnat": "$SYSTEM_URL", "ids": ["$EXPERIMENT_ID", "${SUBJECT_ID}"], "later": "$$NAME", "label": "$LABEL"}'
    content = task_content(base, SESSION)
    assert content["later"] == "$NAME"
    assert content["ids"] == ["CF_E00001", "CF_S00001"]


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ('{"a": "$REPORT_PDF_URI"}', r"asks for \$REPORT_PDF_URI"),
        ('{"a": "$"}', "lone dollar"),
        ("{a}", "no JSON"),
        (json.dumps([1]), "must be a JSON object"),
    ],
)
def test_a_base_that_cannot_be_filled_says_why(base, words):
    with pytest.raises(RejectedInput, match=words):
        task_content(base, SESSION)
