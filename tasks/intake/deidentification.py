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


def deidentification_problems(header: Header, policy: Deidentification) -> tuple[str, ...]:
    """Return every reason why an instance may not enter, each as a sentence's predicate; none when it may."""
    if not policy.required:
        return ()
    named = header.deidentification_codes
    problems = []
    if header.identity_removed != "YES":
        problems.append("it is not marked as de-identified (Patient Identity Removed 0012,0062 is not YES)")
    if lacking := sorted(set(policy.required_codes) - set(named)):
        codes = ", ".join(lacking)
        problems.append(
            f"its de-identification does not name the method that the study asks for ({codes} in 0012,0064)"
        )
    elif not header.deidentification_methods and not named:
        problems.append("it names no method of de-identification (0012,0063 and 0012,0064 are empty)")
    if header.burned_in == "YES" and CLEAN_PIXEL_DATA not in named:
        problems.append(
            "it says that text is burned into its pixels (0028,0301) and names no cleaning of the pixels (113101)"
        )
    elif header.sop_class_uid.startswith(_SECONDARY_CAPTURE) and header.burned_in != "NO":
        problems.append(
            "it is a secondary capture that does not rule out text burned into its pixels (0028,0301 is not NO)"
        )
    return tuple(problems)
