"""Tables, repository and migrations of the archive."""

from embedded_xnat.db import labels, site_tables
from embedded_xnat.db.tables import Base

METADATA = Base.metadata

__all__ = ["METADATA", "labels", "site_tables"]
