"""Describes the whole REST interface as OpenAPI. May import FastAPI.

The tree of objects is one route of the app, for its addresses can be entered at several places; here it is described
at the places where it is usually entered: subjects and experiments below their project, parts below their experiment.
``/data/archive/X``, ``/REST/X`` and ``/REST/archive/X`` are the same as ``/data/X``.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from embedded_xnat.domain.addresses import ObjectKind
from embedded_xnat.site.endpoints import VERSION

TREE = "/data/{path}"
_METHODS = ("get", "put", "post", "delete")

#: Where each kind of object is described.
PLACES: Mapping[ObjectKind, tuple[str, ...]] = {
    ObjectKind.PROJECT: ("/data/projects/{project}",),
    ObjectKind.SUBJECT: ("/data/projects/{project}/subjects/{subject}", "/data/subjects/{subject}"),
    ObjectKind.EXPERIMENT: (
        "/data/projects/{project}/subjects/{subject}/experiments/{experiment}",
        "/data/projects/{project}/experiments/{experiment}",
        "/data/experiments/{experiment}",
    ),
    ObjectKind.SCAN: ("/data/experiments/{experiment}/scans/{scan}",),
    ObjectKind.ASSESSOR: ("/data/experiments/{experiment}/assessors/{assessor}",),
    ObjectKind.RECONSTRUCTION: ("/data/experiments/{experiment}/reconstructions/{reconstruction}",),
    ObjectKind.RESOURCE: (
        "/data/projects/{project}/resources/{resource}",
        "/data/subjects/{subject}/resources/{resource}",
        "/data/experiments/{experiment}/resources/{resource}",
        "/data/experiments/{experiment}/scans/{scan}/resources/{resource}",
        "/data/experiments/{experiment}/assessors/{assessor}/resources/{resource}",
    ),
}
_FLAG: dict[str, Any] = {"type": "string", "enum": ["true", "false"]}
_TEXT: dict[str, Any] = {"type": "string"}
_FORMAT: dict[str, Any] = {"type": "string", "enum": ["json", "csv", "xml", "zip", "tar", "tar.gz"]}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_LISTED = {
    "format": _FORMAT,
    "columns": _TEXT,
    "xsiType": _TEXT,
    "label": _TEXT,
    "sortBy": _TEXT,
    "sortOrder": {"type": "string", "enum": ["asc", "desc"]},
    "limit": _COUNT,
    "offset": _COUNT,
}
_SET = {
    "xsiType": _TEXT,
    "req_format": {"type": "string", "enum": ["qs", "form"]},
    "label": _TEXT,
    "xnat:mrSessionData/date": _TEXT,
    "xnat:mrSessionData/fields/field[name=x]/field": _TEXT,
    "quarantine": _FLAG,
    "activate": _FLAG,
    "pullDataFromHeaders": _FLAG,
    "fixScanTypes": _FLAG,
}
_LABELLED = {"format": _TEXT, "content": _TEXT, "tags": _TEXT, "description": _TEXT}
_UPLOAD = _LABELLED | {"overwrite": _FLAG, "extract": _FLAG, "inbody": _FLAG}
_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

#: Words after the address of a project, and the methods they know; ``{}`` stands for what follows them.
PROJECT_WORDS: Mapping[str, tuple[str, ...]] = {
    "users": ("get",),
    "users/{role}/{username}": ("put", "delete"),
    "pars": ("get", "put"),
    "accessibility": ("get",),
    "accessibility/{accessibility}": ("put",),
    "prearchive_code": ("get",),
    "prearchive_code/{code}": ("put",),
    "quarantine_code": ("get",),
    "aliases": ("get",),
    "current_arc": ("get",),
    "archive_spec": ("get",),
    "pipelines": ("get",),
    "scan_types": ("get",),
    "scanners": ("get",),
}
#: Bodies that endpoints read themselves, by the beginning of the address.
_BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/data/services/import", _BINARY),
    ("/data/search", {"application/xml": {"schema": _TEXT}}),
    ("/xapi/anonymize/", {"text/plain": {"schema": _TEXT}}),
    ("/xapi/siteConfig/{name}", {"application/json": {"schema": {}}}),
    ("/xapi/events/subscription/filter", {"text/plain": {"schema": _TEXT}}),
    ("/xapi/", {"application/json": {"schema": {"type": "object"}}}),
)
_SRC = {"src": _TEXT, "project": _TEXT, "subject": _TEXT, "session": _TEXT, "overwrite": _TEXT, "quarantine": _FLAG}
#: Parameters that endpoints read themselves.
_QUERIES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "/data/services/import": {
        "dest": _TEXT,
        "project": _TEXT,
        "subject": _TEXT,
        "session": _TEXT,
        "overwrite": {"type": "string", "enum": ["none", "append", "delete"]},
        "import-handler": {"type": "string", "enum": ["SI", "DICOM-zip", "gradual-DICOM", "inbox", "XAR"]},
        "quarantine": _FLAG,
        "Direct-Archive": _FLAG,
        "Ignore-Unparsable": _FLAG,
        "rename": _FLAG,
        "path": _TEXT,
    },
    "/data/services/archive": _SRC,
    "/data/services/prearchive/{operation}": _SRC | {"newProject": _TEXT, "async": _FLAG},
    "/data/services/refresh/catalog": {"resource": _TEXT, "options": _TEXT},
    "/data/services/dicomdump": {"src": _TEXT, "field": _TEXT, "format": _FORMAT},
    "/data/search": {"format": _FORMAT},
    "/data/pars/{number}": {"accept": _FLAG, "decline": _FLAG, "level": _TEXT},
}


def install(app: FastAPI) -> None:
    """Let the app describe itself by `describe`."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(describe(app))
        return made

    app.openapi = openapi  # type: ignore[method-assign]


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the app."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Duplicate Operation ID")  # routes of several methods; named below
        document = get_openapi(title=app.title, version=VERSION, routes=app.routes)
    paths: dict[str, dict[str, Any]] = document["paths"]
    paths.pop(TREE, None)
    for path, method, operation in tree_operations():
        paths.setdefault(path, {})[method] = operation
    for path, item in paths.items():
        for method in [name for name in item if name not in _METHODS]:
            del item[method]
        for method, operation in item.items():
            present = {each["name"] for each in operation.get("parameters", ())}
            more = {name: schema for name, schema in _QUERIES.get(path, {}).items() if name not in present}
            operation.setdefault("parameters", []).extend(_parameter(name, "query", more[name]) for name in more)
            operation["operationId"] = re.sub(r"\W+", "_", f"{method}{path}").strip("_")
            if method in {"put", "post"} and "requestBody" not in operation:
                _describe_body(path, operation)
    return document


