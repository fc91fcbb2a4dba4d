"""An index of parts of labels, so that searches by them cost what they find."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FILL = """
insert into label_part (kind, part, number)
with recursive place(spot) as (select 1 union all select spot + 1 from place where spot < 198),
named as (
    select 'subjects' as kind, number, label from subject
    union all
    select 'experiments', number, label from experiment where session_id is null
    union all
    select 'experiments', experiment.number, subject.label
    from experiment join subject on subject.id = experiment.subject_id where experiment.session_id is null
)
select distinct named.kind, substr(lower(named.label), place.spot, 3), named.number
from named join place on place.spot <= length(named.label) - 2
"""


def upgrade() -> None:
    op.create_table(
        "label_part",
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("part", sa.String(3), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("kind", "part", "number", name="pk_label_part"),
        sqlite_with_rowid=False,
    )
    op.execute(FILL)
