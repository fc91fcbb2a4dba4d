"""Pictures and volumes made of DICOM files, for pages."""
