"""Pre-training of a denoiser (LDCT to NDCT) or of a noise model (LDCT to its noise).

Patches are drawn by generators seeded by the seed and the number of their step, and a
checkpoint holds weights, moments and schedule: a run that was killed and resumed gives the same
weights, bit by bit, as one that was not.
"""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU
from PseudoCTDenoiseLib.denoising.device import (
    autocast_precision,
    choose_device,
    precision_name,
)
from PseudoCTDenoiseLib.denoising.losses import LOSSES, image_loss
from PseudoCTDenoiseLib.denoising.moving_average import averaged, moving_average
from PseudoCTDenoiseLib.denoising.patches import Augmentation
from PseudoCTDenoiseLib.denoising.settings import PRECISIONS
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.networks import build_network
from PseudoCTDenoiseLib.models.store import DENOISER, NOISE_MODEL
from PseudoCTDenoiseLib.temporary_files import replace_file
from torch import nn
from torch.nn import functional as F

from .settings_comparison import what_is_on
from .step_patches import Step, StepPatches, check_workers, draw_steps, reuse_steps
from .supervision import N2C, SUPERVISIONS, supervise
from .training_domain import TrainingDomain
from .training_pairs import NoisySlice, draw_patches

LEAST_NOISE_HU = 4.0
"""Patches with less noise than this are balanced as if they had it."""


@dataclass(frozen=True)
class PretrainingSettings:
    """One pre-training run.

    ``supervision`` is of a denoiser, see :func:`.supervise`, with Gaussian noise of
    ``gaussian_hu``; a noise model is always told the noise.
    ``balance`` divides every patch by the standard deviation of LDCT − target, at least 4 HU, so
    that patches of little noise count as much as those of much. ``schedule`` "plateau" is the
    paper's ReduceLROnPlateau (factor 0.5) on the validation loss, "cosine" lets the learning rate
    fall to zero over ``steps``.
    ``gradient_limit`` bounds the norm of a step's gradient: one patch out of the ordinary can
    otherwise undo thousands of steps. ``moving_average`` is the share that the average of the
    weights keeps at each step; the average is then what is validated and kept. None for none.
    ``reuse`` is the number of steps for each batch that is drawn, see :func:`.reuse_steps`; None
    draws a batch for every step, and keeps none.
    ``validate_every`` is in steps. ``domain`` None takes the pairs' own noise. ``precision`` is
    the number format of the layers after the first.
    """

    role: str = DENOISER
    supervision: str = N2C
    gaussian_hu: float = 0.02 * RANGE_HU
    architecture: str = "UNet"
    parameters: dict = field(default_factory=dict)
    steps: int = 20000
    batch: int = 12
    reuse: int | None = None
    patch_size: int = 96
    loss: str = "l1"
    balance: bool = True
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    patience: int = 4
    gradient_limit: float | None = None
    moving_average: float | None = None
    domain: TrainingDomain | None = TrainingDomain()
    augmentation: Augmentation = Augmentation()
    validate_every: int = 500
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self):
        for name, value, known in (
            ("role", self.role, (DENOISER, NOISE_MODEL)),
            ("supervision", self.supervision, SUPERVISIONS),
            ("precision", self.precision, PRECISIONS),
            ("loss", self.loss, LOSSES),
            ("schedule", self.schedule, ("plateau", "cosine")),
        ):
            if value not in known:
                raise BadInputError(f"Unknown {name} '{value}': choose {' or '.join(known)}.")
        for name in ("steps", "batch", "patch_size", "validate_every", "learning_rate"):
            if not getattr(self, name) > 0:
                raise BadInputError(f"{name} must be positive, not {getattr(self, name)}.")
        if self.reuse is not None and self.reuse < 1:
            raise BadInputError(f"reuse must be positive, not {self.reuse}.")
        if self.reuse is not None and self.supervision != N2C:
            raise BadInputError(f"reuse needs pairs, not {self.supervision}.")
        if self.role == NOISE_MODEL and self.supervision != N2C:
            raise BadInputError(f"A noise model learns from pairs, not by {self.supervision}.")
        if self.balance and self.supervision != N2C:
            raise BadInputError(f"balance needs the noise, which {self.supervision} is not told.")
        if self.gradient_limit is not None and not self.gradient_limit > 0:
            raise BadInputError(f"gradient_limit must be positive, not {self.gradient_limit}.")
        if self.moving_average is not None and not 0 < self.moving_average < 1:
            raise BadInputError(
                f"moving_average must lie between 0 and 1, not {self.moving_average}."
            )
        if self.seed < 0:
            raise BadInputError(f"seed must not be negative, not {self.seed}.")


FAST_PRETRAINING = PretrainingSettings(
    parameters={"widths": [24, 56, 80]},
    steps=40000,
    batch=8,
    patch_size=128,
    loss="mse",
    learning_rate=1.5e-3,
    gradient_limit=2.0,
    moving_average=0.999,
    domain=TrainingDomain(doses=(0.05, 0.95), inserts=0.5),
    validate_every=1000,
)
"""How the default denoiser is trained on a CPU; on a GPU, from more patches at a time."""


