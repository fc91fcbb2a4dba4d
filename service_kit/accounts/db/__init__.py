"""Tables, queries and migrations of the accounts database."""
