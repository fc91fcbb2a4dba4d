"""Archive: put a session into XNAT and get it back, idempotently, and derive volumes and previews from its scans.

`tasks.archive.port` says what an archive can do; `XnatArchive` reaches any XNAT through xnatpy, `MemoryArchive` is the
same in a dictionary for tests. May import `tasks.intake`, `tasks.series`; xnatpy only in `tasks.archive.xnat`.
"""
