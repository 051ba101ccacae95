"""Bias of each tissue in scans of patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import MIN_CT_HU
from PseudoCTDenoiseLib.denoising.clipping import clipped_fraction
from PseudoCTDenoiseLib.markdown_table import Column
from PseudoCTDenoiseLib.simulation.reconstruction_kernels import KERNELS
from scipy.ndimage import maximum_filter, minimum_filter, uniform_filter

from ..results.row_groups import grouped
from .comparison import LDCT, CtPair
from .method_study import NO_TUNING, WITH_METHOD

TISSUES_HU = {
    "lung": (-950.0, -500.0),
    "fat": (-140.0, -40.0),
    "soft tissue": (20.0, 130.0),
    "bone": (200.0, np.inf),
}
"""Range of the mean of :data:`SURROUNDINGS_PX` in each tissue."""
SURROUNDINGS_PX, FINE_PX = 15, 5
"""Sides of the squares whose means show the tissue of a voxel, and how uniform it is."""
LARGEST_RANGE_HU = 100.0
"""Range of the means of fine squares in the surroundings from which a tissue is not uniform."""
LARGEST_CLIPPED_FRACTION = 0.005
"""Fraction of voxels clipped at −1024 HU around a voxel from which it is not measured: noise that
is clipped raises the mean."""
LEAST_VOXELS = 10000
"""Number of voxels from which a tissue is measured. Noise shifts the mean of fewer."""

TISSUE_COLUMNS = (
    Column("kernel", "Kernel"),
    Column("tissue", "Tissue"),
    Column("scans", "Scans", decimals=0),
    Column(LDCT, f"{LDCT} (HU)", signed=True),
    Column(NO_TUNING, f"{NO_TUNING} (HU)", signed=True),
    Column(WITH_METHOD, f"{WITH_METHOD} (HU)", signed=True),
    Column("largest", f"Largest, {WITH_METHOD} (HU)", signed=True),
    Column("ldct_there", f"{LDCT} there (HU)", signed=True),
    Column("patient", "Patient"),
)
"""Columns of :func:`tissue_summary`."""


def measure_tissues(pair: CtPair, images: Mapping[str, np.ndarray]) -> Iterator[dict]:
    """Yield a row for each tissue with enough voxels: ``tissue``, ``voxels``, and biases in HU.

    The bias of an image, under its name, is its mean in the tissue minus that of the NDCT.
    """
    ndct = np.maximum(pair.ndct, MIN_CT_HU).astype(np.float64)
    masks = [_tissue_masks(*slices) for slices in zip(ndct, pair.ldct, strict=True)]
    for tissue in TISSUES_HU:
        inside = np.stack([mask[tissue] for mask in masks])
        if inside.sum() >= LEAST_VOXELS:
            about = {"tissue": tissue, "voxels": int(inside.sum())}
            yield about | {name: (hu - ndct)[inside].mean() for name, hu in images.items()}


def _tissue_masks(ndct: np.ndarray, ldct: np.ndarray) -> dict[str, np.ndarray]:
    """Return where each tissue is uniform and not clipped, (rows, columns) of bool.

    The class of a voxel follows from a wide mean. If it followed from the voxel or a few around
    it, the noise of the NDCT would select voxels. Bone is rarely uniform and need not be.
    """
    wide, fine = (uniform_filter(ndct, side) for side in (SURROUNDINGS_PX, FINE_PX))
    limits = maximum_filter(fine, SURROUNDINGS_PX), minimum_filter(fine, SURROUNDINGS_PX)
    uniform = limits[0] - limits[1] < LARGEST_RANGE_HU
    clipped = clipped_fraction(torch.from_numpy(ldct.astype(np.float32))[None])[0].numpy()
    measured = clipped < LARGEST_CLIPPED_FRACTION
    return {
        name: (wide >= low) & (wide < high) & measured & (uniform | (name == "bone"))
        for name, (low, high) in TISSUES_HU.items()
    }


def tissue_summary(rows: list[dict]) -> list[dict]:
    """Return the means over scans by kernel and tissue, and the scan with the largest bias."""
    lines = []
    kernels, tissues = list(KERNELS), list(TISSUES_HU)
    rows = sorted(rows, key=lambda r: (kernels.index(r["kernel"]), tissues.index(r["tissue"])))
    for line, group in grouped(rows, ("kernel", "tissue")):
        line["scans"] = len(group)
        for name in (LDCT, NO_TUNING, WITH_METHOD):
            line[name] = float(np.mean([float(row[name]) for row in group]))
        worst = max(group, key=lambda row: abs(float(row[WITH_METHOD])))
        line |= {"largest": float(worst[WITH_METHOD]), "ldct_there": float(worst[LDCT])}
        lines.append(line | {"patient": worst["patient"]})
    return lines
