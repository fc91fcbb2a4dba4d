"""Intracranial volume from a T1-weighted head: deepbet's networks, run through MONAI transforms and a MONAI inferer.

Fisch L. et al., "deepbet: Fast brain extraction of T1-weighted MRI using Convolutional Neural Networks",
Computers in Biology and Medicine 179 (2024) 108845. Two networks see the head: the first, at 128 cubed, finds the box of
the brain; the second, at 256 cubed, draws the mask inside it. The steps are those of deepbet 1.0.2, so that the same
volume gives the same millilitres (`tests/integration/tasks` compares the two). Imports torch and MONAI.
"""

from __future__ import annotations

import logging
import platform
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import cc3d
import fill_voids
import nibabel
import numpy as np
import torch
from monai.data.image_reader import NibabelReader
from monai.data.meta_tensor import MetaTensor
from monai.inferers.inferer import SimpleInferer
from monai.transforms.compose import Compose
from monai.transforms.spatial.array import Resize
from monai.transforms.utility.array import EnsureChannelFirst, Lambda
from numpy.typing import NDArray

from tasks.errors import RejectedInput
from tasks.extraction.backends.deepbet_weights import Weights, find_weights
from tasks.extraction.port import MeasuredValue, ModelOutput
from tasks.extraction.quality import MaskFacts, mask_remarks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

logger = logging.getLogger(__name__)
nib: Any = nibabel

Box = tuple[slice, slice, slice]

_BOX_GRID = (128, 128, 128)
_MASK_GRID = (256, 256, 256)
_BOX_MARGIN = 0.1
"""Share of the box's edge that is added on each side."""
_BOX_OCCUPANCY = 0.02
"""A plane belongs to the box when more than this share of it is brain."""
_PERCENTILES = (0.005, 0.995)
_CERTAIN = 0.5
_MASK_NAME = "brain_tiv_mask.nii.gz"


class NoBrainFound(RejectedInput):
    """The networks saw no brain in a volume."""

    def __init__(self) -> None:
        super().__init__("The network found no brain in the volume: it is no head, or not a T1-weighted one.")


@dataclass(frozen=True)
class _Found:
    """The mask on the canonical grid, and what the network thought of it."""

    mask: NDArray[np.bool_]
    certainty: float
    largest_share: float


class BrainTiv:
    """The model plug-in ``brain_tiv``. Parameter `threshold`: probability from which a voxel is inside, 0.5."""

    name = "brain_tiv"
    title = "Intracranial volume"
    resource = "BRAIN_TIV"

    def __init__(self, *, device: str | None = None) -> None:
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def measure(
        self, volume: Path, out_dir: Path, *, parameters: Mapping[str, str | float | int | bool]
    ) -> ModelOutput:
        """Measure the volume inside the skull and write the mask ``brain_tiv_mask.nii.gz`` on the grid of the input.

        Parameters
        ----------
        volume
            NIfTI file of a head, any orientation; of time points the first.
        out_dir
            Where the mask goes.
        parameters
            `threshold`, between 0 and 1.

        Raises
        ------
        NoBrainFound
            There is no brain to measure.
        """
        threshold = float(parameters.get("threshold", _CERTAIN))
        if not 0 < threshold < 1:
            raise ValueError(f"threshold must lie between 0 and 1, not {threshold}")
        weights = find_weights()
        image = load_canonical(volume)
        found = self._run(image, weights=weights, threshold=threshold)
        spacing_mm = [float(edge) for edge in nib.load(volume).header.get_zooms()[:3]]
        volume_ml = float(found.mask.sum() * np.prod(spacing_mm) * 1e-3)
        save_mask(found.mask, like=volume, path=out_dir / _MASK_NAME)
        facts = MaskFacts.of(
            found.mask,
            affine=np.asarray(image.affine, dtype=float),
            volume_ml=volume_ml,
            certainty=found.certainty,
            largest_share=found.largest_share,
        )
        return ModelOutput(
            values=(MeasuredValue(name="intracranial_volume", title=self.title, value=volume_ml, unit="mL"),),
            mask_name=_MASK_NAME,
            remarks=mask_remarks(facts),
            model_version=f"deepbet {weights.version}",
            weights_sha256=weights.sha256,
            parameters={"threshold": threshold},
            libraries={name: version(name) for name in ("torch", "monai", "deepbet", "nibabel", "numpy")},
            device=_device_name(self._device),
            diagnostics=facts.diagnostics(),
        )

    def _run(self, image: Any, *, weights: Weights, threshold: float) -> _Found:
        try:
            return find_brain(image, weights=weights, threshold=threshold, device=self._device)
        except torch.cuda.OutOfMemoryError:
            logger.warning("not enough memory on the accelerator, measuring on the CPU instead")
            self._device = torch.device("cpu")
            torch.cuda.empty_cache()
            return find_brain(image, weights=weights, threshold=threshold, device=self._device)


def load_canonical(path: Path) -> Any:
    """Load a volume as MetaTensor of float32, shape (1, x, y, z), axes towards right, front, head; NaN becomes 0."""
    # MONAI's LoadImage would set up a reader for every format, with a warning for those that are not installed.
    reader = NibabelReader(as_closest_canonical=True)
    values, meta = reader.get_data(reader.read(path))
    first = values[..., 0] if values.ndim > 3 else values
    image = MetaTensor(np.ascontiguousarray(first, dtype=np.float32), affine=meta["affine"])
    return Compose([EnsureChannelFirst(channel_dim="no_channel"), Lambda(torch.nan_to_num)])(image)


