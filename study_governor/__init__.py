"""The study governor: the state of every imaging session, and why it is in it."""
