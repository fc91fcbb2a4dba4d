"""Answers and drafts: what people say about a task."""
