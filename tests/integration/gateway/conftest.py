"""A real receiver: inside the process for the network's sake, or as a process of its own to be killed."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import config as pydicom_config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, _config
from sqlalchemy import select

from gateway.db.tables import ARRIVALS, INSTANCES
from gateway.receiver import Receiver
from gateway.settings import ReceiverSettings
from service_kit.database import Database
from tests.associations import collect_associations

REPOSITORY = Path(__file__).resolve().parents[3]
_SERVE = "from gateway.receiver import serve; from gateway.settings import ReceiverSettings; serve(ReceiverSettings())"


@pytest.fixture(autouse=True)
def _as_it_was():
    """Give back what a receiver sets for its whole process, and collect what senders left open."""
    validators, codecs = dict(_config.VALIDATORS), _config.CODECS
    flags = _config.UNRESTRICTED_STORAGE_SERVICE, _config.LOG_HANDLER_LEVEL
    mode = pydicom_config.settings.reading_validation_mode
    levels = {name: logging.getLogger(name).level for name in ("pynetdicom", "pydicom")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    _config.VALIDATORS.update(validators)
    _config.CODECS = codecs
    _config.UNRESTRICTED_STORAGE_SERVICE, _config.LOG_HANDLER_LEVEL = flags
    pydicom_config.settings.reading_validation_mode = mode
    collect_associations()


class Home:
    """Where a receiver keeps its things, and what is in there."""

    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        self.url = f"sqlite:///{folder}/gateway.db"

    def rows(self, table=INSTANCES):
        database = Database(self.url)
        with database.read() as uow:
            found = list(uow.session.connection().execute(select(table).order_by(table.c.id)))
        database.dispose()
        return found

    def arrivals(self):
        return self.rows(ARRIVALS)

    def files(self):
        return sorted(str(path.relative_to(self.spool)) for path in self.spool.rglob("*.dcm"))


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def settings(home):
    def settings_with(**changed):
        values = {
            "gateway_database_url": home.url,
            "gateway_spool_dir": home.spool,
            "dicom_port": 0,
            "spool_min_free_bytes": 0,
            **changed,
        }
        return ReceiverSettings(**values)

    return settings_with


@pytest.fixture
def receiver(settings):
    receiver = Receiver(settings())
    yield receiver
    receiver.stop()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def receiver_process(home, port):
    """Run the receiver's own entry as a process; it is ended at the end if it still lives."""
    environment = {
        **os.environ,
        "COHORTFLOW_GATEWAY_DATABASE_URL": home.url,
        "COHORTFLOW_GATEWAY_SPOOL_DIR": str(home.spool),
        "COHORTFLOW_DICOM_PORT": str(port),
        "COHORTFLOW_SPOOL_MIN_FREE_BYTES": "0",
    }
    process = subprocess.Popen([sys.executable, "-c", _SERVE], cwd=REPOSITORY, env=environment)
    try:
        wait_for_port(port, process)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(10)


def wait_for_port(port, process):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the receiver ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the receiver did not listen in time")


@contextmanager
def association(port, *contexts, calling="SENDER", called="COHORTFLOW"):
    """Open an association as a sender would."""
    ae = AE(ae_title=calling)
    ae.dimse_timeout = 5.0
    for abstract, transfer in contexts:
        ae.add_requested_context(abstract, transfer)
    assoc = ae.associate("127.0.0.1", port, ae_title=called)
    try:
        yield assoc
    finally:
        if assoc.is_established:
            assoc.release()


def mr_object(*, study="1.2.3", number=1, sop_class="1.2.840.10008.5.1.4.1.1.4", syntax=ExplicitVRLittleEndian):
    """A small object that stands for any."""
    ds = Dataset()
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[study, str(number)])
    ds.StudyInstanceUID = study
    ds.SeriesInstanceUID = f"{study}.1"
    ds.InstanceNumber = number
    ds.PixelData = bytes([number % 256]) * 4096
    ds["PixelData"].VR = "OB"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds
