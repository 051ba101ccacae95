"""Metrics of a denoiser's image quality as JSON, and the goals as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from PseudoCTDenoiseLib.markdown_table import Column, markdown

from .goals import Goal, goals
from .quality_metrics import QualityMetrics


def report(about: Mapping[str, Any], metrics: Sequence[QualityMetrics]) -> dict[str, Any]:
    """Return all metrics as values for JSON; NaN becomes null.

    Parameters
    ----------
    about : description of the measurement: model, kernel, dose, realisations, seed.
    metrics : metrics by strength: first the LDCT (strength 0), last the strength that the goals
        apply to.
    """
    return _plain(
        {
            **about,
            "goals_at_strength_percent": metrics[-1].strength,
            "goals": _goal_list(metrics[0], metrics[-1]),
            "strengths": [
                _at_strength(strength) | {"goals": _goal_list(metrics[0], strength)}
                for strength in metrics
            ],
        }
    )


def goals_table(judged: Mapping[float, Sequence[Goal]]) -> str:
    """Format the goals at each strength in percent, in ascending order, as a Markdown table."""
    highest = max(judged)
    columns = (
        Column("goal", "Goal"),
        Column("limit", "Limit"),
        *(Column(str(strength), f"{strength:g} %") for strength in judged),
        Column("detail", f"At {highest:g} %: where, or interval"),
    )
    rows = [
        {"goal": goal.name, "limit": limit(goal), "detail": goal.detail}
        | {str(strength): _verdict(goals[row]) for strength, goals in judged.items()}
        for row, goal in enumerate(judged[highest])
    ]
    return markdown(rows, columns)


def _verdict(goal: Goal) -> str:
    """Format a measured value, in bold with a cross if the goal is missed."""
    value = number(goal, goal.value)
    return value if goal.met else f"**{value} ✗**"


def number(goal: Goal, value: float) -> str:
    """Format a value in the goal's unit."""
    if goal.unit == "%":
        return f"{value:.0f} %"
    decimals = 3 if not goal.unit else 2
    return f"{value:.{decimals}f} {goal.unit}".strip()


def limit(goal: Goal) -> str:
    """Format the limit of a goal."""
    return f"{'≥' if goal.at_least else '≤'} {number(goal, goal.limit)}"


def _goal_list(ldct: QualityMetrics, denoised: QualityMetrics) -> list[dict[str, Any]]:
    return [asdict(goal) | {"met": goal.met} for goal in goals(ldct, denoised)]


def _at_strength(metrics: QualityMetrics) -> dict[str, Any]:
    frequency, power = metrics.nps
    return {
        "strength_percent": metrics.strength,
        "noise_hu": metrics.noise_hu,
        "noise_reduction_percent": metrics.noise_reduction,
        "nps": {"frequency_per_cm": frequency, "power_hu2_mm2": power},
        "f_av_per_cm": metrics.f_av_per_cm,
        "ttf": {
            name: {
                "ttf50_per_cm": metrics.ttf50_per_cm[name],
                "ttf50_ratio": metrics.ttf50_ratio[name],
                "frequency_per_cm": curve[0],
                "transfer": curve[1],
            }
            for name, curve in metrics.ttf.items()
        },
        "hu_bias": metrics.hu_bias,
        "discs": [
            {
                "diameter_mm": disc.diameter_mm,
                "contrast_hu": disc.contrast_hu,
                "cho_auc": disc.auc,
                "cho_auc_change": disc.change,
                "cho_auc_change_95": [disc.lowest, disc.highest],
                "npwe_d_prime": disc.d_prime,
            }
            for disc in metrics.discs
        ],
    }


def _plain(value: Any) -> Any:
    """Convert arrays to lists, and NaN, which JSON does not have, to None."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 6) if np.isfinite(value) else None
    return value
