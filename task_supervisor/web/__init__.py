"""Pages of the task supervisor: the queue, and the task with its viewer."""
