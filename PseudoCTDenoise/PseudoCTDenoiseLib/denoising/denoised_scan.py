"""Result of a denoising job, and its arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..ct.hounsfield import MIN_CT_HU, to_hu, to_int16
from ..ct.removed_structure import RemovedStructure
from ..errors import BadInputError
from .bias_correction import DensityBiasCorrection
from .device import ComputeDevice
from .fine_tuning import TuningRecord
from .settings import DenoisingSettings

NewArray = Callable[[str, tuple[int, int, int]], np.ndarray]
"""Makes an int16 array of a name and shape."""


@dataclass(frozen=True)
class DenoisedScan:
    """Result of a job.

    All arrays are (slices, rows, columns) int16 HU, as the run's ``new_array`` made them. ``noise``
    is the ensemble's map, and ``noise_maps`` has one map for each noise model. Both are None unless
    requested. :func:`.pseudo_ldct` makes the pseudo-LDCT from ``noise``. ``tunings`` has the record
    of the scan's tuning, or one for every slice; ``seconds`` those of every stage; ``warnings``
    those of the job, and :func:`divergence_warning` last. ``structures`` describes the removed
    noise of every slice at full strength, None for a slice that is not judged.
    """

    hu: np.ndarray
    settings: DenoisingSettings
    device: ComputeDevice
    precision: str
    tunings: list[TuningRecord]
    seconds: dict[str, float]
    noise: np.ndarray | None = None
    noise_maps: list[np.ndarray] | None = None
    warnings: list[str] = field(default_factory=list)
    structures: list[RemovedStructure | None] = field(default_factory=list)

    @property
    def losses(self) -> list[float]:
        """The loss of every step, of all tunings in the order of the slices."""
        return [loss for tuning in self.tunings for loss in tuning.losses]


def divergence_warning(tunings: Sequence[TuningRecord]) -> str:
    """Return a sentence on the tunings that diverged, or an empty text."""
    diverged = sum(tuning.diverged for tuning in tunings)
    if not diverged:
        return ""
    which = f"of {diverged} of {len(tunings)} slices " if len(tunings) > 1 else ""
    return (
        f"The tuning {which}diverged, so the pre-trained network was used instead. "
        "Choose fewer steps or a smaller learning_rate (in a settings file or in Python)."
    )


def array_in_memory(name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a new int16 array in memory, a :data:`NewArray`."""
    return np.empty(shape, np.int16)


class NotFiniteError(BadInputError):
    """The error that a network's output contains NaN or infinity."""

    def __init__(self):
        super().__init__(
            "The network's output contains numbers that are not finite. Choose precision float32 "
            "or another model."
        )


def output_image(
    output: torch.Tensor, correction: DensityBiasCorrection | None = None
) -> np.ndarray:
    """Return one slice of a network's output, (1, rows, columns), as (rows, columns) int16 HU."""
    hu = to_hu(output)
    if correction is not None:
        hu = correction.apply(hu)
    return to_int16(hu[0].clamp(min=MIN_CT_HU).cpu().numpy())
