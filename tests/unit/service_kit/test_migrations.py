"""Migrations: a database that has the newest revision is left alone, every other is brought there."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text

from service_kit import migrations
from service_kit.database import Database

PACKAGES = ["embedded_xnat", "gateway", "study_governor", "task_supervisor", "service_kit.accounts"]


def folder_of(package: str) -> Path:
    return Path(import_module(package).__file__).parent / "db" / "migrations"


@pytest.mark.parametrize("package", PACKAGES)
def test_the_newest_revision_is_the_one_alembic_names(package: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder_of(package)))
    assert migrations._newest(folder_of(package) / "versions") == ScriptDirectory.from_config(config).get_current_head()


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
