"""The one coarse step that runs on a worker: measure a volume, draw it, write the report. Paths and records in and out."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import RejectedInput
from tasks.extraction.models import load_model
from tasks.extraction.overlay import draw_overlays
from tasks.extraction.records import ExtractionResult, Gravity, InputVolume, Measurement, Outcome, Pedigree
from tasks.extraction.report import report_remarks, write_report

if TYPE_CHECKING:
    from tasks.extraction.port import BiomarkerModel, ModelOutput
    from tasks.extraction.records import ExtractionRequest

logger = logging.getLogger(__name__)

MEASUREMENT_FILE = "measurement.json"


def extract(work_dir: Path, request: ExtractionRequest) -> ExtractionResult:
    """Measure a volume and write everything the archive is to keep of it.

    Parameters
    ----------
    work_dir
        A folder of this extraction's own that the caller can read; an earlier attempt's files in it are replaced.
    request
        What to measure with what.

    Returns
    -------
    ExtractionResult
        `measured` with measurements and files; or `not_relevant` with the reason, when the volume holds nothing to
        measure, or when quality control refuses the number. Refused measurements are written to the files all the same,
        so that a person can see why.

    Raises
    ------
    ModelUnknown
        The study asks for a model that is not installed.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    model = load_model(request.model)
    started, clock = dt.datetime.now(dt.UTC), time.monotonic()
    try:
        output = model.measure(request.volume, work_dir, parameters=request.parameters)
    except RejectedInput as error:
        return ExtractionResult(outcome=Outcome.NOT_RELEVANT, reason=f"Scan {request.scan_id}: {error.reason}")
    pedigree = _pedigree(request, model, output, started=started, duration_s=round(time.monotonic() - clock, 2))
    measurements = tuple(
        Measurement(
            name=one.name,
            title=one.title,
            value=round(one.value, 3),
            unit=one.unit,
            remarks=(*output.remarks, *report_remarks()),
            pedigree=pedigree,
        )
        for one in output.values
    )
    files = _write_files(work_dir, request, output, measurements)
    faults = [remark.text for remark in output.remarks if remark.gravity is Gravity.FAULT]
    logger.info("volume measured", extra={"model": model.name, "scan": request.scan_id, "faults": len(faults)})
    if faults:
        reason = f"Scan {request.scan_id} was measured, but quality control refuses the result: {' '.join(faults)}"
        return ExtractionResult(outcome=Outcome.NOT_RELEVANT, reason=reason, resource=model.resource, files=files)
    return ExtractionResult(
        outcome=Outcome.MEASURED, reason=request.reason, measurements=measurements, resource=model.resource, files=files
    )


def code_version() -> str:
    """Return the version of Cohortflow, with the digest of the code that measures."""
    try:
        installed = version("cohortflow")
    except PackageNotFoundError:
        installed = "not installed"
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return f"cohortflow {installed} (extraction code {digest.hexdigest()[:12]})"


def _pedigree(
    request: ExtractionRequest, model: BiomarkerModel, output: ModelOutput, *, started: dt.datetime, duration_s: float
) -> Pedigree:
    with request.volume.open("rb") as file:
        volume_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Pedigree(
        input=InputVolume(
            scan_id=request.scan_id,
            scan_type=request.scan_type,
            series_instance_uid=request.series.series_instance_uid,
            instances=request.series.instances,
            volume_name=request.volume.name,
            volume_sha256=volume_sha256,
            converter=request.converter,
        ),
        model=model.name,
        model_version=output.model_version,
        weights_sha256=output.weights_sha256,
        parameters=output.parameters,
        code_version=code_version(),
        libraries=output.libraries,
        device=output.device,
        started=started,
        duration_s=duration_s,
        diagnostics=output.diagnostics,
    )


def _write_files(
    work_dir: Path, request: ExtractionRequest, output: ModelOutput, measurements: tuple[Measurement, ...]
) -> dict[str, Path]:
    overlay, slices = draw_overlays(request.volume, work_dir / output.mask_name, work_dir)
    report = write_report(request, measurements[0], overlay=overlay, slices=slices, out_dir=work_dir)
    path = work_dir / MEASUREMENT_FILE
    content = {"session": request.session_label, "measurements": [one.model_dump(mode="json") for one in measurements]}
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return {one.name: one for one in (work_dir / output.mask_name, overlay, slices, *report, path)}
