"""Flow `receive-session`: an arrival becomes a session in the archive, known to the governor, or lands in the quarantine."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prefect import flow

from flows.executions import CONFLICT
from flows.outside import outside
from flows.wiring import wired
from gateway.client import GatewayRejected
from study_governor.client import GovernorRejected
from tasks.archive.prefect_tasks import deposit, derive, digest, find
from tasks.errors import RejectedInput
from tasks.intake.prefect_tasks import examine_arrival

if TYPE_CHECKING:
    from pathlib import Path

    from flows.wiring import Wiring
    from gateway.contract.schemas import ArrivalRecord
    from tasks.archive.deposit import Deposit, DepositedScan
    from tasks.archive.derive import DerivedScan
    from tasks.archive.port import SessionRef
    from tasks.intake.records import IntakeReport, Rejection, Route

logger = logging.getLogger(__name__)


class OtherSite(RejectedInput):
    """The images belong to a session of another site."""

    def __init__(self, study_instance_uid: str, *, site: str) -> None:
        super().__init__(
            f"DICOM study {study_instance_uid} is a session of site {site}; images of it from another site are not "
            "taken. Ask both sites whose it is: whoever is right sends it again."
        )
        self.study_instance_uid = study_instance_uid
        self.site = site


SETTLED = {"accepted", "quarantined"}


@flow(name="receive-session", flow_run_name="arrival-{arrival_id}", persist_result=False)
async def receive_session(arrival_id: int) -> str:
    """Take an arrival into the archive.

    Inputs: the arrival's instances, from the gateway. Outputs: ``accepted``, ``quarantined``, or ``closed`` when the
    arrival was settled or ordered anew meanwhile. Side effects: DICOM, NIfTI and previews in the archive; the session
    and its pictures at the governor; the arrival settled at the gateway. Running it again changes nothing.
    """
    with wired() as wiring:
        gateway = wiring.gateway()
        arrival = await outside(gateway.arrival, arrival_id)
        if arrival.state in SETTLED:
            return str(arrival.state.value)
        folder = wiring.work_folder(f"arrival-{arrival_id}-{arrival.attempt}")
        try:
            settlement = await _process(wiring, arrival, folder)
            await outside(gateway.settle, arrival_id, attempt=arrival.attempt, **settlement)
        except GatewayRejected as refused:
            if refused.status != CONFLICT:
                raise
            logger.info("settled or ordered anew meanwhile", extra={"arrival": arrival_id})
            return "closed"
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return str(settlement["outcome"])


async def _process(wiring: Wiring, arrival: ArrivalRecord, folder: Path) -> dict[str, Any]:
    """Examine what came and take in what is fit; return what the gateway is told."""
    paths = await outside(wiring.gateway().download, arrival.id, folder / "dicom")
    report = await examine_arrival(paths, wiring.studies(), calling_ae=arrival.calling_ae, called_ae=arrival.called_ae)
    try:
        return await _take_in(wiring, report, folder=folder, arrived_at=arrival.opened_at)
    except RejectedInput as rejected:
        return _quarantined(report, rejected.reason)


async def _take_in(wiring: Wiring, report: IntakeReport, *, folder: Path, arrived_at: dt.datetime) -> dict[str, Any]:
    """Archive what is fit, register the session, and return what the gateway is told."""
    route = report.route
    if route is None or not report.series:
        return _quarantined(report, report.arrival_reason or "Nothing of this arrival can go on.")
    archive, title = wiring.archive(), wiring.study(route.study).title
    known = await find(archive, route, study_title=title)
    if known is not None:
        await _require_own_site(wiring, route, known)
    deposited = await deposit(archive, report, study_title=title)
    derived = await derive(archive, deposited, folder)
    content_sha256 = await digest(archive, deposited.session.id)
    session_url = await _register(
        wiring, route, deposited, derived=derived, arrived_at=arrived_at, content_sha256=content_sha256
    )
    return {
        "outcome": "accepted",
        "study": route.study,
        "site": route.site,
        "session_label": deposited.session.label,
        "session_url": page_beside(session_url, wiring.settings.gateway_url),
        "rejected": _rejections((*report.rejected, *deposited.rejected)),
    }


async def _require_own_site(wiring: Wiring, route: Route, session: SessionRef) -> None:
    """Refuse images of a session that the governor knows as another site's.

    Raises
    ------
    OtherSite
    """
    known = await outside(wiring.governor().find_experiment, route.study, session.subject_label, session.label)
    if known is not None and known.site is not None and route.site not in {None, known.site}:
        raise OtherSite(route.study_instance_uid, site=known.site)


async def _register(
    wiring: Wiring,
    route: Route,
    deposited: Deposit,
    *,
    derived: tuple[DerivedScan, ...],
    arrived_at: dt.datetime,
    content_sha256: str,
) -> str:
    """Tell the governor of the session and of its pictures; return the address of its page."""
    governor = wiring.governor()
    session = deposited.session
    try:
        registered = await outside(
            governor.put_experiment,
            route.study,
            session.subject_label,
            session.label,
            scandate=dt.datetime.combine(route.scandate or arrived_at.date(), dt.time(), tzinfo=dt.UTC),
            workflow_label=wiring.study(route.study).workflow_label(),
            external_ids={"XNAT": session.id},
            subject_external_ids={"XNAT": session.subject_id},
            site=route.site,
            content_sha256=content_sha256,
            scandate_is_arrival=route.scandate is None,
        )
    except GovernorRejected as refused:
        if refused.is_conflict:  # another site's images of the same DICOM study came at the same moment, perhaps
            await _require_own_site(wiring, route, session)
        raise
    by_scan = {one.scan.id: one for one in deposited.scans}
    for one in derived:
        if one.record.preview is not None:
            await outside(
                governor.put_artifact,
                registered.id,
                f"preview-{one.scan.id}",
                kind="preview",
                title=_title(by_scan[one.scan.id]),
                uri=f"{one.scan.uri}/resources/SNAPSHOTS/files/{one.record.preview}",
                media_type="image/png",
            )
    return str(registered.web_uri)


def page_beside(url: str, gateway_url: str) -> str:
    """Return the address of a page for the gateway to keep: without the host that both are on, which may change.

    Examples
    --------
    >>> page_beside("http://127.0.0.1:8080/sessions/7", "http://127.0.0.1:8080/gateway")
    '/sessions/7'
    >>> page_beside("https://studies.example.org/sessions/7", "https://intake.example.org")
    'https://studies.example.org/sessions/7'
    """
    page, own = urlsplit(url), urlsplit(gateway_url)
    return page.path if (page.scheme, page.netloc) == (own.scheme, own.netloc) and page.path else url


def _quarantined(report: IntakeReport, reason: str) -> dict[str, Any]:
    known = {"study": report.route.study, "site": report.route.site} if report.route is not None else {}
    return {"outcome": "quarantined", "reason": reason, "rejected": _rejections(report.rejected)} | known


def _title(one: DepositedScan) -> str:
    return f"Scan {one.scan.id}: {one.scan.type}" if one.scan.type else f"Scan {one.scan.id}"


def _rejections(rejected: tuple[Rejection, ...]) -> list[dict[str, Any]]:
    return [one.model_dump() for one in rejected]
