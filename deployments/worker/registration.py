"""Tells the Prefect server the work pool and the deployments of a file: a dozen requests, no process started.

Imports httpx and Prefect's schema of parameters. Idempotent: what the server has already is left alone, so that
schedules made in Prefect's UI and the order of waiting runs survive each start.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx

from deployments.worker.errors import RegistrationRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deployments.worker.catalog import AnyFlow, FlowCatalog
    from deployments.worker.flows_file import DeploymentEntry

logger = logging.getLogger(__name__)

WORKER_TYPE = "cohortflow-warm"

BASE_JOB_TEMPLATE: dict[str, Any] = {
    "job_configuration": {"labels": "{{ labels }}"},
    "variables": {
        "type": "object",
        "properties": {
            "labels": {
                "title": "Labels",
                "description": "Facts to show beside a run. The worker itself needs none.",
                "type": "object",
                "additionalProperties": {"type": "string"},
                "default": {},
            }
        },
    },
}
"""Prefect takes an empty template for 'unknown' and hands such a pool's runs to nobody."""


def register_deployments(api_url: str, yaml_path: Path, *, catalog: FlowCatalog | None = None) -> dict[str, str]:
    """Create or update the work pools and deployments of ``yaml_path``.

    Parameters
    ----------
    catalog
        The flows, where they are imported already.

    Returns
    -------
    dict
        Id of each deployment, by ``flow-name/deployment-name``.

    Raises
    ------
    FlowsFileInvalid, FlowNotUsable
        If the file or one of its entrypoints is wrong.
    RegistrationRefused
        If the server says no.
    httpx.TransportError
        If it does not answer.
    """
    if catalog is None:
        from deployments.worker.catalog import FlowCatalog

        catalog = FlowCatalog.load(yaml_path)
    ids: dict[str, str] = {}
    with httpx.Client(base_url=api_url.rstrip("/"), timeout=30.0, trust_env=False) as client:
        for pool in catalog.file.work_pools:
            _put_work_pool(client, pool)
        for entry in catalog.file.deployments:
            flow = catalog.flow(entry.entrypoint)
            flow_id = _expect(client.post("/flows/", json={"name": flow.name}), f"the flow {flow.name}")["id"]
            desired = _desired(entry, flow, catalog)
            ids[f"{flow.name}/{entry.name}"] = _put_deployment(client, desired, flow_name=flow.name, flow_id=flow_id)
    logger.info("deployments registered", extra={"deployments": len(ids), "file": str(yaml_path)})
    return ids


def _put_work_pool(client: httpx.Client, name: str) -> None:
    """Create the pool, or give it our template. A pool's type cannot be changed; its limit and pause are the user's."""
    what = f"the work pool {name}"
    found = client.get(f"/work_pools/{name}")
    if found.status_code == httpx.codes.NOT_FOUND:
        body = {"name": name, "type": WORKER_TYPE, "base_job_template": BASE_JOB_TEMPLATE}
        body["description"] = "Flows that run inside a warm worker of Cohortflow."
        created = client.post("/work_pools/", json=body)
        if created.status_code != httpx.codes.CONFLICT:
            _expect(created, what)
        return
    if _expect(found, what)["base_job_template"] != BASE_JOB_TEMPLATE:
        _expect(client.patch(f"/work_pools/{name}", json={"base_job_template": BASE_JOB_TEMPLATE}), what)


def _desired(entry: DeploymentEntry, flow: AnyFlow, catalog: FlowCatalog) -> dict[str, Any]:
    from prefect.utilities.callables import parameter_schema

    root = str(catalog.file.root)
    limit = entry.concurrency_limit
    desired = {
        "name": entry.name,
        "entrypoint": entry.entrypoint,
        "path": root,
        "pull_steps": catalog.file.pull or [{"prefect.deployments.steps.set_working_directory": {"directory": root}}],
        "work_pool_name": entry.work_pool.name,
        "work_queue_name": entry.work_pool.work_queue_name or "default",
        "job_variables": entry.work_pool.job_variables,
        "version": entry.version or flow.version,
        "description": entry.description or flow.description,
        "tags": sorted(entry.tags),
        "parameters": entry.parameters,
        "parameter_openapi_schema": parameter_schema(flow).model_dump_for_openapi(),
        "enforce_parameter_schema": entry.enforce_parameter_schema,
        "concurrency_limit": limit.limit if limit else None,
    }
    if limit:
        desired["concurrency_options"] = limit.model_dump(exclude={"limit"}, exclude_none=True)
    return desired


def _put_deployment(client: httpx.Client, desired: Mapping[str, Any], *, flow_name: str, flow_id: str) -> str:
    what = f"the deployment {flow_name}/{desired['name']}"
    found = client.get(f"/deployments/name/{flow_name}/{desired['name']}")
    if found.status_code == httpx.codes.NOT_FOUND:
        return str(_expect(client.post("/deployments/", json={**desired, "flow_id": flow_id}), what)["id"])
    existing = _expect(found, what)
    changed = {key: value for key, value in desired.items() if not _is_same(key, value, existing)}
    if changed:
        _expect(client.patch(f"/deployments/{existing['id']}", json=changed), what)
        logger.info("deployment updated", extra={"deployment": what, "fields": sorted(changed)})
    return str(existing["id"])


def _is_same(key: str, value: Any, existing: Mapping[str, Any]) -> bool:
    if key == "concurrency_limit":
        return bool((existing.get("global_concurrency_limit") or {}).get("limit") == value)
    if key == "concurrency_options":
        found = existing.get("concurrency_options") or {}
        return all(found.get(name) == wanted for name, wanted in value.items())
    if key == "tags":
        return bool(sorted(existing.get("tags") or []) == value)
    return bool(existing.get(key) == value)


def _expect(response: httpx.Response, what: str) -> dict[str, Any]:
    if response.is_error:
        raise RegistrationRefused(what, status=response.status_code, answer=response.text)
    answer = response.json() if response.content else {}
    return dict(answer)
