"""Shared by the tests of the stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.studies import Study, load_study

STUDY = """\
name: heads
title: Heads
xnat_project: HEADS
modalities: [MR]
sites:
  - name: north
    calling_ae_titles: [NORTH]
routing:
  clinical_trial_protocol_ids: [HEADS-1]
  called_ae_titles: [HEADS]
scan_types:
  - name: T1w
    title: T1-weighted volume
    match:
      mr_acquisition_type: 3D
      scanning_sequence: GR
      echo_time_ms: {max: 13}
      missing_slices: {max: 0}
      slice_positions: {min: 3}
protocol:
  required: [T1w]
models:
  - name: brain_tiv
    scan_type: T1w
"""
WORKFLOW = """\
label: heads_v1
states:
  - label: arrived
    callbacks: []
"""


@pytest.fixture
def study_folder(tmp_path: Path) -> Path:
    """A study folder without mistakes."""
    folder = tmp_path / "heads"
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY)
    (folder / "workflow.yaml").write_text(WORKFLOW)
    return folder


@pytest.fixture
def study(study_folder: Path) -> Study:
    """A study that takes 3D gradient echo heads."""
    return load_study(study_folder)
