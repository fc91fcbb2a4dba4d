"""Events of the archive: who subscribes to what, which action it calls, what became of it."""
