"""The one route over the tree of objects: reads the address and calls what answers it. May import FastAPI."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import RedirectResponse, Response

from embedded_xnat.access import archive_of, visitor_of
from embedded_xnat.contract.errors import BadRequest, NoSuchObject
from embedded_xnat.domain.addresses import Address, ObjectKind, parse_address
from embedded_xnat.domain.tables import Query
from embedded_xnat.domain.values import truth
from embedded_xnat.imports.rescan import fix_scan_types, pull_from_headers
from embedded_xnat.logins.gate import is_navigation
from embedded_xnat.objects import endpoints, project_endpoints, share_endpoints
from embedded_xnat.objects.endpoints import Call
from embedded_xnat.resources import endpoints as resource_endpoints
from embedded_xnat.resources import uploads
from embedded_xnat.settings import EmbeddedXnatSettings
from embedded_xnat.site import access_requests
from embedded_xnat.web.addresses import page_path
from embedded_xnat.xml_bodies import document_of

router = APIRouter()

Handler = Callable[[Call], Response]
_FORM = "application/x-www-form-urlencoded"

#: What answers for an object itself.
OBJECTS: Mapping[tuple[str, ObjectKind], Handler] = {
    ("PUT", ObjectKind.PROJECT): endpoints.put_project,
    ("PUT", ObjectKind.SUBJECT): endpoints.put_subject,
    ("PUT", ObjectKind.EXPERIMENT): endpoints.put_experiment,
    ("PUT", ObjectKind.SCAN): endpoints.put_part,
    ("PUT", ObjectKind.ASSESSOR): endpoints.put_part,
    ("PUT", ObjectKind.RECONSTRUCTION): endpoints.put_part,
    ("PUT", ObjectKind.RESOURCE): resource_endpoints.put_resource,
    ("GET", ObjectKind.RESOURCE): resource_endpoints.read_resource,
    ("DELETE", ObjectKind.RESOURCE): resource_endpoints.delete_resource,
    **{("GET", kind): endpoints.read_object for kind in ObjectKind if kind is not ObjectKind.RESOURCE},
    **{("DELETE", kind): endpoints.delete_object for kind in ObjectKind if kind is not ObjectKind.RESOURCE},
}

#: What answers for a word after an object; None stands for any kind of object.
ASPECTS: Mapping[tuple[str, str], Handler] = {
    **{("GET", kind.value): endpoints.list_objects for kind in ObjectKind if kind is not ObjectKind.SITE},
    **{("PUT", kind.value): endpoints.put_into_collection for kind in ObjectKind if kind is not ObjectKind.SITE},
    ("GET", "resources"): resource_endpoints.list_resources,
    ("GET", "files"): resource_endpoints.read_files,
    ("DELETE", "files"): resource_endpoints.delete_file,
    ("GET", "status"): endpoints.read_status,
    ("GET", "XAR"): resource_endpoints.read_xar,
    ("GET", "users"): project_endpoints.list_members,
    ("PUT", "users"): project_endpoints.put_member,
    ("DELETE", "users"): project_endpoints.delete_member,
    ("GET", "pars"): access_requests.list_of_project,
    ("PUT", "pars"): access_requests.ask,
    ("GET", "accessibility"): project_endpoints.read_accessibility,
    ("PUT", "accessibility"): project_endpoints.put_accessibility,
    ("GET", "prearchive_code"): project_endpoints.read_prearchive_code,
    ("PUT", "prearchive_code"): project_endpoints.put_prearchive_code,
    ("GET", "quarantine_code"): project_endpoints.read_quarantine_code,
    ("PUT", "quarantine_code"): project_endpoints.put_quarantine_code,
    ("GET", "aliases"): project_endpoints.list_aliases,
    ("GET", "current_arc"): project_endpoints.read_current_arc,
    ("PUT", "current_arc"): project_endpoints.put_current_arc,
    ("GET", "archive_spec"): project_endpoints.read_archive_spec,
    ("GET", "pipelines"): project_endpoints.list_pipelines,
    ("GET", "scan_types"): project_endpoints.list_scan_types,
    ("GET", "scanners"): project_endpoints.list_scanners,
}

#: Words that only one kind of object knows.
_ONLY = {
    "users": ObjectKind.PROJECT,
    "pars": ObjectKind.PROJECT,
    "accessibility": ObjectKind.PROJECT,
    **dict.fromkeys(
        (
            "prearchive_code",
            "quarantine_code",
            "aliases",
            "current_arc",
            "archive_spec",
            "pipelines",
            "scan_types",
            "scanners",
        ),
        ObjectKind.PROJECT,
    ),
    **dict.fromkeys(("status", "XAR"), ObjectKind.EXPERIMENT),
}


class _AnyPath(PathConvertor):
    """A path that may have a line feed in it, too; what it names is then refused by what it is."""

    regex = "(?s:.*)"


register_url_convertor("any_path", _AnyPath())


@router.api_route("/data/{path:any_path}", methods=["GET", "HEAD", "PUT", "POST", "DELETE"])
async def answer(request: Request) -> Response:
    """Answer a request for an object, a collection, a resource or a file."""
    # not the route's own parameter: a newline at its end would get lost
    address = parse_address(request.scope["path"].removeprefix("/data/"))
    if address is None:
        raise NoSuchObject("page")
    if is_navigation(request) and (page := page_path(address)) is not None:
        return RedirectResponse(page, status_code=303)
    settings = request.app.state.settings
    assert isinstance(settings, EmbeddedXnatSettings)
    parameters = list(request.query_params.multi_items())
    is_form = request.headers.get("content-type", "").startswith(_FORM)
    uploads_files = request.method in {"PUT", "POST"} and address.aspect == "files"
    if is_form and not uploads_files and request.method in {"PUT", "POST"}:
        async with request.form(max_files=0) as form:
            parameters += [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    call = Call(
        request,
        archive_of(request),
        visitor_of(request),
        address,
        Query(parameters),
        settings.id_prefix,
        creates_projects=request.app.state.site_config.flag("uiAllowNonAdminProjectCreation"),
    )
    if uploads_files:
        return await uploads.put_files(call, limit=settings.max_upload_bytes)
    if request.method in {"PUT", "POST"} and not is_form:
        call = replace(call, document=await document_of(request, call.query))
    return await run_in_threadpool(_answer, call)


def _answer(call: Call) -> Response:
    pulls = truth(call.query.get("pullDataFromHeaders"), name="pullDataFromHeaders")
    fixes = truth(call.query.get("fixScanTypes"), name="fixScanTypes")
    response = _handler(call.request.method, call.address)(call)
    is_put = call.request.method == "PUT" and call.address.kind is ObjectKind.EXPERIMENT
    if is_put and pulls:
        pull_from_headers(call.archive, call.visitor, call.address)
    if is_put and fixes:
        fix_scan_types(call.archive, call.visitor, call.address)
    return response


def _handler(method: str, address: Address) -> Handler:
    """Return what answers a request.

    Raises
    ------
    NoSuchObject, BadRequest
    """
    method = "GET" if method == "HEAD" else "PUT" if method == "POST" else method
    if address.aspect is None:
        handler = OBJECTS.get((method, address.kind))
    elif address.aspect == "projects" and address.steps:
        handler = {
            "GET": share_endpoints.list_shares,
            "PUT": share_endpoints.put_share,
            "DELETE": share_endpoints.delete_share,
        }.get(method)
    else:
        handler = ASPECTS.get((method, address.aspect))
        if _ONLY.get(address.aspect, address.kind) is not address.kind:
            handler = None
    if handler is not None:
        return handler
    if method == "GET":
        raise NoSuchObject("page")
    raise BadRequest(f"{method} is not possible here.")
