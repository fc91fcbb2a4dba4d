"""Until when an arrival is held open, because its sender is still connected.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("arrival") as batch:
        batch.add_column(sa.Column("held_until", UtcDateTime, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("arrival") as batch:
        batch.drop_column("held_until")
