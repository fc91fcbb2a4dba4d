"""Pages of the archive: browse, look, download, upload."""
