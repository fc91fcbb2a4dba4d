"""What a deposit refuses, on the archive in memory; the rest is in the port's own suite."""

import pytest

from tasks.archive.deposit import deposit_session
from tasks.archive.memory import MemoryArchive
from tasks.errors import RejectedInput
from tasks.intake import examine
from tests.unit.tasks.dicom_files import instance, write, write_series


def test_a_dicom_study_that_another_subject_holds_is_refused_and_nothing_is_sent(study, tmp_path):
    archive = MemoryArchive()
    deposit_session(archive, examine(write_series(tmp_path / "in"), [study]), study_title="Heads")
    sent = list(archive.uploads)
    other = examine([write(instance(number=9, slice_mm=18, PatientID="BV-002"), tmp_path / "other")], [study])
    with pytest.raises(RejectedInput, match=r"DICOM study 1.2.826.0.1.3680043.10.1 under another subject") as refused:
        deposit_session(archive, other, study_title="Heads")
    assert "BV-00" not in refused.value.reason
    assert archive.uploads == sent
