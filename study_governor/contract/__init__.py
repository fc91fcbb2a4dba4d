"""What the governor says to the outside: ids, states, payloads and errors. Knows no framework."""
