"""Pages of the governor: dashboard, sessions, workflows."""
