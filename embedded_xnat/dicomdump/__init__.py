"""The header of a DICOM file as a table, of the archive or the prearchive."""
