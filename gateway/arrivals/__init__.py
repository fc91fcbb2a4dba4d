"""Arrivals: what happens to a DICOM study from its last object to its place in the archive, or the quarantine."""
