"""The stages' own code: intake, archive, extraction, review, export.

Free of Prefect and of the GPU, except where a module's docstring says so: ``prefect_tasks.py`` of each stage may import
Prefect, ``tasks.extraction.backends`` may import torch and MONAI, ``tasks.archive.xnat`` imports xnatpy. Flows join the
stages; a stage never calls a flow.
"""
