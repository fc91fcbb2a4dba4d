"""Reads the documents of a XAR: what they say about objects, and which files belong to them. May import lxml; pure otherwise.

A XAR is an archive with the XML of one imaging session, or of scans, reconstructions and assessors of one session, at its
root, and with the files that the resource elements of the documents name (XNAT documentation, StoreXAR). A resource
element names one file, the images of a series, a folder with a pattern for what belongs to it, or a catalog whose entries
lie beside it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from lxml import etree

from embedded_xnat.contract.errors import BadName, BadRequest
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.names import check_file_path
from embedded_xnat.domain.patterns import read_pattern
from embedded_xnat.domain.xml_documents import XSI_TYPE, Document, parse_xml, read_element
from embedded_xnat.schema.registry import MODEL


class Naming(StrEnum):
    """How a resource element names its files."""

    FILES = "files"
    CATALOG = "catalog"
    FOLDER = "folder"


#: How the types of resources name their files; dicomSeries names an image by each of its imageSet.
_NAMINGS = {
    "resource": Naming.FILES,
    "imageResource": Naming.FILES,
    "dicomSeries": Naming.FILES,
    "resourceCatalog": Naming.CATALOG,
    "dicomCatalog": Naming.CATALOG,
    "resourceSeries": Naming.FOLDER,
    "imageResourceSeries": Naming.FOLDER,
}
_DICOM_SERIES = "dicomSeries"
#: Elements of an object that hold its resources.
_HOLDERS = ("{*}resources/{*}resource", "{*}file", "{*}out/{*}file", "{*}in/{*}file")
_PARTS = (
    ("{*}scans/{*}scan", ObjectKind.SCAN),
    ("{*}reconstructions/{*}reconstructedImage", ObjectKind.RECONSTRUCTION),
)
#: What a document may be of.
_KINDS = (
    ("xnat:imageSessionData", ObjectKind.EXPERIMENT),
    ("xnat:imageScanData", ObjectKind.SCAN),
    ("xnat:reconstructedImageData", ObjectKind.RECONSTRUCTION),
    ("xnat:derivedData", ObjectKind.ASSESSOR),
)


@dataclass(frozen=True)
class NamedResource:
    """A resource that a document names.

    Parameters
    ----------
    part
        Kind and id of the scan or reconstruction it belongs to; None when it belongs to the object of the document.
    uris
        Paths in the XAR: of the files, of the catalog, or of the folder.
    pattern
        What is found in the name of each file of the folder that belongs to the resource; None for all of them.
    count
        How many these are, where the document says so.
    """

    label: str
    naming: Naming
    uris: tuple[str, ...]
    pattern: re.Pattern[str] | None = None
    count: int | None = None
    format: str | None = None
    content: str | None = None
    description: str | None = None
    part: tuple[ObjectKind, str] | None = None


@dataclass(frozen=True)
class XarDocument:
    """What one document says: the object, its resources, and the assessors in it."""

    document: Document
    kind: ObjectKind
    resources: tuple[NamedResource, ...] = ()
    assessors: tuple["XarDocument", ...] = ()


@dataclass(frozen=True)
class CatalogEntry:
    """A file that a catalog names.

    Parameters
    ----------
    path
        Below the folder of the catalog, which is its path in the resource, too.
    md5
        Digest that the catalog states, in lower case; None when it states none.
    """

    path: str
    md5: str | None = None


def read_xar_document(body: bytes) -> XarDocument:
    """Read the document of a session, or of a part of one, with the resources it names.

    Raises
    ------
    BadRequest, BadField
        If it is of something else, or names files in a way that cannot be followed.
    """
    return _read(parse_xml(body))


def _read(element: Any) -> XarDocument:
    document = read_element(element)
    kind = next((kind for base, kind in _KINDS if MODEL.is_a(document.xsi_type, base)), None)
    if kind is None:
        raise BadRequest(
            "A document at the root of a XAR is of an imaging session, or of a scan, reconstruction or assessor of one."
        )
    resources = list(_resources(element))
    if kind in {each for _, each in _PARTS}:
        resources = [replace(each, part=(kind, document.identity.get("id", ""))) for each in resources]
    for path, part_kind in _PARTS:
        for part in element.iterfind(path):
            key = part.get("ID") or ""
            resources += [replace(each, part=(part_kind, key)) for each in _resources(part)]
    assessors = tuple(_read(each) for each in element.iterfind("{*}assessors/{*}assessor"))
    if any(each.kind is not ObjectKind.ASSESSOR for each in assessors):
        raise BadRequest("The document of a session has something among its assessors that is none.")
    return XarDocument(document, kind, tuple(resources), assessors)


def _resources(element: Any) -> Iterator[NamedResource]:
    for path in _HOLDERS:
        for each in element.iterfind(path):
            found = _resource(each)
            if found is not None:
                yield found


def _resource(element: Any) -> NamedResource | None:
    """Return what an element names; None when it only says that there is a resource, as an exported document does."""
    local_type = (element.get(XSI_TYPE) or "resource").rpartition(":")[2]
    naming = _NAMINGS.get(local_type)
    if naming is None:
        raise BadRequest(
            "The document has a resource of a type that this server does not follow to its files; "
            f"it follows those of {', '.join(_NAMINGS)}."
        )
    uris = [element.get("URI")] if element.get("URI") else []
    pattern = None
    if naming is Naming.FOLDER:
        uris = [element.get("path")] if element.get("path") else []
        pattern = _pattern(element.get("pattern"))
    elif local_type == _DICOM_SERIES:
        uris = [image.get("URI") or "" for image in element.iterfind("{*}imageSet/{*}image")]
    if not uris:
        return None
    said = {name: element.get(name) or None for name in ("format", "content", "description")}
    label = element.get("label") or said["format"] or said["content"] or "files"
    paths = tuple(xar_path(uri.rstrip("/") if naming is Naming.FOLDER else uri) for uri in uris)
    count = element.get("count") or ""
    is_counted = naming is Naming.FOLDER and count.isascii() and count.isdigit() and len(count) < 10
    return NamedResource(label, naming, paths, pattern, int(count) if is_counted else None, **said)


def _pattern(text: str | None) -> re.Pattern[str] | None:
    """Return the pattern of a series of files; as in XNAT, it has to be found in a name somewhere."""
    if not text:
        return None
    try:
        return read_pattern(text)
    except ValueError as error:
        raise BadRequest(f"A series of files in the document cannot be followed: {error}.") from error


def read_catalog(body: bytes) -> list[CatalogEntry]:
    """Read a catalog of files.

    Raises
    ------
    BadRequest
        If it is no catalog, or an entry of it leads elsewhere.

    Examples
    --------
    >>> read_catalog(b'<Catalog xmlns="http://nrg.wustl.edu/catalog"><entries><entry URI="a/b.dcm"/></entries></Catalog>')
    [CatalogEntry(path='a/b.dcm', md5=None)]
    """
    root = parse_xml(body)
    if etree.QName(root).localname not in {"Catalog", "DCMCatalog"}:
        raise BadRequest("A resource names a file as its catalog that is none.")
    found = {}
    for entry in root.iterfind(".//{*}entries/{*}entry"):
        digest = (entry.get("digest") or "").lower()
        path = xar_path(entry.get("URI") or "")
        found[path] = CatalogEntry(path, digest if len(digest) == 32 else None)
    return list(found.values())


def xar_path(uri: str) -> str:
    """Return a path as it is in the XAR.

    Raises
    ------
    BadRequest
        If it leads out of it.

    Examples
    --------
    >>> xar_path("./SCANS/1/DICOM/a.dcm")
    'SCANS/1/DICOM/a.dcm'
    """
    if not uri.startswith("/") and ":" not in uri.partition("/")[0]:
        try:
            return check_file_path(uri.replace("\\", "/").removeprefix("./"))
        except BadName as error:
            raise BadRequest(
                "A document names a file by a path that leads out of the XAR, or cannot be one."
            ) from error
    raise BadRequest("A document names a file by an address or an absolute path; name it as it lies in the XAR.")


def folder_of(uri: str) -> str:
    """Return the folder of a path, with the slash that ends it; nothing for the root."""
    folder = str(PurePosixPath(uri).parent)
    return "" if folder == "." else f"{folder}/"
