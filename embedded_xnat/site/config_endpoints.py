"""Endpoints of the site's settings. For administrators. May import FastAPI."""

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from embedded_xnat.access import visitor_of
from embedded_xnat.contract.errors import BadRequest, NoSuchObject, NotAllowed
from embedded_xnat.site.bodies import json_object, small_body
from embedded_xnat.site.config import SiteConfig

router = APIRouter()


def config_of(request: Request) -> SiteConfig:
    """Return the settings of the site."""
    config = request.app.state.site_config
    assert isinstance(config, SiteConfig)
    return config


def check_is_admin(request: Request, action: str) -> None:
    """Raise unless an administrator asks.

    Raises
    ------
    NotAllowed
    """
    if not visitor_of(request).is_admin:
        raise NotAllowed(action)


@router.get("/xapi/siteConfig")
def read_settings(request: Request) -> dict[str, Any]:
    """Return every setting."""
    check_is_admin(request, "read the settings of the site")
    return config_of(request).all()


@router.put("/xapi/siteConfig")
@router.post("/xapi/siteConfig")
async def change_settings(request: Request) -> Response:
    """Change settings; those that mean nothing here are kept and given back."""
    check_is_admin(request, "change the settings of the site")
    await run_in_threadpool(config_of(request).change, await json_object(request))
    return JSONResponse({})


@router.get("/xapi/siteConfig/values/{names}")
def read_some_settings(request: Request, names: str) -> dict[str, Any]:
    """Return some settings, named with commas between."""
    check_is_admin(request, "read the settings of the site")
    found = config_of(request).all()
    return {name: found[name] for name in names.split(",") if name in found}


@router.get("/xapi/siteConfig/{name}")
def read_setting(request: Request, name: str) -> Response:
    """Return one setting."""
    check_is_admin(request, "read the settings of the site")
    found = config_of(request).all()
    if name not in found:
        raise NoSuchObject("setting")
    return JSONResponse(found[name])


@router.put("/xapi/siteConfig/{name}")
@router.post("/xapi/siteConfig/{name}")
async def change_setting(request: Request, name: str) -> Response:
    """Change one setting: the body is its value, as JSON or as plain text."""
    check_is_admin(request, "change the settings of the site")
    value = await _one_value(request)
    await run_in_threadpool(config_of(request).change, {name: value})
    return JSONResponse({})


async def _one_value(request: Request) -> Any:
    body = await small_body(request)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The value of a setting is text in UTF-8.") from error
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
