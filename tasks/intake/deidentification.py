"""Whether an instance says of itself that it was de-identified (PS3.15 E.1, PS3.16 CID 7050). Pure.

Cohortflow does not de-identify what comes in: the site does, and this is the door that asks for the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.intake.reading import Header
    from tasks.studies import Deidentification

CLEAN_PIXEL_DATA = "113101"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def deidentification_problem(header: Header, policy: Deidentification) -> str | None:
    """Return why an instance may not enter, as a sentence's predicate; None when it may."""
    if not policy.required:
        return None
    if header.identity_removed != "YES":
        return "it is not marked as de-identified (Patient Identity Removed 0012,0062 is not YES)"
    if not header.deidentification_methods and not header.deidentification_codes:
        return "it is marked as de-identified but names no method (0012,0063 and 0012,0064 are empty)"
    lacking = sorted(set(policy.required_codes) - set(header.deidentification_codes))
    if lacking:
        return f"its de-identification does not name the method that the study asks for ({', '.join(lacking)} in 0012,0064)"
    if header.burned_in == "YES" and CLEAN_PIXEL_DATA not in header.deidentification_codes:
        return "it says that text is burned into its pixels (0028,0301) and names no cleaning of the pixels (113101)"
    if header.sop_class_uid.startswith(_SECONDARY_CAPTURE) and header.burned_in != "NO":
        return "it is a secondary capture that does not rule out text burned into its pixels (0028,0301 is not NO)"
    return None
