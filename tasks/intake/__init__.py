"""Intake: read what arrived, verify that it is whole and de-identified, find its study, group it into series.

Pure apart from reading the files it is given. May import `tasks.studies`, `tasks.series`, pydicom and numpy.
"""

from tasks.intake.examine import examine
from tasks.intake.records import IntakeReport, Rejection, Route

__all__ = ["IntakeReport", "Rejection", "Route", "examine"]
