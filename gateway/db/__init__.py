"""Tables, queries and migrations of the gateway."""