class Pretraining:
    """A training run that can be left and taken up again.

    Parameters
    ----------
    slices : what to train on.
    validation : name → (LDCT, NDCT) normalised patches, (count, 1, rows, columns) each; the mean
        of their losses steers the schedule and picks the weights that are kept.
    checkpoint : ``.npz`` file to resume from and to write to.
    start : a network of the same architecture whose weights a new run starts from.
    data : what is trained on, in words that JSON can hold; a checkpoint of other data is refused.
    workers : processes that draw patches, see :func:`.draw_steps`.
    """

    def __init__(
        self,
        settings: PretrainingSettings,
        slices: Sequence[NoisySlice],
        validation: dict[str, tuple[torch.Tensor, torch.Tensor]],
        checkpoint: Path | str,
        device: str = "cpu",
        start: nn.Module | None = None,
        data: dict | None = None,
        workers: int = 0,
    ):
        check_workers(workers)
        self.settings = settings
        self.patches = StepPatches(
            slices,
            settings.batch,
            settings.patch_size,
            settings.domain,
            settings.augmentation,
            settings.seed,
        )
        self.workers = workers
        self.data = data or {}
        self.validation = validation
        self.checkpoint = Path(checkpoint)
        self.device = device
        self._precision = autocast_precision(settings.precision, choose_device(device))
        torch.manual_seed(settings.seed)
        network = build_network(settings.architecture, settings.parameters)
        if start is not None:
            network.load_state_dict(start.state_dict())
        self.network = network.to(device, memory_format=torch.channels_last)
        self.average = moving_average(self.network, settings.moving_average)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        if settings.schedule == "cosine":
            self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
                self.optimizer, settings.steps
            )
        else:
            self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
                self.optimizer, factor=0.5, patience=settings.patience
            )
        self.step = 0
        self.curve: list[dict[str, float]] = []
        self.best: dict[str, np.ndarray] = {}
        self.seconds = 0.0
        self._recent_loss = 0.0
        if self.checkpoint.is_file():
            self._resume()

    @property
    def result(self) -> nn.Module:
        """The network that is validated and kept: the weights' average, if there is one."""
        return averaged(self.network, self.average)

    @property
    def done(self) -> bool:
        return self.step >= self.settings.steps

    def run(
        self,
        minutes: float = float("inf"),
        progress: Callable[[int, int, dict | None], None] = lambda step, steps, row: None,
    ) -> None:
        """Train until done or for some minutes, then write the checkpoint.

        ``progress`` is called after every step with the step, their number, and the newest row of
        the validation curve if there is a new one.
        """
        started = time.monotonic()
        before = self.seconds
        drawn = self._drawn_steps()
        while not self.done and time.monotonic() - started < 60 * minutes:
            self._one_step(next(drawn))
            row = None
            if self.step % self.settings.validate_every == 0 or self.done:
                self.seconds = before + time.monotonic() - started
                row = self._validate()
                self.save()
            progress(self.step, self.settings.steps, row)
        self.seconds = before + time.monotonic() - started
        self.save()

    def _drawn_steps(self) -> Iterator[Step]:
        ahead = range(self.step, self.settings.steps)
        if self.settings.reuse is None:
            return draw_steps(self.patches, ahead, self.workers)
        return reuse_steps(self.patches, ahead, self.settings.reuse, self.device, self.workers)

    def best_network(self) -> nn.Module:
        """The network with the weights of the lowest validation loss, on the CPU."""
        network = build_network(self.settings.architecture, self.settings.parameters)
        state = self.best or {k: v.cpu().numpy() for k, v in self.result.state_dict().items()}
        network.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
        return network.eval()

    def best_row(self) -> dict[str, float]:
        """The validation curve's row of those weights."""
        return min(self.curve, key=lambda row: row["validation_loss"], default={})

    def _one_step(self, drawn: Step) -> None:
        settings = self.settings
        self.network.train()
        generator = torch.Generator().manual_seed(drawn.seed)
        loss = self._loss(self.network, drawn.ldct, drawn.ndct, generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if settings.gradient_limit is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), settings.gradient_limit)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        if settings.schedule == "cosine":
            self.schedule.step()
        self.step += 1
        share = 1 / min(self.step, 100)
        self._recent_loss += share * (loss.item() - self._recent_loss)

    def _loss(
        self,
        network: nn.Module,
        ldct: torch.Tensor,
        ndct: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Loss of a batch."""
        settings = self.settings
        lesson = supervise(settings.supervision, ldct, ndct, generator, settings.gaussian_hu)
        shown = lesson.shown.to(self.device)
        output = self._output(network, shown)
        wanted = lesson.wanted.to(self.device)
        if settings.role == NOISE_MODEL:
            wanted = shown - wanted
        if settings.balance:
            noise_hu = (ldct - ndct).std(dim=(1, 2, 3), keepdim=True) * RANGE_HU
            scale = noise_hu.clamp(min=LEAST_NOISE_HU).to(self.device)
            output, wanted = output / scale, wanted / scale
        if lesson.where is not None:
            where = lesson.where.to(self.device)
            output, wanted = output[where], wanted[where]
        return image_loss(settings.loss, output, wanted)

    def _output(self, network: nn.Module, shown: torch.Tensor) -> torch.Tensor:
        wide = self._precision == torch.float32
        with torch.autocast(shown.device.type, self._precision, enabled=not wide):
            return network(shown).float()

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        network = self.result.eval()
        row = {
            "step": self.step,
            "minutes": round(self.seconds / 60, 2),
            "training_loss": self._recent_loss,
        }
        losses = []
        for name, (ldct, ndct) in self.validation.items():
            error, loss = 0.0, 0.0
            generator = torch.Generator().manual_seed(0)  # the same pixels hidden every time
            for low, normal in zip(ldct.split(4), ndct.split(4), strict=True):
                output = self._output(network, low.to(self.device)).cpu()
                clean = output if self.settings.role == DENOISER else low - output
                error += F.mse_loss(clean, normal, reduction="sum").item()
                loss += self._loss(network, low, normal, generator).item() * len(low)
            noise = F.mse_loss(ldct, ndct, reduction="sum").item()
            row[f"gain_{name}_db"] = 10 * np.log10(noise / max(error, 1e-30))
            losses.append(loss / len(ldct))
        row["validation_loss"] = float(np.mean(losses)) if losses else self._recent_loss
        row["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        if self.settings.schedule == "plateau":
            self.schedule.step(row["validation_loss"])
        if row["validation_loss"] < min((r["validation_loss"] for r in self.curve), default=1e9):
            self.best = {
                key: value.detach().cpu().numpy().copy()
                for key, value in network.state_dict().items()
            }
        self.curve.append({key: float(value) for key, value in row.items()})
        return self.curve[-1]

    def save(self) -> None:
        """Write the checkpoint, and the validation curve as CSV beside it."""
        arrays = {f"best/{key}": value for key, value in self.best.items()}
        for name, parameter in self.network.state_dict().items():
            arrays[f"weights/{name}"] = parameter.cpu().numpy()
        if self.average is not None:
            for name, parameter in self.result.state_dict().items():
                arrays[f"average/{name}"] = parameter.cpu().numpy()
        for index, moments in self.optimizer.state_dict()["state"].items():
            for name, value in moments.items():
                arrays[f"adam/{index}/{name}"] = value.cpu().numpy()
        schedule = {
            key: value
            for key, value in self.schedule.state_dict().items()
            if isinstance(value, (int, float, list, str, bool))
        }
        status = {
            "settings": asdict(self.settings),
            "data": self.data,
            "precision": precision_name(self._precision),
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
            "recent_loss": self._recent_loss,
            "schedule": schedule,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }
        arrays["status"] = np.array(json.dumps(status))
        content = io.BytesIO()
        np.savez(content, **arrays)
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self.checkpoint, content.getvalue())
        if self.curve:
            table = io.StringIO()
            writer = csv.DictWriter(table, self.curve[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.curve)
            replace_file(self.checkpoint.with_suffix(".csv"), table.getvalue().encode())

    def _resume(self) -> None:
        try:
            with np.load(self.checkpoint, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file}
            status = json.loads(str(arrays.pop("status")))
        except (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
            raise BadInputError(
                f"{self.checkpoint} is not a checkpoint of this program; remove it to start anew."
            ) from error
        mine = json.loads(json.dumps({"settings": asdict(self.settings), "data": self.data}))
        for what, value in mine.items():
            if what_is_on(status.get(what, {})) != what_is_on(value):
                raise BadInputError(
                    f"{self.checkpoint} was made with other {what}; remove it to start anew."
                )
        adam: dict[int, dict] = {}
        weights: dict[str, dict] = {"weights": {}, "average": {}}
        for key, value in arrays.items():
            group, _, name = key.partition("/")
            if group in weights:
                weights[group][name] = torch.from_numpy(value)
            elif group == "best":
                self.best[name] = value
            else:
                index, _, moment = name.partition("/")
                adam.setdefault(int(index), {})[moment] = torch.from_numpy(value)
        self.network.load_state_dict(weights["weights"])
        if self.average is not None:
            self.average.module.load_state_dict(weights["average"])
            self.average.n_averaged += status["step"]
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": adam})
        self.schedule.load_state_dict({**self.schedule.state_dict(), **status["schedule"]})
        self.optimizer.param_groups[0]["lr"] = status["learning_rate"]
        # Which format is the faster one was measured once: a resumed run keeps to it.
        self._precision = getattr(torch, status["precision"])
        self.step, self.seconds = status["step"], status["seconds"]
        self.curve, self._recent_loss = status["curve"], status["recent_loss"]


def validation_patches(
    slices: Sequence[NoisySlice], count: int, size: int, domain: TrainingDomain
) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches that stay the same, unturned; see :func:`.draw_patches`."""
    still = Augmentation(flips=False, rotations=False)
    return draw_patches(slices, count, size, np.random.default_rng(1), domain, still)
