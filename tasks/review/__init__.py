"""Review: what a person is asked about a session, and what the answer means. Pure; imports nothing of the services."""

from tasks.review.answers import Decision, Verdict, decision_of
from tasks.review.content import task_content

__all__ = ["Decision", "Verdict", "decision_of", "task_content"]
