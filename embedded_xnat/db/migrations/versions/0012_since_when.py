"""Since when logins and alias tokens are there: one that is older than its password opens nothing."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("login", sa.Column("opened_at", UtcDateTime))
    op.add_column("alias_token", sa.Column("issued_at", UtcDateTime))
