"""How Cohortflow runs: the command line, the launcher, the processes. May import everything; nothing imports it."""
