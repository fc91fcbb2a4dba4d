"""What the server notes itself of what is done to objects."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("workflow") as table:
        table.add_column(sa.Column("is_own", sa.Boolean, nullable=False, server_default=sa.false()))
        table.alter_column("is_own", server_default=None)
