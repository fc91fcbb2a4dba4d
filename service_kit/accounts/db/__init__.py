"""Tables, queries and migrations of the accounts database."""

from service_kit.accounts.db.tables import Base

METADATA = Base.metadata
