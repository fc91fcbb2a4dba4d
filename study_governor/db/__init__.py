"""Tables of the governor and how they are read and written."""

from study_governor.db.tables import Base

METADATA = Base.metadata
