"""Tables, repository and migrations of the archive."""
