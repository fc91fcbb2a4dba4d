"""The archive on a real PostgreSQL: the same requests, the same answers."""

import threading
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from embedded_xnat.app import create_app
from embedded_xnat.db.tables import PrearchiveRow
from embedded_xnat.domain.roles import Visitor
from embedded_xnat.imports.prearchive import begin
from embedded_xnat.imports.prearchive_actions import Errand
from embedded_xnat.settings import EmbeddedXnatSettings
from service_kit.accounts import Role
from service_kit.accounts.service import Accounts
from service_kit.tables import utc_now
from tests.contract.xnat_clients.test_imports import write_dicom

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(postgres_url: str, tmp_path: Path) -> EmbeddedXnatSettings:
    name = f"xnat_{uuid4().hex}"
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    accounts_url = f"sqlite:///{tmp_path}/accounts.db"
    accounts = Accounts.open(accounts_url)
    accounts.create_user("admin", PASSWORD)
    accounts.grant("admin", Role.admin)
    accounts.database.dispose()
    return EmbeddedXnatSettings(
        data_dir=tmp_path / "data",
        database_url=str(create_engine(postgres_url).url.set(database=name).render_as_string(hide_password=False)),
        accounts_database_url=accounts_url,
    )


def test_objects_and_files_are_kept_in_postgresql_too(settings: EmbeddedXnatSettings) -> None:
    with TestClient(create_app(settings)) as client:
        assert client.put("/data/services/auth", data={"username": "admin", "password": PASSWORD}).status_code == 200
        uri = "/data/projects/P/subjects/S/experiments/E"
        client.put("/data/projects/P")
        assert client.put("/data/projects/P/subjects/S").text == "CF_S00001"
        assert client.put(uri, params={"xnat:mrSessionData/fields/field[name=a]/field": "b"}).text == "CF_E00001"
        client.put(f"{uri}/scans/1", params={"xsiType": "xnat:mrScanData", "xnat:mrScanData/type": "T1"})
        statuses: list[int] = []

        def upload(number: int) -> None:
            answer = client.put(f"{uri}/scans/1/resources/DICOM/files/{number}", content=b"x" * number)
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=upload, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 8
        table = client.get(f"{uri}/scans/1/resources/DICOM/files").json()["ResultSet"]["Result"]
        assert sorted(row["Size"] for row in table) == [str(number) for number in range(1, 9)]
        assert client.get(uri).json()["items"][0]["children"]
        assert client.get("/data/scan_types").json()["ResultSet"]["Result"] == [{"type": "T1"}]
        assert client.get("/data/search/elements").status_code == 200
        assert client.put(uri, params={"label": "F"}).status_code == 200
        assert client.get("/data/projects/P/experiments/F/scans/1/resources/DICOM/files/3").content == b"xxx"
        assert client.delete("/data/projects/P", params={"removeFiles": "true"}).status_code == 200
        assert client.get("/data/experiments").json()["ResultSet"]["Result"] == []


def test_imports_and_the_prearchive_are_kept_in_postgresql_too(settings: EmbeddedXnatSettings, tmp_path: Path) -> None:
    parts = [write_dicom(tmp_path / f"{number}.dcm").read_bytes() for number in range(2)]
    script = 'version "6.1"\n(0010,0010) := "NOBODY"\n'
    gradual = {"project": "P", "import-handler": "gradual-DICOM"}
    with TestClient(create_app(settings)) as client:
        assert client.put("/data/services/auth", data={"username": "admin", "password": PASSWORD}).status_code == 200
        client.put("/data/projects/P")
        assert client.put("/xapi/anonymize/site", content=script).status_code == 200
        uris = {client.post("/data/services/import", params=gradual, content=part).text for part in parts}
        assert len(uris) == 1
        client.app.state.import_worker.look(utc_now() + timedelta(minutes=6))
        session = client.get("/data/projects/P/experiments/SUBJ_MR").json()["items"][0]["data_fields"]
        assert (session["dcmPatientName"], session["UID"]) == ("NOBODY", "1.2.3")
        again = client.post("/data/services/import", params=gradual, content=parts[0]).text.strip()
        client.app.state.import_worker.look(utc_now() + timedelta(minutes=6))
        (row,) = client.get("/data/prearchive/projects/P").json()["ResultSet"]["Result"]
        assert (row["status"], row["url"]) == ("CONFLICT", again.removeprefix("/data"))
        answer = client.post("/data/services/archive", params={"src": again, "overwrite": "append"})
        assert answer.status_code == 200, answer.text
        files = client.get("/data/projects/P/experiments/SUBJ_MR/scans/5/files").json()["ResultSet"]["Result"]
        assert len(files) == 2


@pytest.mark.parametrize("what", ["put right", "begun"])
def test_a_session_of_the_prearchive_is_held_from_the_look_at_it_to_the_change(settings, what: str) -> None:
    """What another transaction writes in between would be lost, or half of it: here it cannot write."""
    with TestClient(create_app(settings)) as client:
        client.app.state.import_worker.stop()
        archive, actions = client.app.state.archive, client.app.state.import_worker._actions
        errand = Errand("rebuild").as_data(Visitor("admin", everything=True))
        with archive.change() as change:
            row = PrearchiveRow(
                project_id="P",
                stamp="20260203_091500123",
                folder="E",
                subject_label="S",
                session_label="E",
                status="BUILDING" if what == "put right" else "READY",
                uploaded_by="admin",
                errand=errand,
            )
            change.session.add(row)
            change.session.flush()
            number = row.number
        other = create_engine(settings.database_url)
        meanwhile: list[str] = []

        def write_meanwhile(_connection, _cursor, statement: str, *_: object) -> None:
            if "FROM prearchive_session" not in statement:
                return
            try:
                with other.begin() as connection:
                    held = "SELECT status FROM prearchive_session WHERE number = :number FOR UPDATE NOWAIT"
                    meanwhile.append(connection.execute(text(held), {"number": number}).scalar_one())
            except OperationalError:
                meanwhile.append("held")

        event.listen(archive.database.engine, "after_cursor_execute", write_meanwhile)
        if what == "put right":
            actions.put_right()
        else:
            with archive.change() as change:
                begin(change, row, "MOVING")
        event.remove(archive.database.engine, "after_cursor_execute", write_meanwhile)
        other.dispose()
        assert meanwhile[-1] == "held"
        with archive.read() as session:
            status = session.get(PrearchiveRow, number).status
        assert status == ("QUEUED_BUILDING" if what == "put right" else "MOVING")
