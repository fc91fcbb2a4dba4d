"""Folders that stay on disk since their object was deleted without its files."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_folder",
        sa.Column("path", sa.String(1000), nullable=False),
        sa.Column("kept_by", sa.String(64), nullable=False),
        sa.Column("kept_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_kept_folder"),
    )