def find_brain(image: Any, *, weights: Weights, threshold: float, device: torch.device) -> _Found:
    """Find the brain in a volume.

    Parameters
    ----------
    image
        As `load_canonical` returns it.
    weights
        The networks.
    threshold
        Probability from which a voxel is inside.
    device
        Where the networks run.

    Raises
    ------
    NoBrainFound
    """
    infer = SimpleInferer()
    with torch.inference_mode(), _ExactArithmetic():
        small = Resize(spatial_size=_BOX_GRID, mode="nearest-exact")(image).to(device)
        low, high = (torch.quantile(torch.as_tensor(small), share) for share in _PERCENTILES)
        normalise = Lambda(lambda x: _normalised(torch.as_tensor(x), low=low, high=high))
        box_network = _network(weights.box_network, device=device)
        rough = infer(normalise(small)[None], box_network)[0, 1]
        del box_network, small
        box = _box(keep_largest((rough > _CERTAIN).cpu().numpy())[0], shape=tuple(image.shape[1:]))
        prepare = Compose(
            [Resize(spatial_size=_MASK_GRID, mode="nearest-exact"), Lambda(lambda x: x.to(device)), normalise]
        )
        inside = image[(slice(None), *box)]
        mask_network = _network(weights.mask_network, device=device)
        fine = infer(prepare(inside)[None], mask_network)[0, 1:2]
        restore = Resize(spatial_size=tuple(inside.shape[1:]), mode="nearest-exact")
        probability = torch.as_tensor(restore(fine))[0].cpu().numpy()
    component, largest_share = keep_largest(probability > threshold)
    filled = fill_voids.fill(component)
    mask = np.zeros(tuple(image.shape[1:]), dtype=bool)
    mask[box] = filled
    return _Found(mask=mask, certainty=float(probability[filled].mean()), largest_share=largest_share)


def keep_largest(mask: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], float]:
    """Keep the largest of the parts of a mask that hang together by face, edge or corner.

    Returns
    -------
    part
        ndarray of bool, shape of `mask`.
    share
        The part's share of the whole mask.

    Raises
    ------
    NoBrainFound
        The mask is empty.
    """
    labels = cc3d.connected_components(mask)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    if counts.sum() == 0:
        raise NoBrainFound
    largest = int(counts.argmax())
    return labels == largest, float(counts[largest] / counts.sum())


def save_mask(mask: NDArray[np.bool_], *, like: Path, path: Path) -> Path:
    """Write a canonical mask on the grid and in the orientation of another volume, as uint8."""
    source = nib.load(like)
    back = nib.orientations.ornt_transform([[0, 1], [1, 1], [2, 1]], nib.io_orientation(source.affine))
    # The header goes along, so that voxel sizes are the scanner's own and not those computed from rounded directions.
    header = source.header.copy()
    header.extensions.clear()
    header.set_data_dtype(np.uint8)
    header["descrip"], header["cal_min"], header["cal_max"] = b"intracranial mask", 0, 1
    image = nib.Nifti1Image(nib.apply_orientation(mask.astype(np.uint8), back), source.affine, header)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return path


def _network(path: Path, *, device: torch.device) -> Any:
    with warnings.catch_warnings():
        # The networks are published as TorchScript; torch asks its authors, not us, to export them anew.
        warnings.simplefilter("ignore", DeprecationWarning)
        jit: Any = torch.jit
        network = jit.load(str(path), map_location=device)
    return network.eval()


def _normalised(x: torch.Tensor, *, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Scale to the percentiles of the whole head, then to the mean and deviation that the networks were trained with."""
    x = ((x - low) / (high - low)).clamp(min=0, max=1)
    return 0.226 * (x - x.mean()) / x.std() + 0.449


def _box(rough: NDArray[np.bool_], *, shape: tuple[int, ...]) -> Box:
    """Return the box of a rough mask on a grid of another shape, widened by the margin."""
    slices = []
    for axis in range(3):
        others = tuple(one for one in range(3) if one != axis)
        planes = np.flatnonzero(rough.mean(axis=others, dtype=np.float32) > _BOX_OCCUPANCY)
        if planes.size == 0:
            raise NoBrainFound
        scale = shape[axis] / rough.shape[axis]
        centre = np.round(scale * (planes[-1] + 1 + planes[0]) / 2)
        size = np.round((1 + 2 * _BOX_MARGIN) * scale * (planes[-1] + 1 - planes[0]))
        slices.append(slice(max(0, int(centre - size / 2)), min(shape[axis], int(centre + size / 2))))
    return (slices[0], slices[1], slices[2])


class _ExactArithmetic:
    """Switch off what makes results of one device differ from run to run, and put it back afterwards."""

    def __enter__(self) -> None:
        cudnn = torch.backends.cudnn
        self._before = (cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32)
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = True, False, False

    def __exit__(self, *_: object) -> None:
        cudnn = torch.backends.cudnn
        cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = self._before


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"cpu: {platform.machine()}, {torch.get_num_threads()} threads"
