"""One run of a denoising job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ..ct.hounsfield import to_int16
from ..ct.removed_structure import RemovedStructure, removed_structure
from ..ct.strength import apply_strength
from ..errors import is_out_of_memory
from .bias_correction import DensityBiasCorrection, measure_density_bias
from .denoised_scan import (
    DenoisedScan,
    NewArray,
    NotFiniteError,
    divergence_warning,
    output_image,
)
from .device import precision_name
from .fine_tuning import TuningRecord, fine_tune, tuning_warning
from .map_choice import ALL_MAPS, NO_MAPS
from .noise_maps import ensemble, predict_noise_maps, whole_noise_hu
from .plan import DENOISING, MAPS, NOISE, TUNING, JobPlan
from .progress import JobClock, Progress, ProgressCallback
from .scan_domain import little_removed_warning

if TYPE_CHECKING:
    from .job import DenoisingJob


class JobRun:
    """State of one run of a job: its clock, its arrays, and the slices that are finished.

    Parameters are those of :meth:`.DenoisingJob.run`.
    """

    def __init__(
        self,
        job: DenoisingJob,
        plan: JobPlan,
        progress: ProgressCallback,
        preview_seconds: float,
        new_array: NewArray,
    ):
        self._job = job
        self._settings = job.settings
        self._count = len(job.hu)
        self._first_targets_share = plan.first_targets_share
        # All arrays now: a full disk is better noticed before the computation than after it.
        self._denoised = new_array("denoised", job.hu.shape)
        self._noise = _noise_arrays(job, new_array) if job.maps != NO_MAPS else {}
        self._finished: set[int] = set()
        self._structures: dict[int, RemovedStructure | None] = {}
        self._check_failed = ""
        self._shown: int | None = None  # the finished slice that the last preview showed
        self._reporter = _Reporter(job, JobClock(plan.seconds), progress, preview_seconds)

    def denoise(self) -> DenoisedScan:
        """Denoise all slices, and describe their noise if the job wants it."""
        job, settings = self._job, self._settings
        if settings.tunes and settings.tuning == "slice":
            tunings = self._denoise_slice_by_slice()
        else:
            tunings = self._denoise_scan()
        if job.separate_maps:
            self._predict_noise()
        little_removed = self._little_removed()
        if settings.strength < 100:
            apply_strength(job.hu, self._denoised, settings.strength, out=self._denoised)
        return DenoisedScan(
            self._denoised,
            settings,
            job.device,
            precision_name(job.precision),
            tunings,
            dict(self._reporter.clock.seconds),
            warnings=[
                *job.warnings,
                *self._reporter.warnings,
                *self._doubts(tunings),
                *filter(None, [little_removed, divergence_warning(tunings)]),
            ],
            structures=[self._structures.get(index) for index in range(self._count)],
            **self._noise,
        )

    def _denoise_scan(self) -> list[TuningRecord]:
        """Denoise all slices with one network."""
        network, tunings = self._job.denoiser, []
        if self._settings.tunes:
            network, record = self._tune(self._job.tuning_slices)
            tunings.append(self._unless_diverged(self._denoise_all, network, record))
        else:
            self._denoise_all(network)
        return tunings

    def _denoise_all(self, network: nn.Module) -> None:
        self._finished.clear()
        correction = self._bias_correction(network, self._job.tuning_slices)
        for index in self._order():
            self._denoise_slice(network, index, correction)

    def _denoise_slice_by_slice(self) -> list[TuningRecord]:
        """Denoise each slice with a network that is tuned on it."""
        tunings: dict[int, TuningRecord] = {}
        for turn, index in enumerate(self._order()):
            network, record = self._tune([index], turn, self._count)

            def denoise(network: nn.Module, index: int = index) -> None:
                tuned = network is not self._job.denoiser
                measured = [index] if tuned else self._job.tuning_slices
                self._denoise_slice(network, index, self._bias_correction(network, measured))

            tunings[index] = self._unless_diverged(denoise, network, record)
        return [tunings[index] for index in sorted(tunings)]

    def _unless_diverged(
        self, denoise: Callable[[nn.Module], None], network: nn.Module, record: TuningRecord
    ) -> TuningRecord:
        """Call ``denoise`` with the tuned network, or with the pre-trained one after divergence.

        Return the record of the tuning, also marked as diverged if only the output shows it.
        """
        if not record.diverged:
            try:
                denoise(network)
                return record
            except NotFiniteError:
                record = replace(record, diverged=True)
        self._report(
            DENOISING, len(self._finished), self._count, warning=divergence_warning([record])
        )
        denoise(self._job.denoiser)
        return record

    def _denoise_slice(
        self, network: nn.Module, index: int, correction: DensityBiasCorrection | None
    ) -> None:
        job, unchanged = self._job, self._job.unchanged(index)
        slices = job.normalised([index])
        if job.maps_while_denoising:
            output, maps = job.apply_with_noise_maps(network, slices)
            self._keep_noise(index, maps, unchanged)
        else:
            output = job.apply(network, slices)
        image = output_image(output, correction)
        denoised = np.where(unchanged, job.hu[index], image)
        self._denoised[index] = denoised
        self._judge(index, job.hu[index], denoised, unchanged)
        self._finished.add(index)
        self._report(DENOISING, len(self._finished), self._count)

    def _judge(
        self, index: int, scan: np.ndarray, denoised: np.ndarray, unchanged: np.ndarray
    ) -> None:
        """Check the removed noise of a slice. An error here must not cost the result."""
        try:
            self._structures[index] = removed_structure(scan, denoised, unchanged)
        except Exception as error:
            self._check_failed = f"The removed noise could not be checked ({error!r})."

    def _little_removed(self) -> str | None:
        """Return a warning if little noise was removed at full strength, otherwise None.

        A model that does not state the range of its training gets no warning about the scan.
        """
        if not self._job.domain:
            return None
        few = self._job.domain_slices
        scans = self._job.hu, self._denoised
        return little_removed_warning(*(np.stack([scan[n] for n in few]) for scan in scans))

    def _doubts(self, tunings: Sequence[TuningRecord]) -> list[str]:
        """Return the doubts that arose during the run."""
        return [doubt for doubt in (self._check_failed, tuning_warning(tunings)) if doubt]

    def _tune(
        self, indices: Sequence[int], turn: int = 0, turns: int = 1
    ) -> tuple[nn.Module, TuningRecord]:
        """Return a network tuned on some slices, and its record; tuning ``turn`` of ``turns``."""
        job, settings = self._job, self._settings
        slices = job.normalised_for_tuning(indices)
        maps = self._tuning_noise_maps(slices, turn, turns)

        def report(step: int, student: nn.Module) -> None:
            # A student that is tuned on a single other slice does not apply to the preview's.
            applies = settings.tuning == "scan" or job.preview_slice in indices
            tuned = student if applies else None
            self._report(TUNING, step, settings.steps, (turn, turns), tuned)

        self._report(TUNING, 0, settings.steps, (turn, turns))
        tuned = fine_tune(
            job.denoiser, slices, maps, settings, pixel_mm=job.pixel_mm, progress=report
        )
        # The tuning may have stopped early.
        self._reporter.clock.update(TUNING, (turn + 1) / turns)
        return tuned.student, tuned.record

    def _tuning_noise_maps(self, slices: torch.Tensor, turn: int, turns: int) -> torch.Tensor:
        """Return the noise models' maps, (M, N, rows, columns); M is 0 if none are needed."""
        if not self._settings.needs_noise_models:
            return slices.new_empty(0, *slices.shape)
        maps = []
        for number, image in enumerate(slices.split(1), start=1):
            maps.append(predict_noise_maps(self._job.noise_models, image))
            self._report(NOISE, number, len(slices), (turn, turns))
        return torch.cat(maps, dim=1)

    def _bias_correction(
        self, network: nn.Module, indices: Sequence[int]
    ) -> DensityBiasCorrection | None:
        """Return the correction for a network, measured on some slices."""
        if self._settings.anchor is None:
            return None

        def pairs() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for image in self._job.normalised_for_tuning(indices).split(1):
                self._report(DENOISING, len(self._finished), self._count)
                yield image, self._job.apply(network, image, orientations=1)

        return measure_density_bias(pairs())

    def _order(self) -> Iterator[int]:
        """Yield every slice once, the preview's as soon as it is chosen, otherwise in order."""
        waiting = dict.fromkeys(range(self._count))
        while waiting:
            preview = self._job.preview_slice
            index = preview if preview in waiting else next(iter(waiting))
            del waiting[index]
            yield index

    def _predict_noise(self) -> None:
        """Predict the noise of every slice."""
        job = self._job
        for index in range(self._count):
            slices = job.normalised([index])
            maps = predict_noise_maps(job.noise_models, slices, job.precision)
            self._keep_noise(index, maps, job.unchanged(index))
            self._report(MAPS, index + 1, self._count)

    def _keep_noise(self, index: int, maps: torch.Tensor, unchanged: np.ndarray) -> None:
        """Fill a slice of the arrays of :class:`DenoisedScan` that describe the noise."""
        generator = torch.Generator(maps.device).manual_seed(self._settings.seed + index)
        maps = whole_noise_hu(maps)
        images = [(self._noise["noise"], ensemble(maps, generator))]
        if self._job.maps == ALL_MAPS:
            images += zip(self._noise["noise_maps"], maps, strict=True)
        for output, values in images:
            output[index] = np.where(unchanged, 0, to_int16(values[0].cpu().numpy()))

    def _report(
        self,
        stage: str,
        step: int,
        total: int,
        turn: tuple[int, int] = (0, 1),
        student: nn.Module | None = None,
        warning: str = "",
    ) -> None:
        share = step / total
        if stage == TUNING and step:  # the pseudo-NDCT was computed before the first step
            share = self._first_targets_share + (1 - self._first_targets_share) * share
        share = (turn[0] + share) / turn[1]
        self._reporter.report(
            stage, step, total, share, lambda index: self._preview(index, student), warning
        )

    def _preview(self, index: int, student: nn.Module | None) -> np.ndarray | None:
        """Return the current image of a slice; None without one or if it was shown finished."""
        if index in self._finished:
            new = index != self._shown
            self._shown = index
            return self._denoised[index].copy() if new else None
        if student is None:
            return None
        try:
            return self._job.preview(student.eval(), index)
        except NotFiniteError:  # the tuning diverges
            return None
        finally:
            student.train()


