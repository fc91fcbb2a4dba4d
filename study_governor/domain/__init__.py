"""The governor's decisions: pure functions over frozen values. Knows no framework and no database."""
