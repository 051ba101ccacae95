"""Goals for a denoiser: a minimum noise reduction, and limits on the loss of image quality."""

from __future__ import annotations

from dataclasses import dataclass

from PseudoCTDenoiseLib.number_text import with_minus_sign

from .quality_metrics import QualityMetrics

NOISE_REDUCTION = 45.0
"""Minimum noise reduction in %, which vendors of scanner-independent denoisers advertise."""
TTF50_RATIOS = {"high": 0.98, "middle": 0.98, "low": 0.95}
"""Minimum TTF50 by contrast, relative to the noise-free phantom (no unit)."""
F_AV_SHIFT_PER_CM = 0.3
"""Maximum shift of the noise's mean spatial frequency relative to the LDCT, in 1/cm."""
BIAS_HU = 0.5
"""Maximum absolute HU bias in every tissue."""
AUC_LOSS = 0.02
"""Maximum decrease of a disc's AUC (no unit, 0.5 is chance) relative to the LDCT."""


@dataclass(frozen=True)
class Goal:
    """A metric and its lower or upper limit.

    ``detail`` states the signed value, its interval, or the case with the worst value.
    """

    name: str
    value: float
    limit: float
    unit: str
    at_least: bool
    detail: str = ""

    @property
    def met(self) -> bool:
        """True if the value is within the limit; False for NaN, a metric that was not measured."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def goals(ldct: QualityMetrics, denoised: QualityMetrics) -> list[Goal]:
    """Return all goals at one strength; ``ldct`` contains the metrics at strength 0."""
    biases = denoised.hu_bias
    worst = max(denoised.discs, key=lambda disc: -disc.change)
    return [
        Goal("Noise reduction", denoised.noise_reduction, NOISE_REDUCTION, "%", True),
        *(
            Goal(f"TTF50 kept, {name} contrast", denoised.ttf50_ratio[name], limit, "", True)
            for name, limit in TTF50_RATIOS.items()
        ),
        Goal(
            "Shift of f_av",
            abs(denoised.f_av_per_cm - ldct.f_av_per_cm),
            F_AV_SHIFT_PER_CM,
            "1/cm",
            False,
            f"from {ldct.f_av_per_cm:.2f} to {denoised.f_av_per_cm:.2f}",
        ),
        *(
            Goal(f"HU bias, {tissue}", abs(value), BIAS_HU, "HU", False, _signed(value, 2))
            for tissue, value in biases.items()
        ),
        Goal(
            "AUC lost, worst disc",
            max(0.0, -worst.change),
            AUC_LOSS,
            "",
            False,
            f"{worst.diameter_mm:g} mm at {worst.contrast_hu:g} HU: {_signed(worst.change)}, 95 % "
            f"interval from {_signed(worst.lowest)} to {_signed(worst.highest)}",
        ),
    ]


def _signed(value: float, decimals: int = 3) -> str:
    return with_minus_sign(f"{value:+.{decimals}f}")
