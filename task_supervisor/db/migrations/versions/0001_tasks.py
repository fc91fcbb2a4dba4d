"""Templates, tasks, labels, answers, drafts, events, outbox."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "task_template",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_template"),
        sa.UniqueConstraint("label", name="uq_task_template_label"),
    )
    op.create_table(
        "task_template_version",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("template_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_template_version"),
        sa.ForeignKeyConstraint(
            ["template_id"], ["task_template.id"], name="fk_task_template_version_template_id_task_template"
        ),
        sa.UniqueConstraint("template_id", "version", name="uq_task_template_version_template_id_version"),
    )
    _create_task()
    op.create_table(
        "task_label",
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "kind", "name", name="pk_task_label"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_label_task_id_task"),
    )
    op.create_index("ix_task_label_name", "task_label", ["name"])
    _create_answers()
    op.create_table(
        "task_event",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("detail", sa.String(600), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task_event"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_task_event_task_id_task"),
    )
    op.create_index("ix_task_event_task_id", "task_event", ["task_id"])
    _create_outbox()


def _create_task() -> None:
    op.create_table(
        "task",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("site", sa.String(64)),
        sa.Column("template_version_id", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("lease_token", sa.Integer, nullable=False),
        sa.Column("lease_holder", sa.String(64)),
        sa.Column("lease_expires_at", UtcDateTime),
        sa.Column("tracking_id", sa.String(100)),
        sa.Column("generator_url", sa.String(512)),
        sa.Column("callback_url", sa.String(512)),
        sa.Column("callback_content", sa.Text, nullable=False),
        sa.Column("application_name", sa.String(64)),
        sa.Column("application_version", sa.String(32)),
        sa.Column("idempotency_key", sa.String(200)),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("create_time", UtcDateTime, nullable=False),
        sa.Column("update_time", UtcDateTime, nullable=False),
        sa.Column("settled_at", UtcDateTime),
        sa.Column("abort_reason", sa.String(500)),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sa.ForeignKeyConstraint(
            ["template_version_id"],
            ["task_template_version.id"],
            name="fk_task_template_version_id_task_template_version",
        ),
        sa.UniqueConstraint("idempotency_key", name="uq_task_idempotency_key"),
    )
    for column in ("project", "template_version_id", "status", "lease_holder"):
        op.create_index(f"ix_task_{column}", "task", [column])


def _create_answers() -> None:
    op.create_table(
        "answer",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("lease_token", sa.Integer, nullable=False),
        sa.Column("answer", Json, nullable=False),
        sa.Column("template_version_id", sa.Integer, nullable=False),
        sa.Column("submitted_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_answer"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_answer_task_id_task"),
        sa.ForeignKeyConstraint(
            ["template_version_id"],
            ["task_template_version.id"],
            name="fk_answer_template_version_id_task_template_version",
        ),
        sa.UniqueConstraint("task_id", "revision", name="uq_answer_task_id_revision"),
    )
    op.create_index("ix_answer_username", "answer", ["username"])
    op.create_table(
        "draft",
        sa.Column("task_id", sa.Integer, nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("answer", Json, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "username", name="pk_draft"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_draft_task_id_task"),
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("available_at", UtcDateTime, nullable=False),
        sa.Column("lease_token", sa.String(32)),
        sa.Column("result", Json),
        sa.Column("last_error", sa.Text),
        sa.Column("settled_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("kind", "key", name="uq_outbox_kind_key"),
    )
    for column in ("status", "available_at"):
        op.create_index(f"ix_outbox_{column}", "outbox", [column])


def downgrade() -> None:
    for table in ("outbox", "task_event", "draft", "answer", "task_label", "task", "task_template_version"):
        op.drop_table(table)
    op.drop_table("task_template")
