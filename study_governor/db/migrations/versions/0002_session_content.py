"""The digest over a session's images.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("experiment", sa.Column("content_sha256", sa.String(64)))


def downgrade() -> None:
    with op.batch_alter_table("experiment") as batch:
        batch.drop_column("content_sha256")
