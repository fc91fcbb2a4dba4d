"""Which values of a header may stand in a sentence: the defined terms of the standard, and nothing else.

Any other text may hold a name, whoever wrote it and into whichever element. Imports nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

OTHER = "another one"
# fmt: off
MODALITIES = frozenset({
    "AR", "ASMT", "AU", "BDUS", "BI", "BMD", "CFM", "CR", "CT", "CTPROTOCOL", "DG", "DMS", "DOC", "DX", "ECG", "EEG",
    "EMG", "EOG", "EPS", "ES", "FID", "GM", "HC", "HD", "IO", "IOL", "IVOCT", "IVUS", "KER", "KO", "LEN", "LS", "M3D",
    "MG", "MR", "NM", "OAM", "OCT", "OP", "OPM", "OPT", "OPTBSV", "OPTENF", "OPV", "OSS", "OT", "PA", "PLAN", "POS",
    "PR", "PT", "PX", "REG", "RESP", "RF", "RG", "RTDOSE", "RTIMAGE", "RTINTENT", "RTPLAN", "RTRAD", "RTRECORD",
    "RTSEGANN", "RTSTRUCT", "RWV", "SEG", "SM", "SMR", "SR", "SRF", "STAIN", "TEXTUREMAP", "TG", "US", "VA", "XA",
    "XAPROTOCOL", "XC",
})
# fmt: on
"""PS3.3 C.7.3.1.1.1."""
_TERMS: dict[str, AbstractSet[str]] = {
    "modality": MODALITIES,
    "mr_acquisition_type": frozenset({"2D", "3D"}),
    "scanning_sequence": frozenset({"SE", "IR", "GR", "EP", "RM"}),
    "sequence_variant": frozenset({"SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"}),
    "image_type": frozenset({"ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "AXIAL", "LOCALIZER", "MIXED", "OTHER"}),
}


def said(name: str, value: str) -> str:
    """Return the value of a fact if it is a defined term, else words that hold nothing of it.

    >>> said("modality", "CT"), said("modality", "DOE^JOHN"), said("series_description", "CT")
    ('CT', 'another one', 'another one')
    """
    return value if value in _TERMS.get(name, ()) else OTHER
