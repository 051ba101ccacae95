"""Tables of the traffic light of the removed noise."""

from __future__ import annotations

from PseudoCTDenoiseLib.denoising.removed_noise import AMBER, GREEN, NOT_JUDGED, RED
from PseudoCTDenoiseLib.markdown_table import Column, markdown

from ..results.row_groups import grouped

LIGHTS = (GREEN, AMBER, RED, NOT_JUDGED)
_RANGES = (
    Column("edge_correlation", "Correlation with edges"),
    Column("strongest_spot", "Strongest spot (σ)"),
    Column("mean_frequency_ratio", "Mean frequency over the scan's"),
    Column("low_frequency_percent", "Low frequencies (%)"),
)
_DECIMALS = {
    "edge_correlation": 2,
    "strongest_spot": 2,
    "mean_frequency_ratio": 2,
    "low_frequency_percent": 0,
    "noise_hu": 1,
}


def removed_noise_table(rows: list[dict]) -> str:
    """Tabulate the lights of every result by kernel and dose; rows of a CSV file, all texts."""
    lines, conditions = [], []
    for line, group in grouped(rows, ("result",)):
        for condition, same in grouped(group, ("kernel", "dose")):
            kernel, dose = condition.values()
            name = f"{kernel}, {float(dose):.0%}".replace("%", " %")
            conditions.append(name)
            line[name] = _lights(same)
        lines.append(line | _ranges(group))
    columns = (Column(name, name.capitalize()) for name in dict.fromkeys(conditions))
    return markdown(lines, (Column("result", "Result"), *columns, *_RANGES[:2]))


def whole_scans_table(rows: list[dict]) -> str:
    """Tabulate the lights and figures of whole scans by split and preset."""
    lines = []
    for line, group in grouped(rows, ("split", "preset")):
        line["scans"] = len(group)
        line["slices"] = sum(int(row["slices"]) for row in group)
        line |= {light: sum(row["light"] == light for row in group) for light in LIGHTS}
        lines.append(line | _ranges(group))
    columns = (
        Column("split", "Split"),
        Column("preset", "Preset"),
        Column("scans", "Scans", decimals=0),
        Column("slices", "Slices", decimals=0),
        *(Column(light, light.capitalize(), decimals=0) for light in LIGHTS),
        Column("noise_hu", "Noise (HU)"),
        *_RANGES,
    )
    return markdown(lines, columns)


def _lights(rows: list[dict]) -> str:
    """Return the numbers of green, amber and red lights, and of slices that were not judged."""
    green, amber, red, not_judged = (sum(row["light"] == light for row in rows) for light in LIGHTS)
    if not_judged == len(rows):
        return NOT_JUDGED
    return f"{green} · {amber} · {red}" + (f" ({not_judged} {NOT_JUDGED})" if not_judged else "")


def _ranges(rows: list[dict]) -> dict[str, str]:
    """Return the range of each figure, from the lowest to the highest."""
    ranges = {}
    for key, decimals in _DECIMALS.items():
        values = [float(row[key]) for row in rows if row.get(key)]
        ranges[key] = "–"
        if values:
            ranges[key] = f"{min(values):.{decimals}f} to {max(values):.{decimals}f}"
    return ranges
