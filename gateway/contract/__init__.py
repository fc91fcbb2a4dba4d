"""What others may rely on: ids, states, payloads and errors. Pydantic only, no I/O."""
