"""What was done in a project is found without looking at what was done elsewhere."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_workflow_external_id_number", "workflow", ["external_id", "number"])
