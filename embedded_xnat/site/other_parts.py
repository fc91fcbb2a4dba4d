"""Endpoints of parts that a real XNAT may have and this server has not: lists of nothing, and a sentence that says so.

Clients ask for these lists to find out what a site offers. May import FastAPI.
"""

from typing import Any

from fastapi import APIRouter, Request

from embedded_xnat.access import visitor_of
from embedded_xnat.contract.errors import NoSuchObject

router = APIRouter()


@router.get("/xapi/plugins")
@router.get("/xapi/plugins/")
def plugins() -> dict[str, Any]:
    """List the plug-ins: none."""
    return {}


@router.get("/xapi/plugins/{name}")
def plugin(name: str) -> dict[str, Any]:  # noqa: ARG001 - whatever its name
    """Return a plug-in: there is none."""
    raise NoSuchObject("plug-in")


@router.get("/xapi/commands")
@router.get("/xapi/containers")
@router.get("/containers")
def nothing_to_run(request: Request) -> list[dict[str, Any]]:
    """List what the container service could run, or runs: nothing."""
    visitor_of(request)
    return []
