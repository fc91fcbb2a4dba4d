"""Measurements and artifacts of sessions as resources."""
