"""What pipelines and scripts say of their work."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workflow",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("owner_kind", sa.String(20), nullable=False),
        sa.Column("owner_id", sa.String(200), nullable=False),
        sa.Column("data_type", sa.String(100), nullable=False),
        sa.Column("external_id", sa.String(200), nullable=False),
        sa.Column("pipeline_name", sa.String(500), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_workflow"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_workflow_owner_kind_owner_id", "workflow", ["owner_kind", "owner_id"])
