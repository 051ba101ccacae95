"""HTML page of a cohort with metrics, outliers, failed scans and thumbnails, in one file.

The page loads nothing and runs no script: its policy allows only its own styles and images.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from ..ct.io.derived_note import NOTICE
from ..duration import duration
from ..exit_codes import SUCCESSES
from ..number_text import with_minus_sign
from .outliers import METRICS
from .scan_task import SCANS, THUMBNAIL

FILE = "cohort.html"
MOST_THUMBNAILS = 200
"""Number of thumbnails on a page, about 60 kB each; outliers come first."""
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
h1, h2 { line-height: 1.2 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #8884 }
.number { text-align: right }
.scans { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)) }
figure { margin: 0 }
figure img { width: 100%; image-rendering: pixelated; background: #000; display: block }
figcaption, td { overflow-wrap: anywhere }
td:first-child { min-width: 14rem }
.mark { border-left: .3rem solid #d0703a; padding-left: .5rem }
.green, .amber, .red { font-weight: bold }
.green { color: #2e8b57 } .amber { color: #b8860b } .red { color: #c0392b }
.wide { overflow-x: auto }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page_text(
    folder: Path,
    outcomes: Sequence[dict],
    outliers: dict[str, list[str]],
    about: str,
) -> str:
    """Return the page.

    Parameters
    ----------
    folder : folder of the cohort, with the thumbnails.
    about : sentence on version, model and settings.
    """
    done = [outcome for outcome in outcomes if outcome["exit"] in SUCCESSES]
    failed = [outcome for outcome in outcomes if outcome["exit"] not in SUCCESSES]
    done.sort(key=lambda outcome: outcome["name"] not in outliers)
    shown = done[:MOST_THUMBNAILS]
    counts = f"{len(done)} scans denoised, {len(failed)} set aside."
    seconds = sum(outcome.get("seconds", 0) for outcome in outcomes)
    parts = [
        f"<h1>Cohort {_text(folder.name)}</h1>",
        f"<p>{_text(counts)} {_text(duration(seconds))} of work. {_text(NOTICE)}</p>",
        f"<p>{_text(about)}</p>",
        "<h2>Metrics</h2>",
        _summary(done),
        f"<h2>Outliers ({len(outliers)})</h2>",
        _outliers(outcomes, outliers),
        f"<h2>Set aside ({len(failed)})</h2>",
        _failed(failed),
        "<h2>Images</h2>",
        "<p>Original, denoised and difference (±100 HU) of the slice with the most organ tissue. "
        f"{len(shown)} of {len(done)} scans; outliers come first.</p>",
        f'<div class="scans">{"".join(_figure(folder, o, outliers) for o in shown)}</div>',
        "<h2>All scans</h2>",
        _all_scans(outcomes),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Cohort {_text(folder.name)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _text(value: object) -> str:
    """Return a value as text in which HTML has no meaning."""
    return html.escape(str(value))


def _number(value: float | None, decimals: int = 1) -> str:
    return "–" if value is None else with_minus_sign(f"{value:.{decimals}f}")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: range) -> str:
    """Return a table of cells that are HTML; the columns ``numbers`` are aligned to the right."""

    def row(cells: Sequence[str], tag: str) -> str:
        classes = [' class="number"' if i in numbers else "" for i in range(len(cells))]
        inner = "".join(f"<{tag}{c}>{cell}</{tag}>" for c, cell in zip(classes, cells, strict=True))
        return f"<tr>{inner}</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f'<div class="wide"><table>{row(headings, "th")}{body}</table></div>'


def _summary(done: Sequence[dict]) -> str:
    rows = []
    for metric in METRICS:
        values = [outcome[metric.key] for outcome in done if outcome.get(metric.key) is not None]
        if values:
            found = [np.median(values), min(values), max(values)]
            name = _text(f"{metric.name} ({metric.unit})")
            rows.append([name, str(len(values)), *map(_number, found)])
    headings = ["", "scans", "median", "minimum", "maximum"]
    return _table(headings, rows, range(1, 5)) if rows else "<p>None.</p>"


def _outliers(outcomes: Sequence[dict], outliers: dict[str, list[str]]) -> str:
    rows = [
        [_link(outcome), _text("; ".join(outliers[outcome["name"]]))]
        for outcome in outcomes
        if outcome["name"] in outliers
    ]
    return _table(["scan", "reason"], rows, range(0)) if rows else "<p>None.</p>"


def _failed(failed: Sequence[dict]) -> str:
    rows = [
        [_text(o["name"]), str(o["exit"]), _text(o["words"]), _text(o["input"])] for o in failed
    ]
    headings = ["scan", "exit code", "words", "input"]
    return _table(headings, rows, range(1, 2)) if rows else "<p>None.</p>"


def _figure(folder: Path, outcome: dict, outliers: dict[str, list[str]]) -> str:
    name = outcome["name"]
    try:
        image = base64.b64encode((folder / SCANS / name / THUMBNAIL).read_bytes()).decode()
    except OSError:  # the user moved the result
        image = ""
    noise = f"{_number(outcome.get('noise_before_hu'))} → "
    noise += f"{_number(outcome.get('noise_after_hu'))} HU"
    mark = ' class="mark"' if name in outliers else ""
    reasons = f"<br>{_text('; '.join(outliers[name]))}" if name in outliers else ""
    return (
        f'<figure{mark}><img alt="{_text(name)}" src="data:image/png;base64,{image}">'
        f"<figcaption>{_link(outcome)} {_light(outcome)}<br>noise {noise}{reasons}</figcaption>"
        "</figure>"
    )


def _all_scans(outcomes: Sequence[dict]) -> str:
    columns: list[tuple[str, Callable[[dict], str]]] = [
        ("scan", _link),
        ("slices", lambda o: _text(o.get("slices") or "–")),
        *((f"{m.name} ({m.unit})", lambda o, key=m.key: _number(o.get(key))) for m in METRICS),
        ("seconds", lambda o: _number(o.get("seconds"), 0)),
        ("exit code", lambda o: str(o["exit"])),
        ("light", _light),
        ("words", lambda o: _text(o["words"])),
    ]
    rows = ([cell(outcome) for _, cell in columns] for outcome in outcomes)
    return _table([_text(name) for name, _ in columns], rows, range(1, 8))


def _light(outcome: dict) -> str:
    light = outcome.get("traffic_light")
    return f'<span class="{_text(light)}">{_text(light)}</span>' if light else ""


def _link(outcome: dict) -> str:
    name = outcome["name"]
    if outcome["exit"] not in SUCCESSES:
        return _text(name)
    return f'<a href="{_text(f"{SCANS}/{name}/")}">{_text(name)}</a>'
