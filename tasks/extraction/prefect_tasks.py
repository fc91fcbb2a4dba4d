"""Extraction as Prefect tasks. The measuring itself, `tasks.extraction.extract.extract`, is submitted to Dask by the flow."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.archive.derive import DerivedScan
from tasks.extraction.relevance import Relevance
from tasks.extraction.request import relevant_scan
from tasks.studies import ModelUse, Study


@task(name="choose scan", cache_policy=NO_CACHE, persist_result=False)
async def choose(described: Sequence[DerivedScan], study: Study, use: ModelUse) -> Relevance:
    """Choose the scan that a model measures, see `tasks.extraction.request`."""
    return relevant_scan(described, study, use)
