"""When a task is worth another try: the rule that every stage's ``prefect_tasks.py`` gives to Prefect. Imports no Prefect."""

from __future__ import annotations

from tasks.errors import TransientError

RETRIES = 4
RETRY_DELAYS_S = [1, 5, 20, 60]


def is_worth_a_retry(task: object, task_run: object, state: object) -> bool:
    """Say whether a task run failed for a passing reason. The signature is Prefect's ``retry_condition_fn``."""
    del task, task_run
    return isinstance(getattr(state, "data", None), TransientError)
