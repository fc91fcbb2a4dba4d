"""The import service: archives of DICOM files become sessions."""
