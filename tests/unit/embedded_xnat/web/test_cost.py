"""What a page reads grows with the page and not with the archive: SQLite's own plan says so."""

import threading

import pytest
from sqlalchemy import event

from embedded_xnat.domain.roles import Visitor
from embedded_xnat.web import queries

READERS = {
    "sessions of a project": lambda session: queries.sessions(session, project_id="P", before=900, limit=51),
    "sessions of a subject": lambda session: queries.sessions(
        session, project_id="P", subject_id="CF_S00001", limit=51
    ),
    "subjects of a project": lambda session: queries.subjects(session, "P", before=900, limit=51),
    "sessions with a part": lambda session: queries.sessions(session, project_id="P", text="1_mr", limit=51),
    "subjects with a part": lambda session: queries.subjects(session, "P", text="nowhere", limit=51),
    "sessions with two characters": lambda session: queries.sessions(session, project_id="P", text="S1", limit=51),
    "projects": lambda session: queries.projects(session, Visitor("admin", everything=True), limit=51),
    "scans of a session": lambda session: queries.scans(session, "CF_E00001"),
    "counts of a project": lambda session: queries.totals(session, "P"),
    "files of a resource": lambda session: queries.files(session, 1, after="a"),
}


@pytest.mark.parametrize("reader", READERS)
def test_no_table_is_read_from_end_to_end(server, reader):
    database = server.app.state.archive.database
    here, asked = threading.get_ident(), list[tuple[str, tuple]]()  # the server's own housekeeping asks, too

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if threading.get_ident() == here and statement.lstrip().upper().startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as uow:
        READERS[reader](uow.session)
    event.remove(database.engine, "before_cursor_execute", note)
    assert asked
    with database.read() as uow:
        connection = uow.session.connection()
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            scans = [step[3] for step in plan if step[3].startswith("SCAN") and "USING" not in step[3]]
            assert scans == [], statement
