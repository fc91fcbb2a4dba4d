"""The spool: a file stands under its name only when it is whole."""

from __future__ import annotations

import resource
import traceback

import pytest

from gateway.contract.errors import SpoolInUse, SpoolUnavailable
from gateway.contract.naming import spool_path
from gateway.spool import INCOMING, Spool

PATH = spool_path("1.2", sha256="ab" * 32, study_instance_uid="1.2.3")


def test_a_stored_object_is_read_back_as_it_was(spool):
    spool.store(PATH, [b"head", memoryview(b"body")])
    with spool.open(PATH) as file:
        assert file.read() == b"headbody"


def test_storing_the_same_object_again_changes_nothing(spool):
    spool.store(PATH, [b"object"])
    before = (spool.root / PATH).stat().st_ino
    spool.store(PATH, [b"object"])
    assert (spool.root / PATH).stat().st_ino == before


def test_a_file_that_was_cut_is_replaced_by_the_whole_one(spool):
    spool.store(PATH, [b"whole object"])
    (spool.root / PATH).write_bytes(b"whole")
    spool.store(PATH, [b"whole object"])
    assert (spool.root / PATH).read_bytes() == b"whole object"


def test_a_disk_that_takes_no_more_leaves_nothing_behind(spool):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(SpoolUnavailable, match="File too large"):
            spool.store(PATH, [b"x" * 4096])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (spool.root / PATH).exists()
    assert list((spool.root / INCOMING).iterdir()) == []


def test_what_a_killed_process_left_half_written_is_removed(spool):
    (spool.root / INCOMING / "0a.part").write_bytes(b"half")
    assert spool.remove_temporaries() == 1
    assert list((spool.root / INCOMING).iterdir()) == []


def test_it_lists_objects_and_nothing_else(spool):
    spool.store(PATH, [b"object"])
    (spool.root / PATH).with_name("notes.txt").write_text("not ours")
    folder = PATH[:2]
    assert list(spool.folders()) == [folder]
    assert [path for path, _ in spool.files(folder)] == [PATH]


def test_what_goes_wrong_is_told_without_the_uid_that_the_files_name_carries(spool):
    path = spool_path("1.2.826.7", sha256="ab" * 32, study_instance_uid="1.2.3")
    (spool.root / path).mkdir(parents=True)
    for attempt in (lambda: spool.store(path, [b"object"]), lambda: spool.open(path)):
        with pytest.raises(SpoolUnavailable, match="Is a directory") as caught:
            attempt()
        assert "1.2.826.7" not in "".join(traceback.format_exception(caught.value))


def test_two_receivers_cannot_have_one_spool(spool):
    held = spool.lock()
    with pytest.raises(SpoolInUse, match="Another receiver"):
        Spool(spool.root).lock()
    held.release()
    Spool(spool.root).lock().release()


def test_a_folder_that_cannot_be_made_is_one_clear_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpoolUnavailable, match="cannot take objects"):
        Spool(tmp_path / "file" / "spool")
