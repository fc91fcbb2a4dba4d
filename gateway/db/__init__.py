"""Tables, queries and migrations of the gateway."""

from gateway.db.tables import METADATA

__all__ = ["METADATA"]
