"""Reads from an encoded dataset only what the index needs: the UIDs of its DICOM study and series.

May import pydicom. Stops before group 0020 ends, touches no pixel data, decodes no value but UIDs.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from pydicom.dataelem import RawDataElement
from pydicom.filereader import data_element_generator
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from gateway.contract.naming import uid_or_none

if TYPE_CHECKING:
    from pydicom.tag import BaseTag

STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
#: How much of a deflated dataset is unpacked to find the UIDs: no bomb goes off, and headers are far smaller.
MAX_INFLATED_BYTES = 4 * 1024 * 1024

BROKEN = "Its header is broken or cut off before the Study Instance UID (0020,000D). Ask the sender to send it again."
NO_STUDY = "It carries no Study Instance UID (0020,000D), so it belongs to no DICOM study."
NO_UID = "Its Study Instance UID (0020,000D) is not a valid UID, so it belongs to no DICOM study."


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says; ``unreadable_reason`` is set when it names no DICOM study."""

    study_instance_uid: str | None
    series_instance_uid: str | None
    unreadable_reason: str | None = None


def read_header(dataset: BinaryIO, *, transfer_syntax_uid: str) -> Header:
    """Read the UIDs of a dataset that starts at the stream's position. Never raises for bad content.

    Parameters
    ----------
    transfer_syntax_uid
        Private ones are read as the first element's encoding suggests.
    """
    try:
        values = _uids(dataset, UID(transfer_syntax_uid))
    except Exception:  # noqa: BLE001 - pydicom raises bare kinds for hostile bytes; the object is kept either way
        return Header(None, None, BROKEN)
    study = values.get(STUDY_INSTANCE_UID)
    study_instance_uid = uid_or_none(study)
    if study_instance_uid is not None:
        return Header(study_instance_uid, uid_or_none(values.get(SERIES_INSTANCE_UID)))
    return Header(None, None, NO_UID if (study or "").strip("\0 ") else NO_STUDY)


def _uids(dataset: BinaryIO, transfer_syntax: UID) -> dict[int, str]:
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        dataset = BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(dataset.read(), MAX_INFLATED_BYTES))
    is_implicit = _is_implicit(dataset, transfer_syntax)
    found: dict[int, str] = {}
    past_series = False

    def is_past_series(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        nonlocal past_series
        past_series = int(tag) > SERIES_INSTANCE_UID
        return past_series

    elements = data_element_generator(
        dataset,
        is_implicit_VR=is_implicit,
        is_little_endian=transfer_syntax != ExplicitVRBigEndian,
        stop_when=is_past_series,
        specific_tags=[STUDY_INSTANCE_UID, SERIES_INSTANCE_UID],
    )
    for element in elements:
        if (
            element.tag in {STUDY_INSTANCE_UID, SERIES_INSTANCE_UID}
            and isinstance(element, RawDataElement)
            and isinstance(element.value, bytes)
        ):
            if len(element.value) < element.length:
                raise EOFError("the dataset ends within a UID")
            found[int(element.tag)] = element.value.decode("ascii", "replace")
    if STUDY_INSTANCE_UID not in found and not past_series:
        raise EOFError("the dataset ends before the Study Instance UID")
    return found


def _is_implicit(dataset: BinaryIO, transfer_syntax: UID) -> bool:
    if transfer_syntax == ImplicitVRLittleEndian:
        return True
    if not transfer_syntax.is_private:
        return False
    start = dataset.tell()
    first = dataset.read(6)
    dataset.seek(start)
    return not (first[4:6].isalpha() and first[4:6].isupper())
