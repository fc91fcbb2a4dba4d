"""What the prearchive knows of a session; sessions that come file by file; inbox requests; anonymisation scripts."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("prearchive_session") as batch:
        batch.add_column(sa.Column("modified_at", UtcDateTime, nullable=True))
        batch.add_column(sa.Column("study_instance_uid", sa.String(64), nullable=False, server_default=""))
        batch.add_column(sa.Column("code", sa.Integer, nullable=False, server_default="0"))
        batch.add_column(sa.Column("source", sa.String(32), nullable=False, server_default=""))
        batch.add_column(sa.Column("scans", Json, nullable=False, server_default="{}"))
        batch.add_column(sa.Column("reasons", Json, nullable=False, server_default="[]"))
        batch.add_column(sa.Column("errand", Json, nullable=False, server_default="{}"))
    op.execute("update prearchive_session set modified_at = uploaded_at")
    with op.batch_alter_table("prearchive_session") as batch:
        batch.alter_column("modified_at", existing_type=UtcDateTime, nullable=False)
    op.create_index("ix_prearchive_session_modified_at", "prearchive_session", ["modified_at"])
    op.create_table(
        "open_session",
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", name="pk_open_session"),
    )
    op.create_table(
        "inbox_request",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("has_every_right", sa.Boolean, nullable=False),
        sa.Column("path", sa.String(4000), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("is_cleaned_up", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("result", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_inbox_request"),
    )
    op.create_table(
        "anonymize_script",
        sa.Column("scope", sa.String(200), nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.Column("modified_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("scope", name="pk_anonymize_script"),
    )


def downgrade() -> None:
    for name in ("anonymize_script", "inbox_request", "open_session"):
        op.drop_table(name)
    op.drop_index("ix_prearchive_session_modified_at", "prearchive_session")
    with op.batch_alter_table("prearchive_session") as batch:
        for name in ("errand", "reasons", "scans", "source", "code", "study_instance_uid", "modified_at"):
            batch.drop_column(name)
