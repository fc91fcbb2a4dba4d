"""Arrivals, their instances and events, orders."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RECEIVING = sa.text("state = 'receiving'")


def upgrade() -> None:
    op.create_table(
        "arrival",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("calling_ae", sa.String(64), nullable=False),
        sa.Column("called_ae", sa.String(64), nullable=False),
        sa.Column("peer_ip", sa.String(64)),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("last_instance_at", UtcDateTime, nullable=False),
        sa.Column("completed_at", UtcDateTime),
        sa.Column("settled_at", UtcDateTime),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column("instance_count", sa.Integer, nullable=False),
        sa.Column("unreadable_count", sa.Integer, nullable=False),
        sa.Column("quarantined_count", sa.Integer, nullable=False),
        sa.Column("duplicate_count", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("study", sa.String(200)),
        sa.Column("session_label", sa.String(200)),
        sa.Column("session_url", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("flow_run_id", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_arrival"),
    )
    op.create_index("ix_arrival_changed_at", "arrival", ["changed_at"])
    op.create_index("ix_arrival_quarantined_count", "arrival", ["quarantined_count"])
    op.create_index("ix_arrival_state_id", "arrival", ["state", "id"])
    op.create_index("ix_arrival_study_instance_uid", "arrival", ["study_instance_uid"])
    op.create_index(
        "uq_arrival_receiving",
        "arrival",
        ["study_instance_uid", "calling_ae", "called_ae"],
        unique=True,
        sqlite_where=RECEIVING,
        postgresql_where=RECEIVING,
    )
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("arrival_id", sa.Integer, nullable=False),
        sa.Column("sop_instance_uid", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("sop_class_uid", sa.String(64), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(64), nullable=False),
        sa.Column("study_instance_uid", sa.String(64)),
        sa.Column("series_instance_uid", sa.String(64)),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("copies", sa.Integer, nullable=False),
        sa.Column("readable", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.ForeignKeyConstraint(["arrival_id"], ["arrival.id"], name="fk_instance_arrival_id_arrival"),
        sa.PrimaryKeyConstraint("id", name="pk_instance"),
        sa.UniqueConstraint("path", name="uq_instance_path"),
        sa.UniqueConstraint("sop_instance_uid", "sha256", name="uq_instance_sop_instance_uid_sha256"),
    )
    op.create_index("ix_instance_arrival_id_id", "instance", ["arrival_id", "id"])
    op.create_table(
        "arrival_event",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("arrival_id", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
        sa.ForeignKeyConstraint(["arrival_id"], ["arrival.id"], name="fk_arrival_event_arrival_id_arrival"),
        sa.PrimaryKeyConstraint("id", name="pk_arrival_event"),
    )
    op.create_index("ix_arrival_event_arrival_id_id", "arrival_event", ["arrival_id", "id"])
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
    op.create_index("ix_outbox_available_at", "outbox", ["available_at"])
    op.create_index("ix_outbox_status", "outbox", ["status"])


def downgrade() -> None:
    for table in ("outbox", "arrival_event", "instance", "arrival"):
        op.drop_table(table)
