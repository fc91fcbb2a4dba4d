"""Accounts know how old their password is; until now it was as old as the account, as far as anybody knows."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user_account", sa.Column("password_set_at", UtcDateTime))
    op.execute("UPDATE user_account SET password_set_at = created_at WHERE password_hash IS NOT NULL")
