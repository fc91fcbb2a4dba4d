"""Ids and errors of the archive. Framework-free."""
