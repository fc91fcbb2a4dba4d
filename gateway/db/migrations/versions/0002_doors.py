"""The receivers' doors: which are open, since when.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "door",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_door"),
    )


def downgrade() -> None:
    op.drop_table("door")
