"""One-page figure of a denoiser's benefits and costs."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from PseudoCTDenoiseLib.ct.figure_panels import DERIVED_NOTICE, save

from ..phantom.quality_phantom import CONTRASTS_HU, DISC_CONTRASTS_HU, DISCS_MM
from .goals import BIAS_HU, goals
from .quality_metrics import QualityMetrics
from .quality_report import limit, number

_INK, _MET, _MISSED = "#222222", "#2e7d32", "#b3261e"
_LDCT = "#7f7f7f"
_STRENGTHS = ("#9cc3e6", "#5b9bd5", "#2e75b6", "#123f6d")
_DASHES = ("-", "--", ":")
_TEXT_PT, _TITLE_PT = 8.5, 10.5


def quality_page(
    path: str | os.PathLike,
    metrics: Sequence[QualityMetrics],
    *,
    title: str,
    subtitle: str = "",
) -> None:
    """Draw the page as PNG.

    Parameters
    ----------
    metrics : metrics by strength: first the LDCT (strength 0), last the strength that the goals
        apply to.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14.0, 9.9), dpi=130, facecolor="white")
    judged = goals(metrics[0], metrics[-1])
    missed = sum(not goal.met for goal in judged)
    figure.text(0.025, 0.968, title, fontsize=16, color=_INK, weight="bold", va="center")
    figure.text(0.025, 0.941, subtitle, fontsize=9.5, color=_INK, va="center")
    verdict = f"{missed} of {len(judged)} goals missed" if missed else "All goals met"
    figure.text(
        0.975,
        0.968,
        verdict,
        fontsize=14,
        color=_MISSED if missed else _MET,
        weight="bold",
        ha="right",
        va="center",
    )
    figure.text(0.975, 0.941, DERIVED_NOTICE, fontsize=8.5, color=_LDCT, ha="right", va="center")
    places = figure.add_gridspec(
        2,
        12,
        left=0.05,
        right=0.975,
        top=0.885,
        bottom=0.065,
        hspace=0.3,
        wspace=1.6,
        height_ratios=(1.0, 1.0),
    )
    colours = _colours(len(metrics))
    _goals(figure.add_subplot(places[0, :6]), metrics)
    _spectra(figure.add_subplot(places[0, 6:9]), metrics, colours)
    _transfer(figure.add_subplot(places[0, 9:]), metrics, colours)
    _bias(figure.add_subplot(places[1, :4]), metrics, colours)
    _areas(figure.add_subplot(places[1, 4:8]), metrics)
    _detectability(figure.add_subplot(places[1, 8:]), metrics, colours)
    save(figure, path)


def _goals(axes, metrics: Sequence[QualityMetrics]) -> None:
    """Draw all goals at every strength, green if met; the verdict applies to the last strength."""
    axes.set_axis_off()
    _title(axes, f"Goals at strength {metrics[-1].strength:g} %")
    denoised = metrics[1:]
    table = list(zip(*(goals(metrics[0], strength) for strength in denoised), strict=True))
    # The widest table has four strengths between the limit and the verdict.
    ends = np.linspace(0.52, 0.86, len(denoised)) if len(denoised) > 1 else [0.86]
    lines = len(table) + 2
    look = {"fontsize": _TEXT_PT, "va": "center", "color": _INK}
    axes.text(0.30, 1 - 0.5 / lines, "limit", **look)
    for strength, x in zip(denoised, ends, strict=True):
        axes.text(x, 1 - 0.5 / lines, f"{strength.strength:g} %", ha="right", **look)
    for place, row in enumerate(table, start=1):
        y = 1 - (place + 0.5) / lines
        axes.axhline(1 - place / lines, color="#e4e4e4", linewidth=0.6)
        axes.text(0.0, y, row[0].name, **look)
        axes.text(0.30, y, limit(row[0]), **look)
        for goal, x in zip(row, ends, strict=True):
            weight = "bold" if goal is row[-1] else "normal"
            colour = _MET if goal.met else _MISSED
            shown = number(goal, goal.value).removesuffix(f" {goal.unit}")
            axes.text(x, y, shown, ha="right", **look | {"color": colour, "weight": weight})
        word = "met" if row[-1].met else "missed"
        axes.text(0.89, y, word, **look | {"color": colour, "weight": "bold"})
    worst = table[-1][-1]
    axes.text(0.0, 0.5 / lines, f"{worst.name}: {worst.detail}", **look | {"fontsize": 7.5})
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _spectra(axes, metrics: Sequence[QualityMetrics], colours) -> None:
    _frame(axes, "Noise power spectrum", "Spatial frequency in 1/cm", "HU² mm²")
    for strength, colour in zip(metrics, colours, strict=True):
        noise = (
            f"−{strength.noise_reduction:.0f} %"
            if strength.strength
            else f"{strength.noise_hu:.1f} HU"
        )
        label = f"{_name(strength)}: {noise}, $f_{{av}}$ {strength.f_av_per_cm:.2f}"
        axes.plot(*strength.nps, color=colour, label=label)
    # Space for the legend above the highest curve.
    axes.set(xlim=(0, None), ylim=(0, 1.4 * max(strength.nps[1].max() for strength in metrics)))
    _legend(axes, place="upper right")


