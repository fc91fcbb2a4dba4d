"""The decisions of the task supervisor: pure functions over frozen values. No framework, no I/O."""
