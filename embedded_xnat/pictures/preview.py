"""Makes a small picture of the middle of a DICOM series. May import numpy and Pillow."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedded_xnat.pictures.reading import (
    UNREADABLE,
    Opener,
    Unreadable,
    is_colour,
    open_at_path,
    opened,
)

logger = logging.getLogger(__name__)

SIZE = 192


def preview_png(path: Path, opener: Opener = open_at_path) -> bytes | None:
    """Return the middle frame of a file as a PNG of at most `SIZE` pixels; None when it cannot be drawn."""
    from PIL import Image  # noqa: PLC0415 - not for the start of the server

    try:
        with opened(path, opener) as frames:
            ds = frames.ds
            pixels = frames.pixels(int(ds.get("NumberOfFrames", 1) or 1) // 2)
        if not is_colour(ds):
            pixels = grey(pixels, is_inverted=ds.get("PhotometricInterpretation") == "MONOCHROME1")
        picture = Image.fromarray(pixels)
    except (Unreadable, *UNREADABLE):
        logger.info("a series cannot be drawn")
        return None
    picture.thumbnail((SIZE, SIZE))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def grey(pixels: NDArray[Any], *, is_inverted: bool = False) -> NDArray[np.uint8]:
    """Return values between the 1st and 99th percentile as grey from black to white.

    Examples
    --------
    >>> grey(np.array([[0, 50], [75, 100]])).tolist()
    [[0, 126], [191, 255]]
    """
    low, high = np.percentile(pixels, (1, 99))
    if high <= low:
        low, high = float(pixels.min()), float(pixels.max()) + 1.0
    scaled = np.clip((pixels.astype(np.float32) - low) / (high - low), 0.0, 1.0) * 255.0
    return np.asarray(255 - scaled if is_inverted else scaled).astype(np.uint8)