def _transfer(axes, metrics: Sequence[QualityMetrics], colours) -> None:
    _frame(axes, "Task transfer function", "Spatial frequency in 1/cm", "")
    before, after = metrics[0], metrics[-1]
    for name, dash in zip(CONTRASTS_HU, _DASHES, strict=True):
        axes.plot(
            *after.ttf[name],
            color=colours[-1],
            linestyle=dash,
            label=f"{name} ({CONTRASTS_HU[name]:g} HU): {after.ttf50_ratio[name]:.2f}",
        )
    axes.plot(*before.ttf["high"], color=_LDCT, label="LDCT, any: 1.00", zorder=1)
    axes.axhline(0.5, color="#bbbbbb", linewidth=0.6)
    axes.set(xlim=(0, None), ylim=(0, 1.1))
    _legend(axes, "TTF50 kept")


def _bias(axes, metrics: Sequence[QualityMetrics], colours) -> None:
    _frame(axes, "HU bias", "", "HU")
    tissues = list(metrics[0].hu_bias)
    width = 0.8 / len(metrics)
    for place, (strength, colour) in enumerate(zip(metrics, colours, strict=True)):
        x = np.arange(len(tissues)) + (place - (len(metrics) - 1) / 2) * width
        axes.bar(x, list(strength.hu_bias.values()), width, color=colour, label=_name(strength))
    for bias in (-BIAS_HU, BIAS_HU):
        axes.axhline(bias, color=_MISSED, linewidth=0.8, linestyle="--")
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.set_xticks(range(len(tissues)), tissues, fontsize=_TEXT_PT)
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.12 * (top - bottom))
    _legend(axes, place="upper left", columns=len(metrics))


def _areas(axes, metrics: Sequence[QualityMetrics]) -> None:
    """Draw the AUC of each disc at strength 0 and at the last strength, with an interval."""
    _frame(axes, "Discs: AUC of a Hotelling observer (CHO)", "", "AUC")
    x = 0.0
    ticks, names = [], []
    for contrast in DISC_CONTRASTS_HU:
        for diameter in DISCS_MM:
            old, new = (
                next(
                    disc
                    for disc in strength.discs
                    if (disc.diameter_mm, disc.contrast_hu) == (diameter, contrast)
                )
                for strength in (metrics[0], metrics[-1])
            )
            axes.plot(x - 0.14, old.auc, "o", color=_LDCT, markersize=5)
            interval = [[max(0, new.change - new.lowest)], [max(0, new.highest - new.change)]]
            axes.errorbar(x + 0.14, new.auc, interval, fmt="o", color=_STRENGTHS[-1], markersize=5)
            ticks.append(x)
            names.append(f"{diameter:g}")
            x += 1
        axes.annotate(
            f"mm, {contrast:g} HU",
            (x - 2.5, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -29),
            textcoords="offset points",
            fontsize=_TEXT_PT,
            color=_INK,
            ha="center",
        )
        x += 0.6
    axes.plot([], [], "o", color=_LDCT, label="LDCT")
    label = f"{metrics[-1].strength:g} %, with the 95 % interval of the change"
    axes.plot([], [], "o", color=_STRENGTHS[-1], label=label)
    axes.set_xticks(ticks, names, fontsize=_TEXT_PT)
    axes.set_ylim(0.48, 1.02)
    _legend(axes, place="lower right")


def _detectability(axes, metrics: Sequence[QualityMetrics], colours) -> None:
    contrast = DISC_CONTRASTS_HU[len(DISC_CONTRASTS_HU) // 2]
    _frame(axes, f"Detectability d′ (NPWE) at {contrast:g} HU", "Disc diameter in mm", "d′")
    for strength, colour in zip(metrics, colours, strict=True):
        discs = [disc for disc in strength.discs if disc.contrast_hu == contrast]
        axes.plot(
            [disc.diameter_mm for disc in discs],
            [disc.d_prime for disc in discs],
            color=colour,
            marker="o",
            markersize=4,
            label=_name(strength),
        )
    axes.set_xticks(DISCS_MM)
    axes.set_ylim(bottom=0)
    _legend(axes)


def _name(metrics: QualityMetrics) -> str:
    return f"{metrics.strength:g} %" if metrics.strength else "LDCT"


def _colours(count: int) -> list[str]:
    """Return grey for the LDCT, then shades of blue, darker for higher strengths."""
    last = len(_STRENGTHS) - 1
    steps = np.linspace(0, last, count - 1).round().astype(int) if count > 2 else [last]
    return [_LDCT, *(_STRENGTHS[step] for step in steps)]


def _frame(axes, title: str, x_label: str, y_label: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#888888")
    axes.tick_params(colors=_INK, color="#888888", labelsize=_TEXT_PT)
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(x_label, color=_INK, fontsize=_TEXT_PT)
    axes.set_ylabel(y_label, color=_INK, fontsize=_TEXT_PT)
    _title(axes, title)


def _title(axes, text: str) -> None:
    axes.set_title(text, color=_INK, fontsize=_TITLE_PT, weight="bold", loc="left", pad=10)


def _legend(axes, title: str | None = None, place: str = "best", columns: int = 1) -> None:
    axes.legend(
        ncols=columns,
        columnspacing=1.2,
        title=title,
        title_fontsize=7.5,
        frameon=False,
        fontsize=7.5,
        labelcolor=_INK,
        loc=place,
        alignment="left",
    )
