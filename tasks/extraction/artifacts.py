"""Which files of an extraction a session's page shows, and as what. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.extraction.extract import MEASUREMENT_FILE
from tasks.extraction.overlay import OVERLAY_FILE, SLICES_FILE
from tasks.extraction.report import HTML_FILE, PDF_FILE
from tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

_KNOWN = {
    OVERLAY_FILE: ("overlay", "Mask on the image, three planes", "image/png"),
    SLICES_FILE: ("overlay", "Mask on the image, axial slices", "image/png"),
    HTML_FILE: ("report_html", "Report", "text/html"),
    PDF_FILE: ("report_pdf", "Report as PDF", "application/pdf"),
    MEASUREMENT_FILE: ("measurement", "Measurement with its pedigree", "application/json"),
}


class Artifact(Record):
    """A file in the archive as the governor lists it; `name` is what it is called there."""

    name: str
    kind: str
    title: str
    uri: str
    media_type: str


def artifacts_of(uris: Mapping[str, str], *, resource: str, volume_uri: str | None = None) -> tuple[Artifact, ...]:
    """Return the artifacts of an extraction.

    Parameters
    ----------
    uris
        Addresses by file name, as `tasks.archive.results.store_results` returns them.
    resource
        Label of the resource they are in, which begins the names of the artifacts.
    volume_uri
        Address of the volume that was measured.
    """
    prefix = resource.lower()
    found = []
    for name, uri in uris.items():
        kind, title, media_type = _KNOWN.get(
            name, ("mask", "Mask", "application/gzip") if name.endswith(".nii.gz") else ("", "", "")
        )
        if kind:
            file_name = name.removeprefix(f"{prefix}_")
            found.append(Artifact(name=f"{prefix}_{file_name}", kind=kind, title=title, uri=uri, media_type=media_type))
    if volume_uri is not None:
        found.append(
            Artifact(
                name=f"{prefix}_volume",
                kind="volume",
                title="Measured volume",
                uri=volume_uri,
                media_type="application/gzip",
            )
        )
    return tuple(found)
