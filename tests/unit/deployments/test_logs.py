"""One line a record."""

import logging

from deployments.logs import LineFormatter


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
