"""A denoising job: from a low-dose scan to a denoised one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
import torch
from torch import nn

from ..ct.constant_areas import padding_above, surrounding_padding
from ..ct.hounsfield import MAX_CT_HU, MIN_CT_HU, normalise
from ..ct.hu_validation import check_finite, ct_warning
from ..ct.slice_selection import evenly_spaced_slices, most_informative_slice
from ..errors import BadInputError
from ..models.networks import have_one_trunk
from ..simulation.pixel_size import pixel_size_warning
from .clipping import unmeasured
from .denoised_scan import (
    DenoisedScan,
    NewArray,
    NotFiniteError,
    array_in_memory,
    output_image,
)
from .device import autocast_precision, choose_device
from .inference import apply_network
from .job_run import JobRun
from .map_choice import MAP_CHOICES, NO_MAPS, need_noise_models
from .noise_maps import apply_with_noise_maps
from .plan import JobPlan, PartSeconds, job_stages, plan_job, resolve_orientations
from .progress import ProgressCallback
from .scan_domain import domain_warnings
from .settings import DenoisingSettings
from .trial_timing import time_parts

METAL_FROM_HU = 6000.0
"""HU above which a slice has metal or bright padding. Noise lifts dense bone above 3071 HU, but not
this far."""
METAL_LIMIT_HU = 2000.0
"""Limit in HU of slices with metal. At a limit of 3071 HU its edge is steeper than any that the
networks were trained on, and spoils tissue beside it."""
DOMAIN_SLICES = 4
"""Number of slices that are compared with the training, and whose noise is measured."""
_DEFAULT_SETTINGS = DenoisingSettings()
_UNKNOWN_DOMAIN: Mapping[str, Sequence[float]] = MappingProxyType({})


class DenoisingJob:
    """A scan, the networks and the settings of a job. :meth:`run` denoises the scan.

    Parameters
    ----------
    hu : LDCT, (slices, rows, columns), HU; it is not changed. Slices may be unrelated. May be a
        :class:`.SliceFile`, which loads only some slices into memory.
    denoiser : network f from normalised slices to normalised slices.
    noise_models : networks N_1 to N_M from normalised slices to noise maps; needed for
        maps and if the settings' noise source is ``models``.
    settings : settings of the job. The attribute :attr:`settings` has a number of orientations,
        see :func:`.resolve_orientations`.
    pixel_mm : side of a pixel, for noise from the simulator; None if it is unknown.
    maps : one of :data:`.MAP_CHOICES`, the noise maps to return.
    preview_slice : the slice that previews show and that is denoised first, see
        :meth:`show_slice`. None takes the one with the most organ tissue.
    domain : ranges of the scans that the denoiser was trained on, see :class:`.Manifest`; they only
        matter for the warnings.

    Raises
    ------
    BadInputError
        If ``hu`` is not a stack of slices or lacks the preview's, or if noise models are needed
        and there are none.

    Examples
    --------
    >>> job = DenoisingJob(hu, denoiser, noise_models, pixel_mm=0.7)
    >>> denoised = job.run().hu
    """

    def __init__(
        self,
        hu: np.ndarray,
        denoiser: nn.Module,
        noise_models: Sequence[nn.Module],
        settings: DenoisingSettings = _DEFAULT_SETTINGS,
        *,
        pixel_mm: float | None = None,
        maps: str = NO_MAPS,
        preview_slice: int | None = None,
        domain: Mapping[str, Sequence[float]] = _UNKNOWN_DOMAIN,
    ):
        if hu.ndim != 3 or not hu.size:
            raise BadInputError(
                f"An array of shape {hu.shape} is not a scan: give (slices, rows, columns)."
            )
        if hu.dtype.kind == "f":
            for part in hu:
                check_finite(part, "The scan")
        if maps not in MAP_CHOICES:
            raise BadInputError(f"Unknown maps '{maps}': choose {' or '.join(MAP_CHOICES)}.")
        if not len(noise_models) and need_noise_models(maps, settings):
            raise BadInputError(
                "Noise maps and tuning on them need noise models and there are none: train some "
                "with 'pseudoct pretrain', or choose the noise_source simulator and no maps."
            )
        self.hu = hu
        self._unchanged: dict[int, np.ndarray] = {}
        self.settings = resolve_orientations(settings, hu.shape)
        self.pixel_mm = pixel_mm
        self.maps = maps
        self.domain = domain
        self.device = choose_device(settings.device)
        self.precision = autocast_precision(settings.precision, self.device)
        self.denoiser = self._place(denoiser)
        self.noise_models = [self._place(model) for model in noise_models]
        if preview_slice is None:
            preview_slice = most_informative_slice(hu)
        self.show_slice(preview_slice)
        self.tuning_slices = evenly_spaced_slices(hu, settings.tuning_slices)

    @cached_property
    def warnings(self) -> list[str]:
        """Doubts about the scan: no CT in HU, unusual pixels, metal, or unlike the training."""
        no_ct, pixels = ct_warning(self.hu), None
        simulates = self.settings.tunes and self.settings.noise_source == "simulator"
        if self.pixel_mm:
            pixels = pixel_size_warning(self.pixel_mm, simulates=simulates)
        doubts = [doubt for doubt in (no_ct, pixels, _metal_warning(self.hu)) if doubt]
        if no_ct or pixels:  # the figures would repeat it
            return doubts
        sample = np.stack([self.hu[index] for index in self.domain_slices])
        return doubts + domain_warnings(sample, self.pixel_mm, self.domain, simulates=simulates)

    @cached_property
    def domain_slices(self) -> list[int]:
        """Indices of the slices that are compared with the training."""
        return evenly_spaced_slices(self.hu, DOMAIN_SLICES)

    @property
    def preview_slice(self) -> int:
        """The slice that previews show."""
        return self._preview_slice

    def show_slice(self, index: int) -> None:
        """Choose the slice that previews show, even while the job runs.

        Raises
        ------
        BadInputError
            If the scan has no such slice.
        """
        if index not in range(len(self.hu)):
            raise BadInputError(
                f"The scan has no slice {index} to preview: choose one of the slices 0 to "
                f"{len(self.hu) - 1}."
            )
        self._preview_slice = index

    def reduce_batch(self) -> None:
        """Divide the batch of later runs by four, at least to 1, so that they need less memory."""
        self.settings = replace(self.settings, batch=max(1, self.settings.batch // 4))

    @cached_property
    def have_one_trunk(self) -> bool:
        """True if denoiser and noise models differ in their last layers only, before a tuning."""
        return have_one_trunk([self.denoiser, *self.noise_models])

    @property
    def maps_while_denoising(self) -> bool:
        """True if the noise maps come from the passes of the denoiser, whose trunk they share."""
        return self.maps != NO_MAPS and self.settings.keeps_trunk and self.have_one_trunk

    @property
    def separate_maps(self) -> bool:
        """True if the noise maps of all slices are a stage of their own."""
        return self.maps != NO_MAPS and not self.maps_while_denoising

    @property
    def stages(self) -> list[str]:
        """The stages that run, in their order."""
        return job_stages(self.settings, self.separate_maps)

    def first_preview(self) -> np.ndarray:
        """Return the preview slice by the pre-trained network: (rows, columns) int16 HU."""
        return self.preview(self.denoiser, self.preview_slice)

    def preview(self, network: nn.Module, index: int) -> np.ndarray:
        """Return a slice in one orientation and without bias correction, int16 HU."""
        image = output_image(self.apply(network, self.normalised([index]), orientations=1))
        return np.where(self.unchanged(index), self.hu[index], image)

    def estimate(self) -> JobPlan:
        """Return the expected duration of the job, from trials of its parts."""
        return plan_job(self.settings, len(self.hu), self.separate_maps, self.part_seconds())

    def part_seconds(self) -> PartSeconds:
        """Return the seconds of the job's parts, measured by trial; 0 for parts it lacks."""
        return time_parts(
            self.denoiser,
            self.noise_models,
            self.normalised([self.preview_slice]),
            self.settings,
            self.precision,
            with_noise=need_noise_models(self.maps, self.settings),
        )

    def run(
        self,
        plan: JobPlan | None = None,
        *,
        progress: ProgressCallback = lambda report: None,
        preview_seconds: float = math.inf,
        new_array: NewArray = array_in_memory,
    ) -> DenoisedScan:
        """Denoise the scan.

        Parameters
        ----------
        plan : result of :meth:`estimate`, if it was called; otherwise it is called.
        progress : called often. An exception that it raises ends the run.
        preview_seconds : smallest interval between two previews at full strength. Infinite for no
            previews, since each costs a forward pass of a slice.
        new_array : makes an int16 array of a name and shape for each result: "denoised", "noise",
            and "noise_0" and so on for the maps of the noise models. May make :class:`.SliceFile`s.

        Raises
        ------
        NotFiniteError
            If the output of the pre-trained network is not finite.
        """
        run = JobRun(self, plan or self.estimate(), progress, preview_seconds, new_array)
        return run.denoise()

    def run_at_once(self) -> DenoisedScan:
        """Run without the trials of :meth:`estimate`, for callers that show no remaining time."""
        return self.run(JobPlan(dict.fromkeys(self.stages, 1.0)))

    def normalised(self, indices: Sequence[int]) -> torch.Tensor:
        """Return slices of the scan, normalised, (N, rows, columns), on the device.

        They are limited to the range that the networks were trained on, see :func:`_upper_limit`.
        Padding above :data:`METAL_FROM_HU` is air.
        """
        return self._normalised([self.hu[index] for index in indices])

    def normalised_for_tuning(self, indices: Sequence[int]) -> torch.Tensor:
        """Return :meth:`normalised` slices in which padding that looks like tissue is air.

        Such padding has no noise, which would be underestimated.
        """
        slices = (self.hu[index] for index in indices)
        return self._normalised([np.where(surrounding_padding(hu), MIN_CT_HU, hu) for hu in slices])

    def unchanged(self, index: int) -> np.ndarray:
        """Return True where a slice comes back as it was, (rows, columns) of bool.

        This is its padding, and metal above :func:`_upper_limit`.
        """
        shape = self.hu.shape[1:]
        if index not in self._unchanged:  # one bit for a pixel, as it is needed again
            hu = self.hu[index]
            metal = hu > _upper_limit(_without_bright_padding(hu))
            self._unchanged[index] = np.packbits(unmeasured(hu) | metal)
        found = np.unpackbits(self._unchanged[index], count=math.prod(shape))
        return found.view(bool).reshape(shape)

    def apply(
        self, network: nn.Module, slices: torch.Tensor, orientations: int | None = None
    ) -> torch.Tensor:
        """Return a network's output in the job's precision, by default in all its orientations.

        Raises
        ------
        NotFiniteError
            If a number is not finite.
        """
        orientations = orientations or self.settings.orientations
        return _finite(
            apply_network(network, slices, orientations=orientations, precision=self.precision)
        )

    def apply_with_noise_maps(
        self, network: nn.Module, slices: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what :meth:`apply` does, and the maps of noise models that share the trunk."""
        output, maps = apply_with_noise_maps(
            network,
            self.noise_models,
            slices,
            orientations=self.settings.orientations,
            precision=self.precision,
        )
        return _finite(output), _finite(maps)

    def _normalised(self, slices: Sequence[np.ndarray]) -> torch.Tensor:
        slices = map(_without_bright_padding, slices)
        limited = [hu.clip(MIN_CT_HU, _upper_limit(hu)) for hu in slices]
        values = torch.from_numpy(np.stack(limited).astype(np.float32))
        return normalise(values).to(self.device.torch)

    def _place(self, network: nn.Module) -> nn.Module:
        return network.to(self.device.torch, memory_format=torch.channels_last).eval()


def _finite(images: torch.Tensor) -> torch.Tensor:
    if not images.isfinite().all():
        raise NotFiniteError
    return images


def _metal_warning(hu: np.ndarray) -> str | None:
    """Return a warning if slices show metal, otherwise None."""
    count = sum(_without_bright_padding(part).max() > METAL_FROM_HU for part in hu)
    if not count:
        return None
    return (
        f"{count} of {len(hu)} slices show metal above {METAL_FROM_HU:g} HU, which the network was "
        f"not trained on. In these slices it sees at most {METAL_LIMIT_HU:g} HU and values above "
        "come back as they were. Streaks of metal remain."
    )


def _without_bright_padding(hu: np.ndarray) -> np.ndarray:
    """Return a slice, (rows, columns) HU, in which padding above the level of metal is air."""
    padding = padding_above(hu, METAL_FROM_HU)
    return np.where(padding, hu.dtype.type(MIN_CT_HU), hu) if padding.any() else hu


def _upper_limit(hu: np.ndarray) -> float:
    """Return the limit in HU of what the networks see of a slice, (rows, columns)."""
    return MAX_CT_HU if hu.max() <= METAL_FROM_HU else METAL_LIMIT_HU
