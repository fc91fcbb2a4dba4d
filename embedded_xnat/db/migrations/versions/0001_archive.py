"""Projects, subjects, experiments, scans, resources, files, shares, logins, tokens, pending moves."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alias_token",
        sa.Column("alias", sa.String(36), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("alias", name="pk_alias_token"),
    )
    op.create_index("ix_alias_token_username", "alias_token", ["username"])
    op.create_table(
        "counter",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("value", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counter"),
    )
    op.create_table(
        "login",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("last_used_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_login"),
    )
    op.create_index("ix_login_last_used_at", "login", ["last_used_at"])
    op.create_table(
        "pending_move",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("source", sa.String(2000), nullable=False),
        sa.Column("target", sa.String(2000), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_pending_move"),
    )
    op.create_table(
        "prearchive_session",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.Column("stamp", sa.String(32), nullable=False),
        sa.Column("folder", sa.String(200), nullable=False),
        sa.Column("subject_label", sa.String(200), nullable=False),
        sa.Column("session_label", sa.String(200), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("scan_date", sa.String(10), nullable=False),
        sa.Column("scan_time", sa.String(16), nullable=False),
        sa.Column("uploaded_at", UtcDateTime, nullable=False),
        sa.Column("uploaded_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_prearchive_session"),
        sa.UniqueConstraint("project_id", "stamp", "folder", name="uq_prearchive_session_project_id_stamp_folder"),
    )
    op.create_table(
        "project",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("xsi_type", sa.String(100), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("lists", Json, nullable=False),
        sa.Column("inserted_at", UtcDateTime, nullable=False),
        sa.Column("inserted_by", sa.String(64), nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("accessibility", sa.String(16), nullable=False),
        sa.Column("prearchive_code", sa.Integer, nullable=False),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_project"),
        sa.UniqueConstraint("id", name="uq_project_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "resource",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("owner_kind", sa.String(20), nullable=False),
        sa.Column("owner_number", sa.Integer, nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("folder", sa.String(210), nullable=False),
        sa.Column("format", sa.String(200)),
        sa.Column("content", sa.String(200)),
        sa.Column("description", sa.String),
        sa.Column("tags", sa.String),
        sa.Column("inserted_at", UtcDateTime, nullable=False),
        sa.Column("inserted_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_resource"),
        sa.UniqueConstraint("owner_kind", "owner_number", "folder", name="uq_resource_owner_kind_owner_number_folder"),
        sa.UniqueConstraint("owner_kind", "owner_number", "label", name="uq_resource_owner_kind_owner_number_label"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "file",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("resource_number", sa.Integer, nullable=False),
        sa.Column("path", sa.String(1000), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("md5", sa.String(32), nullable=False),
        sa.Column("format", sa.String(200)),
        sa.Column("content", sa.String(200)),
        sa.Column("tags", sa.String),
        sa.Column("inserted_at", UtcDateTime, nullable=False),
        sa.Column("inserted_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_file"),
        sa.ForeignKeyConstraint(["resource_number"], ["resource.number"], name="fk_file_resource_number_resource"),
        sa.UniqueConstraint("resource_number", "path", name="uq_file_resource_number_path"),
    )
    op.create_table(
        "membership",
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "username", name="pk_membership"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_membership_project_id_project"),
    )
    op.create_index("ix_membership_username", "membership", ["username"])
    op.create_table(
        "share",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("owner_kind", sa.String(20), nullable=False),
        sa.Column("owner_id", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_share"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_share_project_id_project"),
        sa.UniqueConstraint("owner_kind", "owner_id", "project_id", name="uq_share_owner_kind_owner_id_project_id"),
    )
    op.create_index("ix_share_project_id", "share", ["project_id"])
    op.create_table(
        "subject",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("xsi_type", sa.String(100), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("lists", Json, nullable=False),
        sa.Column("inserted_at", UtcDateTime, nullable=False),
        sa.Column("inserted_by", sa.String(64), nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_subject"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_subject_project_id_project"),
        sa.UniqueConstraint("id", name="uq_subject_id"),
        sa.UniqueConstraint("project_id", "label", name="uq_subject_project_id_label"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "experiment",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("xsi_type", sa.String(100), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("lists", Json, nullable=False),
        sa.Column("inserted_at", UtcDateTime, nullable=False),
        sa.Column("inserted_by", sa.String(64), nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.Column("subject_id", sa.String(64)),
        sa.Column("session_id", sa.String(64)),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_experiment"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_experiment_project_id_project"),
        sa.ForeignKeyConstraint(["session_id"], ["experiment.id"], name="fk_experiment_session_id_experiment"),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name="fk_experiment_subject_id_subject"),
        sa.UniqueConstraint("id", name="uq_experiment_id"),
        sa.UniqueConstraint("project_id", "label", name="uq_experiment_project_id_label"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_experiment_project_id_number", "experiment", ["project_id", "number"])
    op.create_index("ix_experiment_session_id", "experiment", ["session_id"])
    op.create_index("ix_experiment_subject_id", "experiment", ["subject_id"])
    op.create_table(
        "scan",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("xsi_type", sa.String(100), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("lists", Json, nullable=False),
        sa.Column("inserted_at", UtcDateTime, nullable=False),
        sa.Column("inserted_by", sa.String(64), nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.Column("experiment_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("scan_id", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_scan"),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiment.id"], name="fk_scan_experiment_id_experiment"),
        sa.UniqueConstraint("experiment_id", "kind", "scan_id", name="uq_scan_experiment_id_kind_scan_id"),
        sqlite_autoincrement=True,
    )
