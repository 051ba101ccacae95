"""All settings of one denoising job, checked where they are made."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass

from ..errors import BadInputError
from ..json_text import json_text

METHODS = ("pseudo-ct", "pretrained")
TUNINGS = ("scan", "slice")
ORIENTATION_COUNTS = (1, 3, 8)
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16")
LOSSES = ("mse", "l1")
WHOLE_NUMBER_LIMIT = 2**63
"""Number that every whole number is below, for example the seed."""

_CHOICES = {
    "method": METHODS,
    "teacher": ("network", "scan"),
    "noise_source": ("models", "simulator"),
    "noise_sign": ("as-is", "random"),
    "loss": LOSSES,
    "tuning": TUNINGS,
    "anchor": ("density",),
    "precision": PRECISIONS,
}
_MINIMUM = {
    "steps": 0,
    "patience": 1,
    "update_period": 1,
    "patch_size": 1,
    "batch": 1,
    "tuning_slices": 1,
    "seed": 0,
}
_OPTIONAL = ("patience", "update_period", "anchor")
_MAXIMUM_RATE = 1e30  # ten times it must be a float32, in which torch computes the first step
_REMOVED_SETTINGS = {"ensemble": "pixel", "neighbours": False, "tuned_layers": None}
"""Settings of earlier versions: name → the value that all jobs of this version have."""
_REMOVED_VALUES = {
    "teacher": {"orientations": "network", "average": "network"},
    "noise_source": {"both": "models", "residual": "models"},
    "noise_sign": {"mirrored": "random"},
    "precision": {"float16": "bfloat16"},
}
"""Values of earlier versions: name of the setting → removed value → value to choose instead."""


@dataclass(frozen=True)
class DenoisingSettings:
    """Settings of a job. Equal settings give an equal result on the same machine.

    Parameters
    ----------
    method : ``pseudo-ct`` tunes the network on the scan, ``pretrained`` applies it unchanged.
    teacher : source of the pseudo-NDCT. ``network`` is the network's output f(X) (the paper).
        ``scan`` is the scan X itself plus a fraction of the noise that is added to it, see
        :func:`.target_noise_fraction`, with the clipping bias at −1024 HU corrected.
    noise_source : source of the noise in the pseudo-LDCT: the maps of the noise ``models`` (the
        paper), or noise that the ``simulator`` draws with the scan's kernel, direction and level.
    noise_sign : sign with which noise Z = X − NDCT is added: ``as-is`` (the paper), or ``random``
        for each patch.
    steps : largest number of updates. None are done if the simulator finds the scan's noise
        outside :data:`.TUNING_NOISE_RANGE_HU`.
    patience : number of steps after the best step at which the tuning stops, see
        :mod:`.stopping`. With noise from the simulator it returns to that step, and the best step
        is known to 20 steps. None runs all steps.
    update_period : C, steps between two copies of the student to the teacher; None never copies.
    moving_average : decay of the exponential moving average of the student's weights, for example
        0.99. The teacher is then a copy of that average, and the average is the result. None
        disables the average (the paper).
    learning_rate, loss, patch_size, batch : of an update; patch_size in pixels.
    flips, rescale : random flips, and the range of a random zoom of both images (None: no zoom).
    tuning : ``scan`` tunes once on ``tuning_slices`` slices spread over the scan, ``slice`` tunes
        the pre-trained network on each slice separately (the paper, read literally).
    anchor : ``density`` keeps the scan's means of lung, fat, soft tissue and bone, see
        :mod:`.bias_correction`; None leaves the network's output unchanged (the paper).
    orientations : 1, or 3 or 8 to average the result over that many flips and rotations by 90°.
        None takes 8 for a short scan and 3 for a long one, see :func:`.resolve_orientations`.
    strength : 0 to 100 %; 0 returns the input, 100 the network's output.
    seed : of all random choices.
    device : name of a device, see :func:`check_device_name`.
    precision : number format of inference on the scan; ``auto`` takes bfloat16 where the device
        is faster with it. Tuning is always in float32, which NVIDIA's convolutions round to TF32.

    Raises
    ------
    BadInputError
        If a value is out of range.
    """

    method: str = "pseudo-ct"
    teacher: str = "scan"
    noise_source: str = "simulator"
    noise_sign: str = "random"
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
    anchor: str | None = "density"
    orientations: int | None = None
    strength: float = 100.0
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"

    def __post_init__(self):
        for name, known in _CHOICES.items():
            _check_choice(name, getattr(self, name), known)
        check_device_name(self.device)
        for name, minimum in _MINIMUM.items():
            _check_whole_number(name, getattr(self, name), minimum)
        number = self.orientations
        if number is not None and (type(number) is not int or number not in ORIENTATION_COUNTS):
            known = ", ".join(map(str, ORIENTATION_COUNTS))
            raise BadInputError(f"orientations must be {known} or none, not {number!r}.")
        if self.teacher == "scan" and self.noise_source != "simulator":
            # The noise models predict the scan's own noise, and the target must not depend on it.
            raise BadInputError(
                "The teacher 'scan' needs noise that is independent of the scan's own: choose the "
                "noise_source simulator, or the teacher network."
            )
        if type(self.flips) is not bool:
            raise BadInputError(f"flips must be true or false, not {self.flips!r}.")
        if not _is_number(self.learning_rate) or not 0 < self.learning_rate <= _MAXIMUM_RATE:
            raise BadInputError(
                f"learning_rate must be above 0 and at most {_MAXIMUM_RATE:g}, not "
                f"{self.learning_rate!r}."
            )
        if self.moving_average is not None and (
            not _is_number(self.moving_average) or not 0 < self.moving_average < 1
        ):
            raise BadInputError(
                f"moving_average must be none or lie between 0 and 1, not {self.moving_average!r}."
            )
        if not _is_number(self.strength) or not 0 <= self.strength <= 100:
            raise BadInputError(f"strength must lie between 0 and 100 %, not {self.strength!r}.")
        if self.rescale is not None:
            # JSON has no tuples.
            factors = tuple(self.rescale) if isinstance(self.rescale, list) else self.rescale
            if not _is_range(factors):
                raise BadInputError(
                    "rescale must be none or two factors, the smaller first, above 0 and at most "
                    f"8, not {self.rescale!r}."
                )
            object.__setattr__(self, "rescale", factors)

    @property
    def tunes(self) -> bool:
        """True if the network is tuned."""
        return self.method == "pseudo-ct" and self.steps > 0

    @property
    def needs_noise_models(self) -> bool:
        """True if the tuning uses maps of the noise models."""
        return self.tunes and self.noise_source == "models"

    @property
    def keeps_trunk(self) -> bool:
        """True if noise models may share the trunk of the network that denoises the scan.

        Tuning with the scan as target changes the trunk a little, with which the noise maps are at
        least as good. The paper's loop changes it more.
        """
        return not self.tunes or self.teacher == "scan"

    def as_dict(self) -> dict:
        """Return plain values by name, for JSON; :func:`settings_from_values` reads them."""
        return asdict(self)


def settings_from_values(values: dict) -> DenoisingSettings:
    """Return the default settings with the given values, for example those of a report.

    Parameters
    ----------
    values : values by name. A removed setting may have the value that this version always uses,
        so the reports of earlier versions can be repeated.

    Raises
    ------
    BadInputError
        If a setting is unknown or removed, or a value is out of range or removed.
    """
    known = DenoisingSettings.__dataclass_fields__
    for name in sorted(values.keys() - known):
        if name not in _REMOVED_SETTINGS:
            raise BadInputError(f"Unknown setting '{name}'. Valid settings: {', '.join(known)}.")
        if values[name] != _REMOVED_SETTINGS[name]:
            fixed = _in_words(_REMOVED_SETTINGS[name])
            raise BadInputError(
                f"The setting '{name}' no longer exists, and every job now runs with {fixed}: "
                f"remove {name} {_in_words(values[name])} from the settings."
            )
    return DenoisingSettings(**{name: values[name] for name in known if name in values})


def check_device_name(name: str) -> None:
    """Raise BadInputError if a name is neither in DEVICES nor ``cuda:`` and a GPU's index."""
    if name not in DEVICES and not re.fullmatch(r"cuda:(0|[1-9][0-9]?)", str(name)):
        raise BadInputError(
            f"Unknown device '{name}': choose {', '.join(DEVICES)}, or one of several CUDA "
            "devices by its index, such as cuda:1."
        )


def _check_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if (value is None and name in _OPTIONAL) or value in known:
        return
    removed = _REMOVED_VALUES.get(name, {})
    if isinstance(value, str) and value in removed:
        raise BadInputError(
            f"The {name} '{value}' was removed in this version: choose {removed[value]}."
        )
    raise BadInputError(f"Unknown {name} '{value}': choose {' or '.join(known)}.")


def _check_whole_number(name: str, value: object, minimum: int) -> None:
    if value is None and name in _OPTIONAL:
        return
    if type(value) is not int or not minimum <= value < WHOLE_NUMBER_LIMIT:
        none = " or none" if name in _OPTIONAL else ""
        raise BadInputError(f"{name} must be a whole number from {minimum}{none}, not {value!r}.")


def _in_words(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else json_text(value)


def _is_number(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max  # neither NaN nor a huge integer


def _is_range(factors: object) -> bool:
    return (
        isinstance(factors, tuple)
        and len(factors) == 2
        and all(_is_number(factor) for factor in factors)
        and 0 < factors[0] <= factors[1] <= 8
    )
