"""Anonymisation scripts: what of the DICOM headers is changed when sessions come in and when they are archived."""
