"""Migrations: a database that has the newest revision is left alone, every other is brought there."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service_kit import migrations
from service_kit.database import Database
from tests.schemas import PACKAGES, at_once, shape, step_by_step


def folder_of(package: str) -> Path:
    return Path(import_module(package).__file__).parent / "db" / "migrations"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_newest_revision_is_the_one_alembic_names(package: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder_of(package)))
    assert migrations._newest(folder_of(package) / "versions") == ScriptDirectory.from_config(config).get_current_head()


@pytest.mark.parametrize("package", PACKAGES)
def test_an_empty_database_gets_at_once_what_all_migrations_come_to(package: str, tmp_path: Path) -> None:
    made = at_once(f"sqlite:///{tmp_path}/new.db", package)
    assert made == step_by_step(f"sqlite:///{tmp_path}/old.db", package)
    assert len(made) > 3


def test_a_new_database_does_without_alembic(tmp_path: Path) -> None:
    code = (
        "import sys; from service_kit import migrations;"
        f"migrations.upgrade('sqlite:///{tmp_path}/a.db', package='service_kit.accounts'); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_database_of_an_earlier_program_is_brought_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/archive.db"
    config = Config()
    config.set_main_option("script_location", str(folder_of("embedded_xnat")))
    config.set_main_option("version_table", "embedded_xnat_version")
    database = Database(url)
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    database.dispose()
    assert at_once(url, "embedded_xnat") == step_by_step(f"sqlite:///{tmp_path}/old.db", "embedded_xnat")


def test_processes_that_start_together_make_an_empty_database_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    with ThreadPoolExecutor(4) as starts:
        list(starts.map(lambda _: migrations.upgrade(url, package="gateway"), range(4)))
    assert shape(url) == at_once(f"sqlite:///{tmp_path}/alone.db", "gateway")


def test_a_creation_that_is_cut_off_leaves_nothing_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gateway.db"
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(text("create view outbox as select 1"))  # in the way of one of the tables
    with pytest.raises(DBAPIError):
        migrations.upgrade(url, package="gateway")
    assert shape(url) == {}
    with database.engine.begin() as connection:
        connection.execute(text("drop view outbox"))
    database.dispose()
    assert at_once(url, "gateway") == at_once(f"sqlite:///{tmp_path}/alone.db", "gateway")


def test_a_database_is_migrated_and_then_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/accounts.db"
    migrations.upgrade(url, package="service_kit.accounts")
    code = (
        "import sys; from service_kit import migrations;"
        f"migrations.upgrade({url!r}, package='service_kit.accounts'); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_database_of_a_later_program_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/accounts.db"
    migrations.upgrade(url, package="service_kit.accounts")
    database = Database(url)
    with database.write() as uow:
        uow.session.connection().execute(text("update service_kit_accounts_version set version_num = '9999'"))
    database.dispose()
    with pytest.raises(CommandError):
        migrations.upgrade(url, package="service_kit.accounts")
