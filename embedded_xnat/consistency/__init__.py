"""Compares what the database knows with what lies on disk, and mends the difference without deleting data."""
