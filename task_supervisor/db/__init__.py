"""Tables, queries and migrations of the task supervisor."""

from task_supervisor.db.tables import Base

METADATA = Base.metadata
