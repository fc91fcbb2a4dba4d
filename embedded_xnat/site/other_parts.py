"""Endpoints of parts that a real XNAT may have and this server has not: lists of nothing, and a sentence that says so.

Clients ask for these lists to find out what a site offers. May import FastAPI.
"""

from typing import Any

from fastapi import APIRouter, Request

from embedded_xnat.access import visitor_of
from embedded_xnat.contract.errors import BadRequest, NoSuchObject
from embedded_xnat.site.config_endpoints import check_is_admin

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


@router.get("/xapi/dicomscp")
def receivers(request: Request) -> list[dict[str, Any]]:
    """List the DICOM receivers of this server: none; the gateway of the house receives images."""
    check_is_admin(request, "see the receivers of the site")
    return []


@router.get("/xapi/dicomscp/{number}")
def receiver(request: Request, number: str) -> dict[str, Any]:  # noqa: ARG001 - whatever its number
    """Return a DICOM receiver: there is none."""
    check_is_admin(request, "see the receivers of the site")
    raise NoSuchObject("receiver")


@router.post("/xapi/dicomscp")
@router.put("/xapi/dicomscp/{number}")
def make_receiver(request: Request, number: str | None = None) -> None:  # noqa: ARG001 - whatever its number
    """Refuse to make a DICOM receiver, and say who receives."""
    check_is_admin(request, "change the receivers of the site")
    raise BadRequest("This archive has no DICOM receiver of its own; Cohortflow's gateway receives images (C-STORE).")


@router.get("/xapi/commands")
@router.get("/xapi/containers")
@router.get("/containers")
def nothing_to_run(request: Request) -> list[dict[str, Any]]:
    """List what the container service could run, or runs: nothing."""
    visitor_of(request)
    return []
