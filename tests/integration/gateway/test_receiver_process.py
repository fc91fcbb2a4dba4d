"""The receiver as a process: dcmtk as a foreign sender, kill -9 and SIGTERM in the middle of the work."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from tests.conftest import missing
from tests.integration.gateway.conftest import association, mr_object, receiver_process

pytestmark = pytest.mark.integration

MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def storescu():
    found = shutil.which("storescu")
    if found is None:
        missing("storescu", "apt-get install dcmtk")
    return found


def wait_until(is_so):
    """Wait for something that comes sooner or later, on a busy machine too."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def test_dcmtk_sends_what_it_has_as_it_is(storescu, home, free_port, shared_data, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    names = {
        "693_J2KR.dcm": "-xv",
        "emri_small_jpeg_ls_lossless.dcm": "-xt",
        "emri_small.dcm": "-xe",
        "JPEG-LL.dcm": "-xs",
    }
    with receiver_process(home, free_port):
        for name, syntax in names.items():
            path = shared_data / "odd" / "pydicom_data_selected" / name
            subprocess.run(
                [storescu, "-v", "-R", syntax, "-aet", "DCMTK", "127.0.0.1", str(free_port), str(path)],
                check=True,
                env={**os.environ, "TCP_NODELAY": "1"},
            )
    assert len(home.rows()) == len(names)
    assert all(row.status == "stored" for row in home.rows())
    assert len({row.transfer_syntax_uid for row in home.rows()}) == len(names)


def test_everything_answered_with_success_survives_a_kill_at_any_moment(home, free_port):
    answered: list[str] = []
    sent = [mr_object(number=number) for number in range(400)]

    def send(objects):
        with association(free_port, (MR, ExplicitVRLittleEndian)) as assoc:
            for ds in objects:
                if not assoc.is_established:
                    return
                status = assoc.send_c_store(ds)
                if "Status" not in status:
                    return
                assert status.Status == 0x0000
                answered.append(ds.SOPInstanceUID)

    for attempt in range(3):
        with receiver_process(home, free_port) as process:
            senders = [threading.Thread(target=send, args=(sent[part::3],)) for part in range(3)]
            for sender in senders:
                sender.start()
            enough = len(answered) + 7 + 11 * attempt
            wait_until(lambda enough=enough: len(answered) >= enough)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            for sender in senders:
                sender.join(30)
    with receiver_process(home, free_port):
        wait_until(lambda: {row.path for row in home.rows()} == set(home.files()))
    rows = {row.sop_instance_uid: row for row in home.rows()}
    assert set(answered) <= set(rows)
    assert {row.path for row in rows.values()} == set(home.files())
    assert all((home.spool / row.path).stat().st_size == row.size_bytes for row in rows.values())
    assert list((home.spool / "incoming").iterdir()) == []
    assert sum(arrival.instance_count for arrival in home.arrivals()) == len(rows)


def test_after_a_term_the_object_in_hand_is_answered_and_the_process_ends(home, free_port):
    answered: list[str] = []
    with receiver_process(home, free_port) as process, association(free_port, (MR, ExplicitVRLittleEndian)) as assoc:
        threading.Timer(0.2, process.terminate).start()
        for number in range(2000):
            if not assoc.is_established:
                break
            ds = mr_object(number=number)
            if assoc.send_c_store(ds).get("Status") == 0x0000:
                answered.append(ds.SOPInstanceUID)
        assert process.wait(30) == 0
    assert set(answered) <= {row.sop_instance_uid for row in home.rows()}
    assert set(home.files()) == {row.path for row in home.rows()}


def test_a_second_receiver_on_the_same_spool_ends_with_a_sentence(home, free_port):
    import sys

    from tests.integration.gateway.conftest import _SERVE, REPOSITORY

    with receiver_process(home, free_port):
        environment = {
            **os.environ,
            "COHORTFLOW_GATEWAY_DATABASE_URL": home.url,
            "COHORTFLOW_GATEWAY_SPOOL_DIR": str(home.spool),
            "COHORTFLOW_DICOM_PORT": "0",
        }
        second = subprocess.run(
            [sys.executable, "-c", _SERVE], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
    assert second.returncode != 0
    assert "Another receiver already uses the spool" in second.stderr


@pytest.mark.slow
def test_one_association_stores_a_whole_session(storescu, home, free_port, shared_data, tmp_path):
    subprocess.run(
        ["tar", "xJf", shared_data / "dev" / "t1_sag_anon_siemens_3y" / "dicom.tar.xz", "-C", tmp_path], check=True
    )
    files = [path for path in Path(tmp_path).rglob("*.dcm") if "spool" not in path.parts]
    with receiver_process(home, free_port):
        subprocess.run(
            [storescu, "127.0.0.1", str(free_port), *map(str, files)],
            check=True,
            env={**os.environ, "TCP_NODELAY": "1"},
        )
    assert len(home.rows()) == len(files) == 192
    assert [arrival.instance_count for arrival in home.arrivals()] == [192]
