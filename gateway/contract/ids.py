"""Identifiers of the gateway. May import the standard library only."""

from typing import NewType

#: One DICOM study as it came in from one sender.
ArrivalId = NewType("ArrivalId", int)
