"""Workflows, sessions, actions, executions, measurements and the outbox."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cohort",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cohort")),
        sa.UniqueConstraint("label", name=op.f("uq_cohort_label")),
    )
    op.create_table(
        "external_system",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("system_name", sa.String(length=100), nullable=False),
        sa.Column("url", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_system")),
        sa.UniqueConstraint("system_name", name=op.f("uq_external_system_system_name")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("available_at", UtcDateTime, nullable=False),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("result", Json, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("settled_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_outbox_kind_key")),
    )
    op.create_index(op.f("ix_outbox_available_at"), "outbox", ["available_at"], unique=False)
    op.create_index(op.f("ix_outbox_status"), "outbox", ["status"], unique=False)
    op.create_table(
        "workflow",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("notices", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow")),
        sa.UniqueConstraint("label", name=op.f("uq_workflow_label")),
    )
    op.create_table(
        "state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("workflow_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("freetext", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflow.id"], name=op.f("fk_state_workflow_id_workflow")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state")),
        sa.UniqueConstraint("workflow_id", "label", name=op.f("uq_state_workflow_id_label")),
    )
    op.create_index(op.f("ix_state_label"), "state", ["label"], unique=False)
    op.create_table(
        "subject",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cohort_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["cohort_id"], ["cohort.id"], name=op.f("fk_subject_cohort_id_cohort")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject")),
        sa.UniqueConstraint("cohort_id", "label", name=op.f("uq_subject_cohort_id_label")),
    )
    op.create_table(
        "callback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("function", sa.String(length=128), nullable=False),
        sa.Column(
            "callback_arguments",
            Json,
            nullable=False,
        ),
        sa.Column("variable_map", Json, nullable=False),
        sa.Column("run_timeout", sa.Integer(), nullable=False),
        sa.Column("wait_timeout", sa.Integer(), nullable=False),
        sa.Column("initial_delay", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["state_id"], ["state.id"], name=op.f("fk_callback_state_id_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback")),
        sa.UniqueConstraint("state_id", "label", name=op.f("uq_callback_state_id_label")),
    )
    op.create_table(
        "experiment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("cohort_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("scandate", UtcDateTime, nullable=False),
        sa.Column("scandate_offset_min", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=100), nullable=True),
        sa.Column("freetext", sa.Text(), nullable=True),
        sa.Column("workflow_id", sa.Integer(), nullable=False),
        sa.Column("state_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_action_id", sa.Integer(), nullable=True),
        sa.Column("entered_at", UtcDateTime, nullable=False),
        sa.Column("attention", sa.String(length=16), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["cohort_id"], ["cohort.id"], name=op.f("fk_experiment_cohort_id_cohort")),
        sa.ForeignKeyConstraint(["state_id"], ["state.id"], name=op.f("fk_experiment_state_id_state")),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"], name=op.f("fk_experiment_subject_id_subject")),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflow.id"], name=op.f("fk_experiment_workflow_id_workflow")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment")),
        sa.UniqueConstraint("subject_id", "label", name=op.f("uq_experiment_subject_id_label")),
    )
    op.create_index(op.f("ix_experiment_attention_entered_at"), "experiment", ["attention", "entered_at"], unique=False)
    op.create_index(
        op.f("ix_experiment_cohort_id_state_id_id"), "experiment", ["cohort_id", "state_id", "id"], unique=False
    )
    op.create_index(op.f("ix_experiment_entered_at_id"), "experiment", ["entered_at", "id"], unique=False)
    op.create_index(op.f("ix_experiment_label"), "experiment", ["label"], unique=False)
    op.create_index(op.f("ix_experiment_state_id"), "experiment", ["state_id"], unique=False)
    op.create_table(
        "external_subject_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("system_name", sa.String(length=100), nullable=False),
        sa.Column("external_id", sa.String(length=1024), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name=op.f("fk_external_subject_link_subject_id_subject")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_subject_link")),
        sa.UniqueConstraint("subject_id", "system_name", name=op.f("uq_external_subject_link_subject_id_system_name")),
    )
    op.create_table(
        "transition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_state_id", sa.Integer(), nullable=False),
        sa.Column("destination_state_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["destination_state_id"], ["state.id"], name=op.f("fk_transition_destination_state_id_state")
        ),
        sa.ForeignKeyConstraint(["source_state_id"], ["state.id"], name=op.f("fk_transition_source_state_id_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transition")),
        sa.UniqueConstraint("source_state_id", "position", name=op.f("uq_transition_source_state_id_position")),
    )
    op.create_index(op.f("ix_transition_destination_state_id"), "transition", ["destination_state_id"], unique=False)
    op.create_table(
        "action",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("transition_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("return_value", Json, nullable=True),
        sa.Column("freetext", sa.Text(), nullable=True),
        sa.Column("start_time", UtcDateTime, nullable=False),
        sa.Column("end_time", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiment.id"], name=op.f("fk_action_experiment_id_experiment")),
        sa.ForeignKeyConstraint(["transition_id"], ["transition.id"], name=op.f("fk_action_transition_id_transition")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_action")),
        sa.UniqueConstraint("experiment_id", "sequence", name=op.f("uq_action_experiment_id_sequence")),
    )
    op.create_index(op.f("ix_action_start_time"), "action", ["start_time"], unique=False)
    op.create_table(
        "artifact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("uri", sa.String(length=1024), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_artifact_experiment_id_experiment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifact")),
        sa.UniqueConstraint("experiment_id", "name", name=op.f("uq_artifact_experiment_id_name")),
    )
    op.create_table(
        "external_experiment_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("system_name", sa.String(length=100), nullable=False),
        sa.Column("external_id", sa.String(length=1024), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_external_experiment_link_experiment_id_experiment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_experiment_link")),
        sa.UniqueConstraint(
            "experiment_id", "system_name", name=op.f("uq_external_experiment_link_experiment_id_system_name")
        ),
    )
    op.create_table(
        "measurement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("pedigree", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_measurement_experiment_id_experiment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurement")),
        sa.UniqueConstraint("experiment_id", "key", name=op.f("uq_measurement_experiment_id_key")),
    )
    op.create_table(
        "variable",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_variable_experiment_id_experiment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variable")),
        sa.UniqueConstraint("experiment_id", "label", name=op.f("uq_variable_experiment_id_label")),
    )
    op.create_table(
        "callback_execution",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("callback_id", sa.Integer(), nullable=False),
        sa.Column("action_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("result_values", Json, nullable=False),
        sa.Column("run_log", sa.Text(), nullable=True),
        sa.Column("result_log", sa.Text(), nullable=True),
        sa.Column("secret_key", sa.String(length=256), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("flow_run_id", sa.String(length=64), nullable=True),
        sa.Column("ordered_at", UtcDateTime, nullable=True),
        sa.Column("created", UtcDateTime, nullable=False),
        sa.Column("run_start", UtcDateTime, nullable=True),
        sa.Column("wait_start", UtcDateTime, nullable=True),
        sa.Column("finished", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["action_id"], ["action.id"], name=op.f("fk_callback_execution_action_id_action")),
        sa.ForeignKeyConstraint(
            ["callback_id"], ["callback.id"], name=op.f("fk_callback_execution_callback_id_callback")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_callback_execution_experiment_id_experiment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callback_execution")),
        sa.UniqueConstraint("action_id", "callback_id", name=op.f("uq_callback_execution_action_id_callback_id")),
    )
    op.create_index(op.f("ix_callback_execution_experiment_id"), "callback_execution", ["experiment_id"], unique=False)
    op.create_index(op.f("ix_callback_execution_status"), "callback_execution", ["status"], unique=False)
    op.create_table(
        "late_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("execution_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("result_values", Json, nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["callback_execution.id"], name=op.f("fk_late_answer_execution_id_callback_execution")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiment.id"], name=op.f("fk_late_answer_experiment_id_experiment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_late_answer")),
    )
    op.create_index(op.f("ix_late_answer_execution_id"), "late_answer", ["execution_id"], unique=False)
    op.create_index(op.f("ix_late_answer_experiment_id"), "late_answer", ["experiment_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("the first tables have no predecessor")
