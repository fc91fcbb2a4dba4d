"""Sessions ("experiments") as a resource: upsert, listing, one session, moves, external ids."""
