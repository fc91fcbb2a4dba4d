"""Workflows as a resource: import, listing, one workflow."""
