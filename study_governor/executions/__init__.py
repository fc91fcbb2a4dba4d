"""Callback executions as a resource: the record a worker reads, the answer it gives."""
