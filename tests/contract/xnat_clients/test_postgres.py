"""The archive on a real PostgreSQL: the same requests, the same answers."""

import threading
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from embedded_xnat.app import create_app
from embedded_xnat.settings import EmbeddedXnatSettings
from service_kit.accounts import Accounts, Role

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
