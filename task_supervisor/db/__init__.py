"""Tables, queries and migrations of the task supervisor."""
