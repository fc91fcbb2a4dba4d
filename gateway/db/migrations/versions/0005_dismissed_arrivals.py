"""What somebody set aside in the quarantine: when, who and why.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("arrival", sa.Column("dismissed_at", UtcDateTime, nullable=True))
    op.add_column("arrival", sa.Column("dismissed_by", sa.String(100), nullable=True))
    op.add_column("arrival", sa.Column("dismissed_reason", sa.Text, nullable=True))
    op.create_index("ix_arrival_dismissed_at", "arrival", ["dismissed_at"])


def downgrade() -> None:
    op.drop_index("ix_arrival_dismissed_at", table_name="arrival")
    for column in ("dismissed_reason", "dismissed_by", "dismissed_at"):
        op.drop_column("arrival", column)
