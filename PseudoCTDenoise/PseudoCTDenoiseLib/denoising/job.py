"""The main job: from a low-dose scan to a denoised one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..ct.hounsfield import MIN_CT_HU, RANGE_HU, normalise, to_hu, to_int16
from ..ct.slice_selection import most_informative_slice, spread_slices
from ..ct.strength import apply_strength
from ..errors import BadInputError
from ..models.networks import late_layers, trainable_copy
from .bias_correction import DensityAnchor, density_anchor
from .device import ComputeDevice, autocast_precision, choose_device, precision_name
from .fine_tuning import TuningRecord, fine_tune
from .inference import apply_network
from .losses import image_loss
from .noise_maps import ensemble, predict_noise_maps
from .plan import (
    DENOISING,
    MAPS,
    NOISE,
    TUNING,
    PartSeconds,
    plan_job,
    seconds_of_targets,
    settled,
)
from .progress import JobClock, Progress, ProgressCallback
from .settings import DenoisingSettings


@dataclass(frozen=True)
class DenoisedScan:
    """The result of a job.

    All arrays are (slices, rows, columns) int16 HU, as the job's ``new_array`` made them. The
    three that describe the noise are None unless they were asked for: ``noise`` is the ensemble's
    map, ``noise_maps`` has one map for each noise model, ``pseudo_ldct`` is the scan denoised at
    full strength with the ensemble's noise. ``tunings`` are the one of the scan, or those of every
    slice; ``seconds`` those of every stage.
    """

    hu: np.ndarray
    settings: DenoisingSettings
    device: ComputeDevice
    precision: str
    tunings: list[TuningRecord]
    seconds: dict[str, float]
    noise: np.ndarray | None = None
    noise_maps: list[np.ndarray] | None = None
    pseudo_ldct: np.ndarray | None = None

    @property
    def losses(self) -> list[float]:
        """The loss of every step, of all tunings one after the other."""
        return [loss for one in self.tunings for loss in one.losses]


def _in_memory(name: str, shape: tuple[int, int, int]) -> np.ndarray:
    return np.empty(shape, np.int16)


@dataclass
class DenoisingJob:
    """A scan, the networks and the settings of a job; :meth:`run` does it.

    Parameters
    ----------
    hu : LDCT, (slices, rows, columns), HU; left as it is. Slices may be unrelated. May be a
        :class:`.SliceFile`, of which only some slices come into memory.
    denoiser : network f from normalised slices to normalised slices.
    noise_models : networks N_1 to N_M from normalised slices to noise maps; needed for noise maps
        and where the settings' noise source or teacher takes them.
    settings : what is done; the job's own are :func:`.settled`.
    want_noise : return the noise of every slice as well.
    progress : called often; what it raises ends the job.
    preview_seconds : a report carries a preview, at full strength, where the last one is so old;
        infinite for none, since each costs a pass over a slice.
    preview_slice : the slice that previews show and that is denoised first; may be changed while
        the job runs. None takes the one with the most organ tissue.
    pixel_mm : side of a pixel, which the simulator's noise is drawn for; None if it is not known.
    new_array : makes an int16 array of a name and shape for each result: "denoised", and with the
        noise "noise", "pseudo_ldct" and "noise_0" and so on. May make :class:`.SliceFile`s.

    Raises
    ------
    BadInputError
        If ``hu`` is no stack of slices or lacks the preview's, noise models are needed and none
        are given, or late layers are to be tuned and the denoiser names none;
        by :meth:`run`, if the tuning diverged.
    """

    hu: np.ndarray
    denoiser: nn.Module
    noise_models: Sequence[nn.Module]
    settings: DenoisingSettings = DenoisingSettings()
    want_noise: bool = False
    progress: ProgressCallback = lambda report: None
    preview_seconds: float = math.inf
    preview_slice: int | None = None
    pixel_mm: float | None = None
    new_array: Callable[[str, tuple[int, int, int]], np.ndarray] = _in_memory

    def __post_init__(self):
        if self.hu.ndim != 3 or not self.hu.size:
            raise BadInputError(
                f"An array of shape {self.hu.shape} is no scan: give (slices, rows, columns)."
            )
        if not len(self.noise_models) and (self.settings.needs_noise_models or self.want_noise):
            raise BadInputError(
                "Noise maps and tuning on them need noise models and there are none: train some "
                "with 'pseudoct pretrain', or do without."
            )
        self.settings = settled(self.settings, self.hu.shape)
        if self.settings.tunes and self.settings.tuned_layers == "late":
            late_layers(self.denoiser)  # refused before anything is computed
        self.device = choose_device(self.settings.device)
        self.precision = autocast_precision(self.settings.precision, self.device)
        self.denoiser = self._place(self.denoiser)
        self.noise_models = [self._place(model) for model in self.noise_models]
        if self.preview_slice is None:
            self.preview_slice = most_informative_slice(self.hu)
        elif self.preview_slice not in range(len(self.hu)):
            raise BadInputError(
                f"There is no slice {self.preview_slice} to preview: the scan has slices 0 to "
                f"{len(self.hu) - 1}."
            )
        self._share_of_first_targets = 0.0
        self._tuning_slices = spread_slices(self.hu, self.settings.tuning_slices)

    @property
    def stages(self) -> list[str]:
        """The stages that run, in their order."""
        wanted = {
            NOISE: self.settings.needs_noise_models,
            TUNING: self.settings.tunes,
            DENOISING: True,
            MAPS: self.want_noise,
        }
        return [stage for stage, runs in wanted.items() if runs]

    def first_preview(self) -> np.ndarray:
        """The slice to preview by the network as it is, at once: (rows, columns) int16 HU."""
        return self._draft(self.denoiser, self.preview_slice)

    def estimate(self) -> dict[str, float]:
        """Expected seconds of every stage."""
        settings, seconds = self.settings, self.part_seconds()
        plan = plan_job(settings, len(self.hu), self.want_noise, seconds)
        if settings.tunes:
            targets = seconds_of_targets(settings, len(self.hu), seconds)
            self._share_of_first_targets = targets / plan[TUNING]
        return plan

    def part_seconds(self) -> PartSeconds:
        """Seconds of the parts that the job is made of, each done for trial; 0 for what is not."""
        settings = self.settings
        one = self.normalised([self.preview_slice])
        once = self._time(lambda: self._apply(self.denoiser, one, orientations=1))
        update = noise = 0.0
        tuning_slice = once
        if settings.tunes:
            update = self._seconds_per_update()
            if self.precision != torch.float32:
                tuning_slice = self._time(lambda: apply_network(self.denoiser, one))
        if settings.needs_noise_models or self.want_noise:
            maps = self.noise_models, one, self.precision
            noise = self._time(lambda: predict_noise_maps(*maps))
        return PartSeconds(once, update, noise, tuning_slice)

    def run(self, plan: dict[str, float] | None = None) -> DenoisedScan:
        """Do the job; ``plan`` is what :meth:`estimate` returned, if it was called."""
        self._clock = JobClock(plan or self.estimate())
        self._next_preview = time.monotonic() if math.isfinite(self.preview_seconds) else math.inf
        torch.manual_seed(self.settings.seed)
        # All at once: where there is no space for them this is better known now than at the end.
        self._denoised = denoised = self.new_array("denoised", self.hu.shape)
        noise = self._noise_arrays() if self.want_noise else {}
        self._finished: set[int] = set()
        self._shown: int | None = None
        network = self.denoiser
        by_slice = self.settings.tuning == "slice" and self.settings.tunes
        tunings: dict[int, TuningRecord] = {}
        if self.settings.tunes and not by_slice:
            network, tunings[0] = self._tune(self._tuning_slices)
        anchor = None if by_slice else self._anchor(network, self._tuning_slices)
        for turn, index in enumerate(self._order()):
            if by_slice:
                network, tunings[index] = self._tune([index], turn, len(self.hu))
                anchor = self._anchor(network, [index])
            scan = self.hu[index]
            image = self._image(self._apply(network, self._normalise(scan[None])), anchor)
            denoised[index] = np.where(scan < MIN_CT_HU, scan, image)
            self._finished.add(index)
            self._report(DENOISING, turn + 1, len(self.hu))
        if self.want_noise:
            self._fill_noise(denoised, **noise)
        if self.settings.strength < 100:
            apply_strength(self.hu, denoised, self.settings.strength, out=denoised)
        return DenoisedScan(
            denoised,
            self.settings,
            self.device,
            precision_name(self.precision),
            [tunings[index] for index in sorted(tunings)],
            dict(self._clock.seconds),
            **noise,
        )

    def run_at_once(self) -> DenoisedScan:
        """:meth:`run` without the trials of :meth:`estimate`, where no time left is shown."""
        return self.run(dict.fromkeys(self.stages, 1.0))

    def normalised(self, indices) -> torch.Tensor:
        """Slices of the scan as the networks see them, (N, rows, columns), on the device."""
        return self._normalise(np.stack([self.hu[index] for index in indices]))

    def _normalise(self, hu: np.ndarray) -> torch.Tensor:
        values = np.maximum(hu.astype(np.float32), MIN_CT_HU)
        return normalise(torch.from_numpy(values)).to(self.device.torch)

    def _tune(
        self, indices: Sequence[int], turn: int = 0, turns: int = 1
    ) -> tuple[nn.Module, TuningRecord]:
        """A network tuned on some slices, and how; the ``turn``-th tuning of ``turns``."""
        settings = self.settings
        slices = self.normalised(indices)
        maps = []
        for number in range(len(indices) if self.settings.needs_noise_models else 0):
            one = slices[number : number + 1]
            maps.append(predict_noise_maps(self.noise_models, one))
            self._report(NOISE, number + 1, len(indices), (turn, turns))

        def report(step: int, loss: float, student: nn.Module) -> None:
            # Tuned on another slice alone, the student says nothing of the one to preview.
            speaks = settings.tuning == "scan" or self.preview_slice in indices
            tuned = student if speaks else None
            self._report(TUNING, step, settings.steps, (turn, turns), loss, tuned)

        self._report(TUNING, 0, settings.steps, (turn, turns))
        tuned = fine_tune(
            self.denoiser,
            slices,
            torch.cat(maps, dim=1) if maps else slices.new_empty(0, *slices.shape),
            settings,
            pixel_mm=self.pixel_mm,
            progress=report,
        )
        self._clock.update(TUNING, (turn + 1) / turns)  # patience may have ended it early
        return tuned.student, tuned.record

    def _anchor(self, network: nn.Module, indices: Sequence[int]) -> DensityAnchor | None:
        if self.settings.anchor is None:
            return None

        def denoise(one: torch.Tensor) -> torch.Tensor:
            self._report(DENOISING, len(self._finished), len(self.hu))
            return self._apply(network, one, orientations=1)

        return density_anchor(self.normalised(indices), denoise)

    def _order(self) -> Iterator[int]:
        """Every slice once: that of the preview as soon as it is asked for, else from the first."""
        waiting = dict.fromkeys(range(len(self.hu)))
        while waiting:
            index = self.preview_slice if self.preview_slice in waiting else next(iter(waiting))
            del waiting[index]
            yield index

    def _noise_arrays(self) -> dict:
        names = [f"noise_{k}" for k in range(len(self.noise_models))]
        return {
            "noise": self.new_array("noise", self.hu.shape),
            "noise_maps": [self.new_array(name, self.hu.shape) for name in names],
            "pseudo_ldct": self.new_array("pseudo_ldct", self.hu.shape),
        }

    def _fill_noise(self, denoised, noise, noise_maps: list, pseudo_ldct) -> None:
        """Estimate the noise of every slice; the arrays are those of :class:`DenoisedScan`."""
        generator = torch.Generator(self.device.name).manual_seed(self.settings.seed)
        for index in range(len(self.hu)):
            scan = self.hu[index]
            padding = scan < MIN_CT_HU
            slices = self._normalise(scan[None])
            maps = predict_noise_maps(self.noise_models, slices, self.precision) * RANGE_HU
            maps = maps.masked_fill(torch.from_numpy(padding).to(maps.device), 0)
            mixed = ensemble(maps, self.settings.ensemble, generator)
            for out, values in zip([*noise_maps, noise], [*maps, mixed], strict=True):
                out[index] = to_int16(values[0].cpu().numpy())
            noisy = np.maximum(denoised[index] + mixed[0].cpu().numpy(), MIN_CT_HU)
            pseudo_ldct[index] = np.where(padding, scan, to_int16(noisy))
            self._report(MAPS, index + 1, len(self.hu))

    def _report(
        self,
        stage: str,
        step: int,
        total: int,
        turn: tuple[int, int] = (0, 1),
        loss: float | None = None,
        student: nn.Module | None = None,
    ) -> None:
        done = step / total
        if stage == TUNING and step:  # before its first step the pseudo-NDCT was made
            done = self._share_of_first_targets + (1 - self._share_of_first_targets) * done
        left = self._clock.update(stage, (turn[0] + done) / turn[1])
        index = self.preview_slice
        image = None
        if time.monotonic() >= self._next_preview:
            image = self._preview(index, student)
        if image is not None:
            self._next_preview = time.monotonic() + self.preview_seconds
        shown = None if image is None else index
        self.progress(Progress(stage, step, total, left, loss, image, shown))

    def _preview(self, index: int, student: nn.Module | None) -> np.ndarray | None:
        """A slice as it is known by now; None where that was shown, or nothing is known."""
        if index in self._finished:
            new = index != self._shown
            self._shown = index
            return self._denoised[index].copy() if new else None
        if student is None:
            return None
        image = self._draft(student.eval(), index)
        student.train()
        return image

    def _draft(self, network: nn.Module, index: int) -> np.ndarray:
        """A slice in one orientation and without anchor, int16 HU."""
        return self._image(self._apply(network, self.normalised([index]), orientations=1))

    def _seconds_per_update(self) -> float:
        settings = self.settings
        size = min(settings.patch_size, *self.hu.shape[-2:])
        student = trainable_copy(self.denoiser, settings.tuned_layers)
        optimizer = torch.optim.Adam(student.parameters())
        patches = torch.rand(settings.batch, 1, size, size, device=self.device.torch)

        def update() -> None:
            loss = image_loss(settings.loss, student(patches), patches)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

        update()  # torch's first takes seconds to load
        return self._time(update)

    def _time(self, work) -> float:
        seconds = []
        for _ in range(2):
            started = time.perf_counter()
            work()
            if self.device.name == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
        return min(seconds)

    def _apply(self, network, slices, orientations: int | None = None) -> torch.Tensor:
        orientations = orientations or self.settings.orientations
        return apply_network(network, slices, orientations=orientations, precision=self.precision)

    def _place(self, network: nn.Module) -> nn.Module:
        return network.to(self.device.torch, memory_format=torch.channels_last).eval()

    def _image(self, output: torch.Tensor, anchor: DensityAnchor | None = None) -> np.ndarray:
        """One slice of a network's output as int16 HU."""
        hu = to_hu(output)
        if anchor is not None:
            hu = anchor.apply(hu)
        if not hu.isfinite().all():
            raise BadInputError(
                "The network gave no finite numbers: if it was tuned choose a smaller "
                "learning_rate, otherwise precision float32."
            )
        return to_int16(hu[0].clamp(min=MIN_CT_HU).cpu().numpy())
