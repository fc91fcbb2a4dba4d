"""Packs a session as a XAR: its document, and catalogs that name its files. May import lxml and SQLModel.

What comes out is what the import handler XAR takes in (`embedded_xnat.imports.xar_documents`), here or on another XNAT.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree
from sqlmodel import Session

from embedded_xnat.db import repository
from embedded_xnat.db.repository import FileFacts
from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.domain.xml_items import xml_document
from embedded_xnat.locate import Located
from embedded_xnat.objects.items import item_of
from embedded_xnat.resources import service
from embedded_xnat.storage.zipping import Entry

_CATALOG_SPACE = "http://nrg.wustl.edu/catalog"
_PARTS = {ObjectKind.SCAN: "{*}scans/{*}scan", ObjectKind.RECONSTRUCTION: "{*}reconstructions/{*}reconstructedImage"}
_ASSESSORS = "{*}assessors/{*}assessor"
#: Elements of an object that stand for its resources.
_HOLDERS = ("{*}resources/{*}resource", "{*}file", "{*}out/{*}file")


def xar_entries(
    session: Session, found: Located, root: Path, *, opener: Callable[[int, str, str | Path], BinaryIO]
) -> Iterator[Entry]:
    """Yield what goes into the XAR of a session, the document last.

    Parameters
    ----------
    root
        The data folder.
    opener
        Gets a file's resource, its path in it, and its path on disk.
    """
    assert found.experiment is not None
    label, base = found.experiment.label, found.place.folder()
    document = etree.fromstring(xml_document(item_of(session, found)))
    for owner in (found, *service.parts(session, found)):
        elements = _elements_of(document, owner)
        for shelf in service.shelves(session, [owner]):
            if shelf.resource.label not in elements:  # it came since the document was made
                continue
            number = shelf.resource.number or 0
            files = list(repository.file_facts(session, [number]))
            folder = shelf.folder.relative_to(base)
            catalog = f"{folder}/{_free_name({file.path for file in files})}"
            elements[shelf.resource.label].set("URI", catalog)
            yield _made(f"{label}/{catalog}", _catalog(shelf.resource.label, files))
            for file in files:
                path = f"{root}/{shelf.folder}/{file.path}"
                yield Entry(f"{label}/{folder}/{file.path}", path, partial(opener, number, file.path))
    text = etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    yield _made(f"{label}/{label}.xml", text)


def _elements_of(document: Any, owner: Located) -> dict[str, Any]:
    """Return the elements that stand for the resources of an object, by label."""
    found = [document]
    if owner.scan is not None:
        parts = document.iterfind(_PARTS[ObjectKind(owner.scan.kind)])
        found = [each for each in parts if each.get("ID") == owner.scan.scan_id]
    elif owner.assessor is not None:
        found = [each for each in document.iterfind(_ASSESSORS) if each.get("ID") == owner.assessor.id]
    held = (each for element in found for path in _HOLDERS for each in element.iterfind(path))
    return {each.get("label"): each for each in held}


def _free_name(taken: set[str]) -> str:
    name = "catalog.xml"
    while name in taken:
        name = f"_{name}"
    return name


def _catalog(label: str, files: Sequence[FileFacts]) -> bytes:
    root = etree.Element(f"{{{_CATALOG_SPACE}}}Catalog", ID=label, nsmap={"cat": _CATALOG_SPACE})
    entries = etree.SubElement(root, f"{{{_CATALOG_SPACE}}}entries")
    for file in files:
        etree.SubElement(entries, f"{{{_CATALOG_SPACE}}}entry", URI=file.path, digest=file.md5)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _made(name: str, content: bytes) -> Entry:
    """Return an entry that is on no disk yet."""

    def opened(_path: str | Path) -> BinaryIO:
        handle = tempfile.TemporaryFile()  # noqa: SIM115 - whoever packs it closes it
        handle.write(content)
        handle.seek(0)
        return handle

    return Entry(name, "", opened)
