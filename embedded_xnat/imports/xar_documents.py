"""Reads the documents of a XAR: what they say about objects, and which files belong to them. May import lxml; pure otherwise.

A XAR is an archive with the XML of one imaging session, or of assessors of one session, at its root, and with the files
that the resource elements of the documents name (XNAT documentation, StoreXAR). A resource element names one file, or
a catalog whose entries lie beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from lxml import etree

from embedded_xnat.contract.errors import BadName, BadRequest
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.names import check_file_path
from embedded_xnat.domain.xml_documents import XSI_TYPE, Document, parse_xml, read_element
from embedded_xnat.schema.registry import MODEL

_SINGLE = frozenset({"resource", "imageResource"})
_CATALOG = frozenset({"resourceCatalog", "dicomCatalog"})
#: Elements of an object that hold its resources.
_HOLDERS = ("{*}resources/{*}resource", "{*}file", "{*}out/{*}file", "{*}in/{*}file")
_PARTS = (
    ("{*}scans/{*}scan", ObjectKind.SCAN),
    ("{*}reconstructions/{*}reconstructedImage", ObjectKind.RECONSTRUCTION),
)


@dataclass(frozen=True)
class NamedResource:
    """A resource that a document names.

    Parameters
    ----------
    part
        Kind and id of the scan or reconstruction it belongs to; None when it belongs to the object of the document.
    uri
        Path of the file, or of the catalog, in the XAR.
    """

    label: str
    uri: str
    is_catalog: bool
    format: str | None = None
    content: str | None = None
    description: str | None = None
    part: tuple[ObjectKind, str] | None = None


@dataclass(frozen=True)
class XarDocument:
    """What one document says: the object, its resources, and the assessors in it."""

    document: Document
    resources: tuple[NamedResource, ...] = ()
    assessors: tuple["XarDocument", ...] = ()

    @property
    def is_session(self) -> bool:
        """Whether it is of an imaging session; else it is of an assessor."""
        return MODEL.is_a(self.document.xsi_type, "xnat:imageSessionData")


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
    """Read the document of a session or assessor, with the resources it names.

    Raises
    ------
    BadRequest, BadField
        If it is of something else, or names files in a way that cannot be followed.
    """
    found = _read(parse_xml(body))
    if not (found.is_session or MODEL.is_a(found.document.xsi_type, "xnat:derivedData")):
        raise BadRequest("A document at the root of a XAR is of an imaging session, or of an assessor of one.")
    return found


def _read(element: Any) -> XarDocument:
    resources = list(_resources(element))
    for path, kind in _PARTS:
        for part in element.iterfind(path):
            key = part.get("ID") or ""
            resources += [replace(each, part=(kind, key)) for each in _resources(part)]
    assessors = tuple(_read(each) for each in element.iterfind("{*}assessors/{*}assessor"))
    return XarDocument(read_element(element), tuple(resources), assessors)


def _resources(element: Any) -> Iterator[NamedResource]:
    for path in _HOLDERS:
        for each in element.iterfind(path):
            local_type = (each.get(XSI_TYPE) or "resource").rpartition(":")[2]
            if local_type not in _SINGLE | _CATALOG:
                raise BadRequest(
                    "The document has a resource that names its files in a way that this server does not follow; "
                    "it follows the URI of an xnat:resource, and of an xnat:resourceCatalog."
                )
            if not each.get("URI"):  # it only says that there is such a resource, as an exported document does
                continue
            said = {name: each.get(name) or None for name in ("format", "content", "description")}
            label = each.get("label") or said["format"] or said["content"] or "files"
            yield NamedResource(label, xar_path(each.get("URI")), local_type in _CATALOG, **said)


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
