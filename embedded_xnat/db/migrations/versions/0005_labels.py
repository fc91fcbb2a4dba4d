"""Searches and listings of the whole site find a label at once."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_experiment_label", "experiment", ["label"])
    op.create_index("ix_subject_label", "subject", ["label"])
