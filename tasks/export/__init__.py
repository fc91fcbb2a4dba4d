"""Export: the table of measurements that leaves the house. May import the governor's contract."""

from tasks.export.release import Release, ReleaseRow, release_table, write_release

__all__ = ["Release", "ReleaseRow", "release_table", "write_release"]
