"""One line a record."""

import io
import logging

import pytest

from deployments.logs import LineFormatter, configure_logging
from service_kit.errors import without_paths
from tasks.errors import UploadIncomplete


def line(record):
    return LineFormatter("%(levelname)s %(message)s").format(logging.makeLogRecord(record))


def test_facts_stand_behind_the_message():
    assert line({"levelname": "INFO", "msg": "stored", "arrival": 3, "bytes": 9}) == "INFO stored arrival=3 bytes=9"


def test_a_record_without_facts_is_its_message():
    assert line({"levelname": "INFO", "msg": "stored"}) == "INFO stored"


def test_a_traceback_tells_no_path_whoever_logs_it():
    error = ExceptionGroup("two things", [PermissionError(13, "Permission denied", "/inbox/DOE^JANE")])
    said = line({"levelname": "ERROR", "msg": "failed", "exc_info": (type(error), error, None)})
    assert "Permission denied" in said
    assert "DOE" not in said


def test_a_traceback_that_another_formatter_left_is_written_anew():
    error = PermissionError(13, "Permission denied", "/inbox/DOE^JANE")
    record = {"levelname": "ERROR", "msg": "failed", "exc_info": (type(error), error, None)}
    said = line({**record, "exc_text": "PermissionError: [Errno 13] Permission denied: '/inbox/DOE^JANE'"})
    assert said.splitlines() == ["ERROR failed", "PermissionError: [Errno 13] Permission denied"]
    assert "DOE" not in line({"levelname": "ERROR", "msg": "failed", "exc_text": "FileNotFoundError: /inbox/DOE^JANE"})


@pytest.fixture
def _configured():
    factory, root = logging.getLogRecordFactory(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging()
    yield
    logging.setLogRecordFactory(factory)
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("_configured")
def test_no_handler_is_told_a_path_neither_in_the_message_nor_below():
    """Prefect names the error in its message, too, and a handler of its own sends both to its database."""
    told = io.StringIO()
    theirs = logging.StreamHandler(told)
    logger = logging.getLogger("somebody.elses")
    logger.addHandler(theirs)
    error = RuntimeError('sitk::ERROR: The file "/archive/P/DOE_JANE.nii.gz" does not exist')
    logger.error("Encountered exception during execution: %r", error, exc_info=error)
    logger.removeHandler(theirs)
    assert told.getvalue().startswith("Encountered exception during execution: RuntimeError('sitk::ERROR: The file")
    assert "DOE" not in told.getvalue()


@pytest.mark.usefixtures("_configured")
@pytest.mark.parametrize(
    ("message", "wrap"),
    [
        ("%s", lambda error: (error,)),
        ("%(why)s", lambda error: ({"why": error},)),
        ("%s", lambda error: ([error, (1, error)],)),
        (None, lambda _: ()),
    ],
)
def test_an_error_tells_no_path_wherever_in_a_record_it_is(message, wrap):
    error = RuntimeError("no image: /archive/DOE_JANE")
    record = logging.getLogRecordFactory()("x", 40, "x.py", 1, message or error, wrap(error), None)
    assert "no image" in record.getMessage()
    assert "DOE" not in record.getMessage()


@pytest.mark.usefixtures("_configured")
def test_a_record_is_made_of_whatever_is_logged():
    class Strange(Exception):
        args = None

    round_and_round = []
    round_and_round.append(round_and_round)
    for args in ((Strange("x"),), (round_and_round,)):
        assert logging.getLogRecordFactory()("x", 40, "x.py", 1, "%s", args, True).getMessage()


def test_our_own_sentences_are_logged_whole():
    lost = UploadIncomplete("/data/experiments/E1", missing=["a.dcm"])
    assert "/data/experiments/E1" in str(without_paths(lost))
