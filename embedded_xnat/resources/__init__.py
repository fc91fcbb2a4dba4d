"""Resources and the files in them: create, list, upload, download."""
