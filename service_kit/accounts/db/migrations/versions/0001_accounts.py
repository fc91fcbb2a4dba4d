"""Users, grants, browser sessions, API tokens, failed log-ins."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "user_account",
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("display_name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(320)),
        sa.Column("password_hash", sa.String(500)),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("username", name="pk_user_account"),
    )
    op.create_table(
        "role_grant",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("study", sa.String(100), nullable=False),
        sa.Column("site", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_role_grant"),
        sa.ForeignKeyConstraint(["username"], ["user_account.username"], name="fk_role_grant_username_user_account"),
        sa.UniqueConstraint("username", "role", "study", "site", name="uq_role_grant_username_role_study_site"),
    )
    op.create_index("ix_role_grant_username", "role_grant", ["username"])
    op.create_table(
        "browser_session",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_browser_session"),
        sa.ForeignKeyConstraint(
            ["username"], ["user_account.username"], name="fk_browser_session_username_user_account"
        ),
    )
    op.create_index("ix_browser_session_username", "browser_session", ["username"])
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("last_used_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
        sa.ForeignKeyConstraint(["username"], ["user_account.username"], name="fk_api_token_username_user_account"),
        sa.UniqueConstraint("token_sha256", name="uq_api_token_token_sha256"),
    )
    op.create_index("ix_api_token_username", "api_token", ["username"])
    op.create_table(
        "login_failure",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("username_sha256", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("failed_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_login_failure"),
    )
    for column in ("username_sha256", "address", "failed_at"):
        op.create_index(f"ix_login_failure_{column}", "login_failure", [column])


def downgrade() -> None:
    for table in ("login_failure", "api_token", "browser_session", "role_grant", "user_account"):
        op.drop_table(table)
