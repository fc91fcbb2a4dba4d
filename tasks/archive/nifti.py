"""Turn the DICOM files of a scan into NIfTI volumes with dcm2niix, whose wheel carries the program.

Runs a subprocess on a folder; nothing of the images is in this process.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.archive.port import scan_stem
from tasks.errors import NoVolume, TransientError
from tasks.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_TIMEOUT_S = 900
_REMARKS = {
    "gantry tilt": "The gantry was tilted; the volume was resampled upright.",
    "interslice distance varies": "The distance between slices varies; the volume was resampled to an even one.",
    "missing images": "Slices are missing.",
    "not equidistant": "The slices are not evenly spaced.",
}


class Conversion(Record):
    """What a scan became.

    `volumes` are in order of their names. `best` is the volume to measure: the only one, or the one that dcm2niix made
    even and upright of it; None when the scan is no single volume (a localizer in three planes, several echoes).
    """

    volumes: tuple[Path, ...]
    sidecars: tuple[Path, ...]
    best: Path | None
    remarks: tuple[str, ...]
    converter: str


def converter_version() -> str:
    """Return name and version of the converter, as pedigrees name it."""
    return f"dcm2niix {importlib.metadata.version('dcm2niix')}"


def convert_scan(files: Iterable[Path], out_dir: Path, *, scan: str) -> Conversion:
    """Convert the files of one scan.

    Parameters
    ----------
    files
        DICOM files of one series.
    out_dir
        Where the volumes go; made when missing, and emptied of an earlier attempt.
    scan
        Scan id, for the volumes' names (see `tasks.archive.port.scan_stem`) and for messages.

    Raises
    ------
    NoVolume
        The converter made nothing of them.
    TransientError
        The converter did not end in time.
    """
    import dcm2niix

    shutil.rmtree(out_dir, ignore_errors=True)
    out_dir.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=out_dir.parent) as spool:
        for number, path in enumerate(files):
            (Path(spool) / f"{number:06d}.dcm").symlink_to(path.resolve())
        command = [dcm2niix.bin, "-b", "y", "-ba", "y", "-z", "i", "-f", scan_stem(scan), "-o", str(out_dir), spool]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise TransientError(f"dcm2niix did not finish scan {scan} in {_TIMEOUT_S} s.") from error
    volumes = tuple(sorted(out_dir.glob("*.nii.gz")))
    if not volumes:
        raise NoVolume(scan, why="dcm2niix made no volume of it.")
    log = (done.stdout + done.stderr).lower()
    return Conversion(
        volumes=volumes,
        sidecars=tuple(sorted(out_dir.glob("*.json"))),
        best=_best(volumes, scan=scan),
        remarks=tuple(sentence for words, sentence in _REMARKS.items() if words in log),
        converter=converter_version(),
    )


def _best(volumes: tuple[Path, ...], *, scan: str) -> Path | None:
    by_rest = {path.name.removesuffix(".nii.gz").removeprefix(scan_stem(scan)): path for path in volumes}
    corrected = [by_rest[one] for one in ("_Tilt_Eq_1", "_Tilt_1", "_Eq_1") if one in by_rest]
    plain = [path for rest, path in by_rest.items() if "_Tilt_" not in rest and "_Eq_" not in rest]
    if len(plain) > 1:
        return None
    return next(iter(corrected or plain), None)