class _Reporter:
    """Reports progress to the callback, with a preview when it is due."""

    def __init__(
        self,
        job: DenoisingJob,
        clock: JobClock,
        progress: ProgressCallback,
        preview_seconds: float,
    ):
        self.clock = clock
        self.warnings: list[str] = []
        self._job, self._progress = job, progress
        self._preview_seconds = preview_seconds
        self._next_preview = time.monotonic() if np.isfinite(preview_seconds) else np.inf

    def report(
        self,
        stage: str,
        step: int,
        total: int,
        share: float,
        preview: Callable[[int], np.ndarray | None],
        warning: str,
    ) -> None:
        """Report a step; ``share`` of the stage is done, ``preview`` makes the image of a slice."""
        left = self.clock.update(stage, share)
        index = self._job.preview_slice
        image = self._image(preview, index) if time.monotonic() >= self._next_preview else None
        if image is not None:
            self._next_preview = time.monotonic() + self._preview_seconds
        shown = None if image is None else index
        self._progress(Progress(stage, step, total, left, image, shown, warning))

    def _image(self, preview: Callable[[int], np.ndarray | None], index: int) -> np.ndarray | None:
        """Return the preview of a slice; lack of memory ends the previews but not the job."""
        try:
            return preview(index)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._next_preview = np.inf
            self.warnings.append("There was not enough memory for previews, so they ended early.")
            return None


def _noise_arrays(job: DenoisingJob, new_array: NewArray) -> dict:
    arrays = {"noise": new_array("noise", job.hu.shape)}
    if job.maps == ALL_MAPS:
        names = [f"noise_{number}" for number in range(len(job.noise_models))]
        arrays["noise_maps"] = [new_array(name, job.hu.shape) for name in names]
    return arrays
