"""Extraction: choose the scan, measure it with a model, and say how the number came about.

torch and MONAI live in `tasks.extraction.backends` alone; everything else here starts without them. A worker calls
`tasks.extraction.extract.extract`, which takes and returns paths and small records.
"""
