"""Adds routers to an app without building their routes a second time. May import FastAPI."""

from fastapi import APIRouter, FastAPI


def add_routes(app: FastAPI, *routers: APIRouter) -> None:
    """Add routes as they are.

    ``include_router`` would build each again at the first request, to put a prefix before it: a fifth of a second for
    the hundred routes of the archive. Our routers name their prefixes themselves.
    """
    for router in routers:
        app.router.routes.extend(router.routes)
