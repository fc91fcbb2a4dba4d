"""DICOM receivers as administrators describe them."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receiver",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("ae_title", sa.String(16), nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("identifier", sa.String(100), nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("has_custom_processing", sa.Boolean, nullable=False),
        sa.Column("is_direct", sa.Boolean, nullable=False),
        sa.Column("is_anonymized", sa.Boolean, nullable=False),
        sa.Column("has_whitelist", sa.Boolean, nullable=False),
        sa.Column("whitelist", Json, nullable=False),
        sa.Column("has_rules", sa.Boolean, nullable=False),
        sa.Column("project_rules", sa.Text, nullable=False),
        sa.Column("subject_rules", sa.Text, nullable=False),
        sa.Column("session_rules", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_receiver"),
        sa.UniqueConstraint("ae_title", "port", name="uq_receiver_ae_title_port"),
        sqlite_autoincrement=True,
    )
