"""Logging in: JSESSION, Basic, alias tokens."""
