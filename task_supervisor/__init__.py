"""Manual work: tasks, leases, answers, and the pages on which people look at images. Imports `service_kit` only."""
