"""Review: what a person is asked about a session. Pure; imports nothing of the services."""

from tasks.review.content import task_content

__all__ = ["task_content"]
