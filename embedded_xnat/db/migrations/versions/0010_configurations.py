"""Texts that tools of the site or of a project are configured by, in versions."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "configuration",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.Column("tool", sa.String(100), nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("contents", sa.Text, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_configuration"),
        sa.UniqueConstraint(
            "project_id", "tool", "path", "version", name="uq_configuration_project_id_tool_path_version"
        ),
        sqlite_autoincrement=True,
    )
