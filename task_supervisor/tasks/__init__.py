"""Tasks: made by programs, listed for people, aborted by coordinators."""
