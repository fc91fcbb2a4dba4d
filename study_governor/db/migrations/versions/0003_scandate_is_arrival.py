"""Whether the date of a session is only the day on which its images arrived.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What the flow said of such sessions, before the governor knew.
_SAID = "The images carry no date; the day of their arrival stands in its place."


def upgrade() -> None:
    op.add_column(
        "experiment", sa.Column("scandate_is_arrival", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    experiment = sa.table("experiment", sa.column("freetext"), sa.column("scandate_is_arrival"))
    op.execute(
        sa.update(experiment).where(experiment.c.freetext == _SAID).values(scandate_is_arrival=sa.true(), freetext=None)
    )


def downgrade() -> None:
    experiment = sa.table("experiment", sa.column("freetext"), sa.column("scandate_is_arrival", sa.Boolean()))
    op.execute(
        sa.update(experiment)
        .where(experiment.c.scandate_is_arrival, experiment.c.freetext.is_(None))
        .values(freetext=_SAID)
    )
    op.drop_column("experiment", "scandate_is_arrival")  # as a batch it would make the table anew, to which rows refer
