"""The migrations make exactly the tables that the program expects."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.db.tables import METADATA
from service_kit import migrations
from service_kit.database import Database


def test_migrated_tables_equal_the_declared_ones(tmp_path):
    url = f"sqlite:///{tmp_path}/gateway.db"
    migrations.upgrade(url, package="gateway")
    migrations.upgrade(url, package="gateway")
    database = Database(url)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [one for one in compare_metadata(context, METADATA) if "gateway_version" not in str(one)]
    database.dispose()
    assert differences == []
