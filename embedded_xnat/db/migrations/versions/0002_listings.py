"""Aliases and custom variables of projects, saved searches; listings that read no more than they show."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "project_alias",
        sa.Column("alias", sa.String(200), nullable=False),
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("alias", name="pk_project_alias"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_project_alias_project_id_project"),
    )
    op.create_index("ix_project_alias_project_id", "project_alias", ["project_id"])
    op.create_table(
        "saved_search",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("brief_description", sa.String(255), nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.Column("root_element", sa.String(100), nullable=False),
        sa.Column("document", sa.String, nullable=False),
        sa.Column("logins", Json, nullable=False),
        sa.Column("inserted_at", UtcDateTime, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_search"),
    )
    op.create_index("ix_saved_search_owner", "saved_search", ["owner"])
    op.add_column("project", sa.Column("quarantine_code", sa.Integer, nullable=False, server_default="0"))
    op.add_column("project", sa.Column("protocols", Json, nullable=False, server_default=sa.text("'[]'")))
    op.drop_index("ix_experiment_project_id_number", "experiment")
    op.drop_index("ix_experiment_session_id", "experiment")
    op.create_index("ix_experiment_project_id_session_id_number", "experiment", ["project_id", "session_id", "number"])
    op.create_index("ix_experiment_session_id_number", "experiment", ["session_id", "number"])
    op.create_index("ix_subject_project_id_number", "subject", ["project_id", "number"])
