"""Where the pages are: each object's page has the path of its REST address without ``/data``. Pure."""

import re
from urllib.parse import quote

from embedded_xnat.domain.addresses import Address, ObjectKind

#: Real XNAT's links into its pages: ``/app/action/DisplayItemAction/search_element/…/search_value/CF_E00001``.
_DISPLAY = re.compile(r"(?:^|/)search_element/([^/]+)/.*search_value/([^/]+)")


def page_path(address: Address) -> str | None:
    """Return the path of the page that shows what a REST address names; None where there is none.

    Examples
    --------
    >>> from embedded_xnat.domain.addresses import parse_address
    >>> page_path(parse_address("experiments/CF_E00001")), page_path(parse_address("projects/P/experiments"))
    ('/experiments/CF_E00001', '/projects/P')
    >>> page_path(parse_address("experiments/E/scans/3/resources/DICOM/files/a.dcm")) is None
    True
    """
    steps = "".join(f"/{step.kind.value}/{quote(step.key, safe='')}" for step in address.steps)
    if address.aspect is None:
        return steps or "/"
    if address.rest:
        return None
    if address.kind is ObjectKind.SITE:
        return "/" if address.aspect == ObjectKind.PROJECT.value else None
    if address.kind is ObjectKind.PROJECT and address.aspect == ObjectKind.SUBJECT.value:
        return f"{steps}/subjects"
    return steps if address.aspect in set(ObjectKind) | {"files"} else None


def path_of_display(path: str) -> str:
    """Return where a link into real XNAT's pages leads here; the start where it is not known.

    Examples
    --------
    >>> path_of_display("action/DisplayItemAction/search_element/xnat:mrSessionData/search_field/x.ID/search_value/CF_E1")
    '/experiments/CF_E1'
    >>> path_of_display("template/Index.vm")
    '/'
    """
    found = _DISPLAY.search(path)
    if found is None:
        return "/"
    element, value = found.groups()
    collection = {"xnat:projectdata": "projects", "xnat:subjectdata": "subjects"}.get(element.lower(), "experiments")
    return f"/{collection}/{quote(value, safe='')}"


def rest_path(*steps: tuple[str, str | int], tail: str = "") -> str:
    """Return the REST address of an object, escaped.

    Examples
    --------
    >>> rest_path(("experiments", "E1"), ("scans", "3 a"), tail="files?format=zip")
    '/data/experiments/E1/scans/3%20a/files?format=zip'
    """
    path = "".join(f"/{kind}/{quote(str(key), safe='')}" for kind, key in steps)
    return f"/data{path}" + (f"/{tail}" if tail else "")
