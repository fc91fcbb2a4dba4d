"""Site settings, access requests, custom forms and values, event subscriptions, deliveries and orders."""

import sqlalchemy as sa
from alembic import op

from service_kit.tables import Json, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _site()
    _events()


def _site() -> None:
    op.create_index("ix_login_username", "login", ["username"])
    op.create_table(
        "site_setting",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("value", Json),
        sa.PrimaryKeyConstraint("name", name="pk_site_setting"),
    )
    op.create_table(
        "access_request",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("project_id", sa.String(200), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("decided_by", sa.String(64)),
        sa.Column("decided_at", UtcDateTime),
        sa.PrimaryKeyConstraint("number", name="pk_access_request"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_access_request_project_id_project"),
    )
    op.create_index("ix_access_request_project_id", "access_request", ["project_id"])
    op.create_index("ix_access_request_username", "access_request", ["username"])
    op.create_table(
        "custom_form",
        sa.Column("form_id", sa.String(64), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("form_id", name="pk_custom_form"),
    )
    op.create_table(
        "custom_value",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("owner_kind", sa.String(20), nullable=False),
        sa.Column("owner_number", sa.Integer, nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("value", Json),
        sa.PrimaryKeyConstraint("number", name="pk_custom_value"),
        sa.UniqueConstraint("owner_kind", "owner_number", "key", name="uq_custom_value_owner_kind_owner_number_key"),
    )


def _events() -> None:
    op.create_table(
        "event_subscription",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("event_type", sa.String(100), nullable=False),
        sa.Column("event_status", sa.String(16)),
        sa.Column("project_ids", Json, nullable=False),
        sa.Column("payload_filter", sa.Text),
        sa.Column("action_key", sa.String(200), nullable=False),
        sa.Column("attributes", Json, nullable=False),
        sa.Column("act_as_event_user", sa.Boolean, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("modified_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_event_subscription"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_delivery",
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("subscription_number", sa.Integer, nullable=False),
        sa.Column("subscription_name", sa.String(200), nullable=False),
        sa.Column("action_key", sa.String(200), nullable=False),
        sa.Column("event_type", sa.String(100), nullable=False),
        sa.Column("event_status", sa.String(16), nullable=False),
        sa.Column("project_id", sa.String(200)),
        sa.Column("payload", Json),
        sa.Column("status", sa.String(24), nullable=False),
        sa.Column("message", sa.Text),
        sa.Column("triggered_at", UtcDateTime, nullable=False),
        sa.Column("settled_at", UtcDateTime),
        sa.PrimaryKeyConstraint("number", name="pk_event_delivery"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_delivery_subscription_number", "event_delivery", ["subscription_number"])
    op.create_index("ix_event_delivery_project_id", "event_delivery", ["project_id"])
    op.create_table(
        "event_order",
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
        sa.PrimaryKeyConstraint("id", name="pk_event_order"),
        sa.UniqueConstraint("kind", "key", name="uq_event_order_kind_key"),
    )
    op.create_index("ix_event_order_available_at", "event_order", ["available_at"])
    op.create_index("ix_event_order_status", "event_order", ["status"])