def _describe_body(path: str, operation: dict[str, Any]) -> None:
    content = next((content for start, content in _BODIES if path.startswith(start)), None)
    if content is not None and not path.endswith("activate"):
        operation["requestBody"] = {"content": content}


def tree_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield address, method and description of what the tree of objects answers."""
    for kind, places in PLACES.items():
        for place in places:
            collection = place.rpartition("/")[0]
            yield collection, "get", _operation(collection, f"List {kind.value}.", _LISTED)
            if kind is ObjectKind.RESOURCE:
                yield from _resource_operations(place)
                continue
            one = kind.value.removesuffix("s")
            yield place, "get", _operation(place, f"Read one of {kind.value}.", {"format": _FORMAT})
            yield place, "put", _operation(place, f"Make a {one}, or set fields of it.", _SET)
            yield place, "delete", _operation(place, f"Delete a {one}.", {"removeFiles": _FLAG})
    for word, methods in PROJECT_WORDS.items():
        path = f"{PLACES[ObjectKind.PROJECT][0]}/{word}"
        for method in methods:
            yield path, method, _operation(path, f"{word.partition('/')[0]} of a project.", {})
    experiment = PLACES[ObjectKind.EXPERIMENT][-1]
    yield f"{experiment}/status", "get", _operation(experiment, "Whether it is active or in quarantine.", {})
    yield (
        f"{experiment}/XAR",
        "get",
        _operation(experiment, "The session with all its files, to be imported again.", {}),
    )
    files = f"{experiment}/scans/{{scan}}/files"
    yield files, "get", _operation(files, "Files of the scans that a selector names.", {"format": _FORMAT})
    for owner in (PLACES[ObjectKind.SUBJECT][0], PLACES[ObjectKind.EXPERIMENT][1]):
        path = f"{owner}/projects/{{target}}"
        yield f"{owner}/projects", "get", _operation(owner, "List the projects that it shows in.", {})
        yield path, "put", _operation(path, "Share into another project.", {"label": _TEXT})
        yield path, "delete", _operation(path, "Take out of another project.", {})


def _resource_operations(place: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield place, "get", _operation(place, "Read a resource.", {"format": _FORMAT})
    yield place, "put", _operation(place, "Make a resource.", _LABELLED)
    yield place, "delete", _operation(place, "Delete a resource with its files.", {})
    files = f"{place}/files"
    yield files, "get", _operation(files, "List the files, or get all of them as an archive.", {"format": _FORMAT})
    file = f"{files}/{{file}}"
    yield file, "get", _operation(file, "Download a file.", {})
    upload = _operation(file, "Upload a file.", _UPLOAD)
    yield file, "put", upload | {"requestBody": {"content": _BINARY}}
    yield file, "delete", _operation(file, "Delete a file.", {"accept-not-found": _FLAG})


def _operation(path: str, summary: str, query: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    parameters = [_parameter(name, "path", _TEXT) for name in re.findall(r"{(\w+)}", path)]
    parameters += [_parameter(name, "query", schema) for name, schema in query.items()]
    answers = {"2XX": {"description": "As XNAT answers."}, "4XX": {"description": "Refused, with a sentence."}}
    return {"summary": summary, "tags": ["objects"], "parameters": parameters, "responses": answers}


def _parameter(name: str, where: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": dict(schema)}
