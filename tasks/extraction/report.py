"""The report of a measurement, as one HTML file that needs no other, and as PDF. Imports jinja2 and WeasyPrint.

The HTML carries its style and pictures inside itself, so that it can be kept, mailed or archived alone. WeasyPrint draws
with Pango, a library of the operating system: where that is not at hand, there is no PDF, and a remark says so.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from tasks.extraction.quality import USUAL_ML
from tasks.extraction.records import Gravity, QualityRemark

if TYPE_CHECKING:
    from tasks.extraction.records import ExtractionRequest, Measurement

HTML_FILE = "report.html"
PDF_FILE = "report.pdf"
_GRAVITY_WORDS = {"note": "Note.", "check": "Please check.", "fault": "Do not use."}
_SCALE_ML = (600.0, 2400.0)
NO_PDF = QualityRemark(
    gravity=Gravity.NOTE,
    text="There is no PDF of this report: the machine that measured lacks the library Pango "
    "(on Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core).",
)


def report_remarks() -> tuple[QualityRemark, ...]:
    """Return what is to be remarked of every report that this machine writes."""
    return () if _can_print() else (NO_PDF,)


def _can_print() -> bool:
    try:
        import weasyprint  # noqa: F401
    except OSError:  # what dlopen raises for a library that is not installed
        return False
    return True


def write_report(
    request: ExtractionRequest, measurement: Measurement, *, overlay: Path, slices: Path, out_dir: Path
) -> tuple[Path, ...]:
    """Write the report and return its files: HTML, and PDF where this machine can print it.

    Parameters
    ----------
    request, measurement
        What was asked and what was found.
    overlay, slices
        PNG pictures.
    out_dir
        Where ``report.html`` and ``report.pdf`` go.
    """
    html = render_report(request, measurement, overlay=overlay, slices=slices)
    html_path, pdf_path = out_dir / HTML_FILE, out_dir / PDF_FILE
    html_path.write_text(html, encoding="utf-8")
    if not _can_print():
        return (html_path,)
    from weasyprint import HTML

    HTML(string=html).write_pdf(pdf_path)
    return html_path, pdf_path


def render_report(request: ExtractionRequest, measurement: Measurement, *, overlay: Path, slices: Path) -> str:
    """Return the report as HTML with everything inside."""
    environment = Environment(
        loader=PackageLoader("tasks.extraction"), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    css = Path(__file__).with_name("templates").joinpath("report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        request=request,
        measurement=measurement,
        pedigree=measurement.pedigree,
        # Our own files, not input: the style sheet and a drawing made of numbers.
        css=Markup(css),  # noqa: S704
        scale=Markup(_scale(measurement.value)),  # noqa: S704
        gravity_words=_GRAVITY_WORDS,
        image_facts=_image_facts(request),
        overlay=_data_uri(overlay),
        slices=_data_uri(slices),
    )


def _image_facts(request: ExtractionRequest) -> str:
    facts = request.series.facts
    parts = [facts.series_description, facts.manufacturer]
    if facts.rows and facts.columns:
        parts.append(f"{facts.columns} x {facts.rows} x {facts.slice_positions}")
    if facts.voxel_volume_mm3:
        parts.append(f"{facts.column_spacing_mm:.2f} x {facts.row_spacing_mm:.2f} x {facts.slice_spacing_mm:.2f} mm")
    timing = (("TR", facts.repetition_time_ms), ("TE", facts.echo_time_ms), ("TI", facts.inversion_time_ms))
    parts += [f"{name} {value:g} ms" for name, value in timing if value]
    if facts.contrast_agent:
        parts.append("contrast agent given")
    return ", ".join(part for part in parts if part)


def _scale(volume_ml: float) -> str:
    """Draw where a volume lies between the bounds of the plausibility check."""
    low, high = _SCALE_ML

    def at(value: float) -> float:
        return round(10 + 280 * (min(max(value, low), high) - low) / (high - low), 1)

    usual_low, usual_high = USUAL_ML
    ticks = "".join(
        f'<text x="{at(value)}" y="33" font-size="8" fill="#56606d" text-anchor="middle">{value:.0f}</text>'
        for value in (600, usual_low, 1500, usual_high, 2400)
    )
    return (
        '<svg viewBox="0 0 300 38" font-family="Liberation Sans, Arial, sans-serif" role="img" aria-label="Where the volume lies between the bounds of the plausibility check">'
        '<rect x="10" y="13" width="280" height="5" rx="2.5" fill="#d5dae0"/>'
        f'<rect x="{at(usual_low)}" y="13" width="{at(usual_high) - at(usual_low):.1f}" height="5" fill="#8fa3b5"/>'
        f'<circle cx="{at(volume_ml)}" cy="15.5" r="5.5" fill="#0f6f7c" stroke="#fff" stroke-width="1.6"/>'
        f'{ticks}<text x="{at((usual_low + usual_high) / 2)}" y="8" font-size="8" fill="#56606d" text-anchor="middle">'
        "bounds of the plausibility check, mL</text></svg>"
    )


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
