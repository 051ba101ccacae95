"""Pre-training of a denoiser (LDCT to NDCT) or of a noise model (LDCT to its noise).

The random generator of each step is seeded with the seed and the step number, and a checkpoint
holds weights, Adam moments and schedule. A resumed run therefore gives the same weights, bit for
bit, as an uninterrupted one.
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
from PseudoCTDenoiseLib.denoising.losses import image_loss
from PseudoCTDenoiseLib.denoising.moving_average import averaged, moving_average
from PseudoCTDenoiseLib.denoising.patches import Augmentation
from PseudoCTDenoiseLib.denoising.settings import LOSSES, PRECISIONS
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.catalog import DENOISER, NOISE_MODEL
from PseudoCTDenoiseLib.models.networks import build_network
from PseudoCTDenoiseLib.temporary_files import replace_file
from torch import nn
from torch.nn import functional as F

from .settings_comparison import enabled_settings
from .step_patches import Step, StepPatches, check_workers, draw_steps, reuse_steps
from .supervision import N2C, SUPERVISIONS, supervise
from .training_domain import TrainingDomain
from .training_pairs import NoisySlice, draw_patches

SCHEDULES = ("plateau", "cosine", "decay")
CONSTANT_SHARE = 0.8
"""Share of the steps at the full learning rate, with the schedule "decay"."""
LEAST_NOISE_HU = 4.0
"""Lower limit of the standard deviation by which ``balance`` divides a patch."""


@dataclass(frozen=True)
class PretrainingSettings:
    """Settings of one pre-training run.

    Attributes
    ----------
    supervision : training target of a denoiser, see :func:`.supervise`. A noise model always
        learns from pairs.
    gaussian_hu : standard deviation of the Gaussian noise of ``n2n-gaussian``.
    reuse : number of steps per drawn batch, see :func:`.reuse_steps`; None draws a new batch for
        every step.
    balance : divide the error of every patch by the standard deviation of LDCT − target, at least
        4 HU, so that low-noise and high-noise patches have equal weight in the loss.
    schedule : "plateau" is the paper's ReduceLROnPlateau (factor 0.5) on the validation loss,
        "cosine" decays the learning rate to zero over ``steps``, and "decay" keeps it for
        :data:`CONSTANT_SHARE` of the steps and then lowers it linearly to zero (Hägele et al.,
        NeurIPS 2024, arXiv:2405.18392).
    gradient_limit : maximum norm of the gradient. Without it, one unusual patch can undo
        thousands of steps. None does not clip.
    moving_average : decay of the exponential moving average of the weights, which is then
        validated and saved; None uses the weights themselves.
    last_layers_only : True trains the last layers of a U-Net and keeps the trunk of the start,
        so that both networks can run as one, see :func:`.have_one_trunk`.
    domain : ranges of the simulated noise; None uses the noise of the pairs.
    validate_every : steps between validations.
    precision : number format of all layers after the first.
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
    last_layers_only: bool | None = None
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
            ("schedule", self.schedule, SCHEDULES),
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
            raise BadInputError(f"balance needs pairs, not {self.supervision}.")
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
"""Settings of the default denoiser on a CPU; a GPU uses larger batches."""

PAPER_PRETRAINING = PretrainingSettings(
    architecture="RedCnn",
    parameters={"channels": 96},
    batch=16,
    patch_size=64,
    learning_rate=1e-4,
    schedule="plateau",
    balance=False,
    domain=None,
    augmentation=Augmentation(rotations=False, rescale=(0.5, 2.0)),
    validate_every=250,
    precision="auto",
)
"""The paper's settings: arXiv 2104.02326, section 3. It does not give the number of steps."""


