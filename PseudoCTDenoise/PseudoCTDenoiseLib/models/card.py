"""Model cards: pages that describe a model for its users.

Source: Mitchell et al., Model cards for model reporting, FAT* 2019, doi:10.1145/3287560.3287596.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..markdown_table import Column, markdown
from .catalog import DENOISER, NOISE_MODEL
from .networks import ARCHITECTURES
from .store import Manifest

NOT_STATED = "Not stated."
_TASKS = {
    DENOISER: ("LDCT to NDCT, slice by slice", "a CT slice in HU", "the slice denoised"),
    NOISE_MODEL: ("LDCT to its noise, slice by slice", "a CT slice in HU", "its noise"),
}
"""Role → what the model does, its input, and its output."""
_UNITS = {"db": "dB", "hu": "HU", "mm": "mm", "percent": "%"}
_NAMES = {
    "doses": "fractions of the dose",
    "sharpness": "kernels (0 is soft, 1 is sharp)",
    "rescale": "rescaled by",
    "start": "weights to start from",
    "gaussian": "Gaussian noise, where selected",
}
"""Plain names of settings."""
_SHOWN_ABOVE = ("role", "architecture", "parameters")
_CC_BY = re.compile(r"CC BY (\d\.\d)")


def model_card(manifest: Manifest, weights: int) -> str:
    """Return the card in Markdown; ``weights`` is the number of weights of the network."""
    task, image, output = _TASKS[manifest.role]
    offset, scale = (manifest.normalisation[key] for key in ("offset_hu", "range_hu"))
    network = inspect.getdoc(ARCHITECTURES[manifest.architecture]).partition("\n\n")[0]
    sections = {
        "What it is": _list(
            f"A {manifest.role}: {task}.",
            f"Network: `{manifest.architecture}`"
            + (f" with {_settings_line(manifest.parameters)}" if manifest.parameters else "")
            + f", {weights:,} weights. {' '.join(network.split())}",
            f"Input: {image}, of any size, seen as (HU + {offset:g}) / {scale:g}.",
            f"Output: {output}, in HU.",
            *(
                [f"Goes with the noise models {', '.join(map(_code, manifest.noise_models))}."]
                if manifest.noise_models
                else []
            ),
            f"SHA-256 of the weights: `{manifest.sha256}`",
        ),
        "Range of validity": _list(*manifest.validity) or NOT_STATED,
        "Known failures": _list(*manifest.known_failures) or NOT_STATED,
        "Training data": _sources(manifest.training.get("scans", ())) or NOT_STATED,
        "Training": _list(
            *([f"Steps until the weights that were kept: {manifest.steps}"] * bool(manifest.steps)),
            *_training(manifest.training),
        )
        or NOT_STATED,
        "On validation scans": _list(
            *(f"{_words(key)}: {_value(value)}" for key, value in manifest.metrics.items())
        )
        or NOT_STATED,
    }
    parts = [f"# Model card: {manifest.name}", "Research use only, not for primary diagnosis."]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def _sources(scans: Sequence[Any]) -> str:
    """Return a table of sources and licences with the patients of each."""
    patients = defaultdict(set)
    for scan in scans:
        credit = scan if isinstance(scan, Mapping) else {"patient": str(scan)}
        origin = credit.get("source") or "not stated", credit.get("licence") or "not stated"
        patients[origin].add(credit.get("patient") or "not stated")
    if not patients:
        return ""
    rows = [
        {
            "source": source,
            "licence": _CC_BY.sub(_licence_link, licence),
            "count": len(names),
            "patients": ", ".join(sorted(names)),
        }
        for (source, licence), names in sorted(patients.items())
    ]
    columns = (
        Column("source", "Source"),
        Column("licence", "Licence"),
        Column("count", "Number"),
        Column("patients", "Patients, as named there"),
    )
    total = len(set().union(*patients.values()))
    return (
        f"{total} patient{'s' if total > 1 else ''}. The images are their contributors', used "
        "under the licences named to train the weights; no image is in the model.\n\n"
        + markdown(rows, columns).strip()
    )


def _training(training: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each training setting except the scans."""
    settings = training.get("settings", {})
    rest = {key: value for key, value in training.items() if key not in ("scans", "settings")}
    said = {key: value for key, value in settings.items() if key not in _SHOWN_ABOVE}
    for key, value in (rest | said).items():
        if isinstance(value, Mapping):
            yield f"{_words(key)}: {_settings_line(value)}"
        else:
            yield f"{_words(key)}: {_value(value)}"


def _settings_line(settings: Mapping[str, Any]) -> str:
    return "; ".join(f"{_words(key, first=False)} {_value(v)}" for key, v in settings.items())


def _words(key: str, *, first: bool = True) -> str:
    """Return the name of a setting as words, with its unit in brackets."""
    parts = key.split("_")
    unit = f" ({_UNITS[parts.pop()]})" if len(parts) > 1 and parts[-1] in _UNITS else ""
    text = _NAMES.get("_".join(parts), " ".join(parts))
    return (text[:1].upper() + text[1:] if first else text) + unit


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return f"({_settings_line(value)})"
    if isinstance(value, (list, tuple)):
        between = " to " if len(value) == 2 and isinstance(value[0], float) else ", "
        return between.join(map(_value, value))
    return str(value)


def _list(*lines: str) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _code(name: str) -> str:
    return f"`{name}`"


def _licence_link(found: re.Match) -> str:
    return f"[{found[0]}](https://creativecommons.org/licenses/by/{found[1]}/)"
