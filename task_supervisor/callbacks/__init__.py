"""Callbacks: the answer on its way to whoever ordered the task."""
