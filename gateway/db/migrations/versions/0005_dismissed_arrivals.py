"""What somebody set aside in the quarantine: when, who and why.

Arrivals whose objects were all sent again and moved to another one are set aside, as they are from now on.

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
    names = ("state", "instance_count", "changed_at", "reason", "dismissed_at", "dismissed_by", "dismissed_reason")
    arrival = sa.table("arrival", *map(sa.column, names))
    op.execute(
        arrival.update()
        .where(arrival.c.state == "quarantined", arrival.c.instance_count == 0)
        .values(dismissed_at=arrival.c.changed_at, dismissed_by="gateway", dismissed_reason=arrival.c.reason)
    )


def downgrade() -> None:
    op.drop_index("ix_arrival_dismissed_at", table_name="arrival")
    for column in ("dismissed_reason", "dismissed_by", "dismissed_at"):
        op.drop_column("arrival", column)
