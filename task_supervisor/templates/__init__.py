"""Templates: the forms of tasks, by label and version."""
