"""What others may know of the task supervisor: states, payloads, errors. No I/O, no framework."""