class Pretraining:
    """Training run that can be interrupted and resumed.

    Parameters
    ----------
    slices : training slices.
    validation : name → (LDCT, NDCT) normalised patches, (count, 1, rows, columns) each. The mean
        of their losses drives the schedule and selects the weights to save.
    checkpoint : ``.npz`` file to resume from and to write to.
    start : pre-trained network of the same architecture; a new run starts from its weights.
    data : description of the training data for JSON; a checkpoint of other data is rejected.
    workers : number of processes that draw patches, see :func:`.draw_steps`.
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
        if settings.last_layers_only and start is None:
            raise BadInputError("last_layers_only needs a starting network, whose trunk it keeps.")
        network = build_network(settings.architecture, settings.parameters)
        if start is not None:
            network.load_state_dict(start.state_dict())
        if settings.last_layers_only:
            trained = network.last_layers()
            for name, weight in network.named_parameters():
                weight.requires_grad_(name in trained)
        self.network = network.to(device, memory_format=torch.channels_last)
        self.average = moving_average(self.network, settings.moving_average)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        self.schedule = self._new_schedule()
        self.step = 0
        self.curve: list[dict[str, float]] = []
        self.best: dict[str, np.ndarray] = {}
        self.seconds = 0.0
        self._recent_loss = 0.0
        if self.checkpoint.is_file():
            self._resume()

    def _new_schedule(self) -> torch.optim.lr_scheduler.LRScheduler:
        steps, schedulers = self.settings.steps, torch.optim.lr_scheduler
        if self.settings.schedule == "cosine":
            return schedulers.CosineAnnealingLR(self.optimizer, steps)
        if self.settings.schedule == "decay":
            left = (1 - CONSTANT_SHARE) * steps
            return schedulers.LambdaLR(self.optimizer, lambda step: min(1.0, (steps - step) / left))
        return schedulers.ReduceLROnPlateau(
            self.optimizer, factor=0.5, patience=self.settings.patience
        )

    @property
    def result(self) -> nn.Module:
        """Network to validate and save: the average of the weights, if there is one."""
        return averaged(self.network, self.average)

    @property
    def done(self) -> bool:
        return self.step >= self.settings.steps

    def run(
        self,
        minutes: float = float("inf"),
        progress: Callable[[int, int, dict | None], None] = lambda step, steps, row: None,
    ) -> None:
        """Train to the last step or for ``minutes``, then write the checkpoint.

        After every step, ``progress`` receives the step, the number of steps, and the new row of
        the validation curve or None.
        """
        started = time.monotonic()
        before = self.seconds
        drawn = self._drawn_steps()
        while not self.done and time.monotonic() - started < 60 * minutes:
            self._train_step(next(drawn))
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
        """Return the network with the weights of the lowest validation loss, on the CPU."""
        network = build_network(self.settings.architecture, self.settings.parameters)
        state = self.best or {k: v.cpu().numpy() for k, v in self.result.state_dict().items()}
        network.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
        return network.eval()

    def best_row(self) -> dict[str, float]:
        """Return the row of the validation curve with the lowest validation loss."""
        return min(self.curve, key=lambda row: row["validation_loss"], default={})

    def _train_step(self, drawn: Step) -> None:
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
        if settings.schedule != "plateau":
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
        """Return the loss of one batch."""
        settings = self.settings
        batch = supervise(settings.supervision, ldct, ndct, generator, settings.gaussian_hu)
        images = batch.input.to(self.device)
        output = self._output(network, images)
        target = batch.target.to(self.device)
        if settings.role == NOISE_MODEL:
            target = images - target
        if settings.balance:
            noise_hu = (ldct - ndct).std(dim=(1, 2, 3), keepdim=True) * RANGE_HU
            scale = noise_hu.clamp(min=LEAST_NOISE_HU).to(self.device)
            output, target = output / scale, target / scale
        if batch.mask is not None:
            mask = batch.mask.to(self.device)
            output, target = output[mask], target[mask]
        return image_loss(settings.loss, output, target)

    def _output(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        full = self._precision == torch.float32
        with torch.autocast(images.device.type, self._precision, enabled=not full):
            return network(images).float()

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
            generator = torch.Generator().manual_seed(0)  # hides the same pixels every time
            for low, normal in zip(ldct.split(4), ndct.split(4), strict=True):
                output = self._output(network, low.to(self.device)).cpu()
                clean = low - output if self.settings.role == NOISE_MODEL else output
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
        """Write the checkpoint, and the validation curve as a CSV file next to it."""
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
                f"{self.checkpoint} is not a checkpoint of this program. Remove it to start again."
            ) from error
        current = json.loads(json.dumps({"settings": asdict(self.settings), "data": self.data}))
        for name, value in current.items():
            if enabled_settings(status.get(name, {})) != enabled_settings(value):
                raise BadInputError(
                    f"{self.checkpoint} was made with other {name}. Remove it to start again."
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
        # "auto" measures which format is faster; a resumed run keeps the first choice.
        self._precision = getattr(torch, status["precision"])
        self.step, self.seconds = status["step"], status["seconds"]
        self.curve, self._recent_loss = status["curve"], status["recent_loss"]


def validation_patches(
    slices: Sequence[NoisySlice], count: int, size: int, domain: TrainingDomain
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw fixed validation patches without flips and rotations; see :func:`.draw_patches`."""
    still = Augmentation(flips=False, rotations=False)
    return draw_patches(slices, count, size, np.random.default_rng(1), domain, still)
