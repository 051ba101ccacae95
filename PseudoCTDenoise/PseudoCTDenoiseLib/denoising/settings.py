"""All settings of one denoising job, checked where they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..errors import BadInputError

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")

_CHOICES = {
    "method": ("pseudo-ct", "pretrained"),
    "teacher": ("network", "orientations", "average", "scan"),
    "noise_source": ("models", "both", "residual", "simulator"),
    "noise_sign": ("as-is", "mirrored", "random"),
    "ensemble": ("pixel", "region"),
    "loss": ("mse", "l1"),
    "tuning": ("scan", "slice"),
    "tuned_layers": ("late",),
    "anchor": ("density",),
    "device": DEVICES,
    "precision": PRECISIONS,
}
_LEAST = {
    "steps": 0,
    "patience": 1,
    "update_period": 1,
    "patch_size": 1,
    "batch": 1,
    "tuning_slices": 1,
    "seed": 0,
}
_OR_NONE = ("patience", "update_period", "anchor", "tuned_layers")
_ORIENTATIONS = (1, 3, 8)


@dataclass(frozen=True)
class DenoisingSettings:
    """What is done to a scan; equal settings give an equal result on the same machine.

    Parameters
    ----------
    method : ``pseudo-ct`` tunes the network on the scan, ``pretrained`` applies it as it is.
    teacher : what makes the pseudo-NDCT. ``network`` is the paper's f(X); ``orientations`` is the
        mean of f over eight flips and quarter turns; ``average`` is the mean of that and
        X − mean Z; ``scan`` is X itself with a share of the noise that is added to it, see
        :func:`.target_share`, where X ends at −1024 HU as dark as a scan at normal dose.
    noise_source : which noise makes the pseudo-LDCT: the maps of the noise ``models`` (the
        paper), the scan's own ``residual`` X − Ỹ, the ensemble of ``both``, or noise that the
        ``simulator`` draws at the scan's own kernel and level.
    noise_sign : how the noise maps Z = X − NDCT are added back: as they are, negated, or either
        at random for each patch.
    ensemble : draw the noise model for each ``pixel`` (the paper) or for smooth ``region``s.
    steps : largest number of updates; none are done where the simulator's noise shows that the
        scan is as good as clean, see :data:`.WORTH_TUNING_HU`.
    patience : stop so many steps after the lowest risk that was estimated on the scan, or the
        latest one within :data:`.RISK_TOLERANCE` of it, and go back to that step; without the
        simulator's noise, after the lowest loss, averaged over 20 steps. None runs all steps.
    update_period : C, steps between two copies of the student to the teacher; None never copies.
    moving_average : share that the average of the student's weights keeps at each step, 0.99 for
        example. The teacher is then a copy of that average, and the average is the result. None
        for no average (the paper).
    learning_rate, loss, patch_size, batch : of an update; patch_size in pixels.
    flips, rescale : random flips, and the range of a random zoom of both images; None for none.
    tuning : ``scan`` tunes once on ``tuning_slices`` slices spread over the scan, ``slice`` anew
        on each slice (the paper, read literally).
    tuned_layers : ``late`` tunes the network's second half alone; None tunes all.
    anchor : ``density`` keeps the scan's means of lung, fat, soft tissue and bone, see
        :mod:`.density_anchor`; None leaves the network's output as it is (the paper).
    orientations : 1, or 3 or 8 to average the result over so many flips and quarter turns. None
        takes 8 for a short scan and 3 for a long one, see :func:`.settled`.
    strength : 0 to 100 %; 0 returns the input, 100 the network's output.
    seed : of all random choices.
    precision : number format in which networks are applied to the scan; ``auto`` takes bfloat16
        where the device is faster with it. Tuning is in float32 everywhere, which NVIDIA's
        convolutions round to TF32.

    Raises
    ------
    BadInputError
        If a value is out of range.
    """

    method: str = "pseudo-ct"
    teacher: str = "scan"
    noise_source: str = "simulator"
    noise_sign: str = "random"
    ensemble: str = "pixel"
    steps: int = 120
    patience: int | None = 40
    update_period: int | None = None
    moving_average: float | None = 0.97
    learning_rate: float = 4e-4
    loss: str = "mse"
    patch_size: int = 64
    batch: int = 8
    flips: bool = True
    rescale: tuple[float, float] | None = None
    tuning: str = "scan"
    tuning_slices: int = 8
    tuned_layers: str | None = None
    anchor: str | None = "density"
    orientations: int | None = None
    strength: float = 100.0
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"

    def __post_init__(self):
        for name, known in _CHOICES.items():
            if getattr(self, name) is None and name in _OR_NONE:
                continue
            if getattr(self, name) not in known:
                raise BadInputError(
                    f"Unknown {name} '{getattr(self, name)}': choose {' or '.join(known)}."
                )
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None and name in _OR_NONE:
                continue
            if type(value) is not int or not least <= value < 2**63:
                none = " or none" if name in _OR_NONE else ""
                raise BadInputError(
                    f"{name} must be a whole number from {least}{none}, not {value!r}."
                )
        number = self.orientations
        if number is not None and (type(number) is not int or number not in _ORIENTATIONS):
            raise BadInputError(f"orientations must be 1, 3, 8 or none, not {number!r}.")
        if self.teacher == "scan" and self.noise_source != "simulator":
            # Any other noise is the scan's own, by which it could not be told from its target.
            raise BadInputError(
                "The teacher 'scan' needs noise that is not the scan's own: choose the "
                "noise_source simulator, or another teacher."
            )
        if type(self.flips) is not bool:
            raise BadInputError(f"flips must be true or false, not {self.flips!r}.")
        if not _is_number(self.learning_rate) or not 0 < self.learning_rate < float("inf"):
            raise BadInputError(f"learning_rate must be positive, not {self.learning_rate!r}.")
        if self.moving_average is not None and (
            not _is_number(self.moving_average) or not 0 < self.moving_average < 1
        ):
            raise BadInputError(
                f"moving_average must be none or lie between 0 and 1, not {self.moving_average!r}."
            )
        if not _is_number(self.strength) or not 0 <= self.strength <= 100:
            raise BadInputError(f"strength must lie between 0 and 100 %, not {self.strength!r}.")
        if self.rescale is not None:
            # JSON knows no tuples.
            factors = tuple(self.rescale) if isinstance(self.rescale, list) else self.rescale
            if not _is_range(factors):
                raise BadInputError(
                    "rescale must be none or two factors, the smaller first, above 0 and at most "
                    f"8, not {self.rescale!r}."
                )
            object.__setattr__(self, "rescale", factors)

    @property
    def tunes(self) -> bool:
        """Whether the network is tuned at all."""
        return self.method == "pseudo-ct" and self.steps > 0

    @property
    def needs_noise_models(self) -> bool:
        """Whether the tuning uses what the noise models say."""
        return self.tunes and (self.noise_source in ("models", "both") or self.teacher == "average")

    def as_dict(self) -> dict:
        """Plain values by name, for JSON; ``DenoisingSettings(**values)`` takes them back."""
        return asdict(self)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_range(factors: object) -> bool:
    return (
        isinstance(factors, tuple)
        and len(factors) == 2
        and all(_is_number(factor) for factor in factors)
        and 0 < factors[0] <= factors[1] <= 8
    )
