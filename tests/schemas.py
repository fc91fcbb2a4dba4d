"""What a database's tables look like, to compare two of them; and the two ways to make them."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import inspect

from service_kit import migrations
from service_kit.database import Database

PACKAGES = ["embedded_xnat", "gateway", "study_governor", "task_supervisor", "service_kit.accounts"]


def at_once(url: str, package: str) -> dict[str, Any]:
    """Make a service's tables in an empty database as a start does."""
    migrations.upgrade(url, package=package)
    return shape(url)


def step_by_step(url: str, package: str) -> dict[str, Any]:
    """Make a service's tables in an empty database with every migration in turn."""
    import_module(f"{package}.db")
    database = Database(url)
    with database.engine.begin() as connection:
        folder = Path(str(files(package).joinpath("db", "migrations")))
        migrations._run_alembic(connection, folder=folder, version_table=f"{package.replace('.', '_')}_version")
    database.dispose()
    return shape(url)


def shape(url: str) -> dict[str, Any]:
    """Return tables with columns, keys, constraints and indexes; defaults that only older rows needed are left out."""
    database = Database(url)
    inspector = inspect(database.engine)
    found = {
        name: {
            "columns": sorted((one["name"], str(one["type"]), one["nullable"]) for one in inspector.get_columns(name)),
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": sorted(map(plain, inspector.get_foreign_keys(name))),
            "unique": sorted(map(plain, inspector.get_unique_constraints(name))),
            "checks": sorted(map(plain, inspector.get_check_constraints(name))),
            "indexes": sorted(map(plain, inspector.get_indexes(name))),
        }
        for name in inspector.get_table_names()
    }
    database.dispose()
    return found


def plain(constraint: dict[str, Any]) -> str:
    """Return a constraint as text that compares: SQL in it as its words."""
    options = {key: str(value) for key, value in (constraint.get("dialect_options") or {}).items()}
    return str(sorted({**constraint, "dialect_options": sorted(options.items())}.items()))
