"""Projects, subjects, experiments, scans, assessors, reconstructions: list, create, read, set, delete, share."""
