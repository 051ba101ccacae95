"""What a denoiser must reach, and what it may not cost; each goal is met or missed."""

from __future__ import annotations

from dataclasses import dataclass

from .quality_figures import QualityFigures

NOISE_REDUCTION = 45.0
"""In %: what denoisers sold for scanners of all makes claim."""
TTF50_RATIOS = {"high": 0.98, "middle": 0.98, "low": 0.95}
F_AV_SHIFT_PER_CM = 0.3
BIAS_HU = 0.5
AUC_LOSS = 0.02


@dataclass(frozen=True)
class Goal:
    """One figure and its limit: at least so much, or at most.

    ``detail`` says where the worst of several figures was found, or the interval of a figure.
    """

    name: str
    value: float
    limit: float
    unit: str
    at_least: bool
    detail: str = ""

    @property
    def met(self) -> bool:
        """A figure that could not be measured (NaN) does not meet its goal."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def goals(ldct: QualityFigures, denoised: QualityFigures) -> list[Goal]:
    """Every goal at one strength; ``ldct`` are the figures at strength 0 of the same scans."""
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
    return f"{value:+.{decimals}f}".replace("-", "−")
