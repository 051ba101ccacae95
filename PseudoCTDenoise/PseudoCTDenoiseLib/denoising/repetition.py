"""Repetition of a job from its report, and its comparison with the old result.

This file does not import torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..errors import BadInputError
from .settings import PRECISIONS, DenoisingSettings, settings_from_values

_PROGRAMS = {"pseudoctdenoise": "PseudoCTDenoise"}
_DEVICE = {
    "name": "device",
    "processor": "processor",
    "threads": "number of threads",
    "precision": "precision",
}
"""Entry of a report's device → its name in words."""


def repeat_settings(report: dict) -> DenoisingSettings:
    """Return the settings that repeat a job.

    The automatic choices of device and precision depend on the machine and on measured times, so
    those of the report replace them. A GPU may be missing, so it is chosen automatically.

    Parameters
    ----------
    report : of :func:`.report.job_report`; settings and device are used.

    Raises
    ------
    BadInputError
        If settings are missing, one is unknown or out of range, or this version cannot repeat the
        job.
    """
    values, device = report.get("settings"), report.get("device")
    if not isinstance(values, dict) or not isinstance(device, dict):
        raise BadInputError(
            "The settings or the device of the job were not recorded, so it cannot be repeated. "
            "Denoise the scan with settings of your choice."
        )
    corrected = report.get("slices_with_neighbours")  # of reports of earlier versions
    if corrected:
        raise BadInputError(
            "Neighbouring slices corrected this result, which this version does not do, so it "
            "cannot be repeated. Denoise the scan again."
        )
    if corrected == 0:
        values = {name: value for name, value in values.items() if name != "neighbours"}
    settings = settings_from_values(values)
    precision = device.get("precision")
    return replace(
        settings,
        device="cpu" if device.get("name") == "cpu" else "auto",
        precision=precision if precision in PRECISIONS else settings.precision,
    )


def differences(before: dict, after: dict) -> list[str]:
    """Return in words what differs between the reports of two jobs and may change the result.

    Entries that one of the reports lacks are omitted.
    """
    return _in_words(_compared(before, after))


def model_differences(before: dict, after: dict) -> list[str]:
    """Return those of the :func:`differences` that are models."""
    return _in_words(_compared_models(before, after))


def _in_words(compared: Iterable[tuple[str, object, object]]) -> list[str]:
    return [
        f"{name} {old} → {new}"
        for name, old, new in compared
        if old != new and None not in (old, new)
    ]


def _compared(before: dict, after: dict) -> Iterator[tuple[str, object, object]]:
    for program, version in after["versions"].items():
        name = _PROGRAMS.get(program, program)
        yield name, _entry(before, "versions", program), version
    for key, name in _DEVICE.items():
        yield name, _entry(before, "device", key), _entry(after, "device", key)
    yield from _compared_models(before, after)
    yield "geometry of the input", _geometry(before), _geometry(after)
    for name, value in after["settings"].items():
        if name not in ("device", "precision"):  # those of the device are what was used
            yield name, _entry(before, "settings", name), value


def _compared_models(before: dict, after: dict) -> Iterator[tuple[str, object, object]]:
    settings = after["settings"]
    yield "model", _model(before.get("model")), _model(after.get("model"))
    # Otherwise noise models make maps and do not change the denoised scan.
    if settings_from_values(settings).needs_noise_models:
        yield "noise models", _noise_models(before), _noise_models(after)


def _entry(report: dict, part: str, name: str) -> object:
    values = report.get(part)
    return values.get(name) if isinstance(values, dict) else None


def _model(entry: object) -> str | None:
    if not isinstance(entry, dict) or entry.get("sha256") is None:
        return None
    return f"{entry.get('name')} ({str(entry['sha256'])[:8]})"


def _noise_models(report: dict) -> str | None:
    entries = report.get("noise_models")
    names = [_model(entry) for entry in entries] if isinstance(entries, list) else []
    return ", ".join(names) if names and None not in names else None


def _geometry(report: dict) -> str | None:
    value = _entry(report, "input_hash", "geometry")
    return None if value is None else str(value)[:8]


def compare_images(before: np.ndarray, after: np.ndarray) -> str:
    """Return the difference of two images of the same shape in words; empty if they are equal.

    Parameters
    ----------
    before, after : HU, of any shape.
    """
    if before.shape != after.shape:
        return "their sizes differ"
    largest, squares, changed = 0.0, 0.0, 0
    for old, new in zip(before, after, strict=True):  # slice by slice: scans are large
        change = np.abs(new.astype(np.float64) - old)
        largest = max(largest, float(change.max(initial=0.0)))
        squares += float((change**2).sum())
        changed += int(np.count_nonzero(change))
    if not changed:
        return ""
    rms = (squares / before.size) ** 0.5
    share = 100 * changed / before.size
    return f"up to {largest:.4g} HU, {rms:.3g} HU RMS, in {share:.2g} % of the voxels"


def outcome(difference: str, reasons: list[str]) -> str:
    """Return the result of a repetition in one sentence or two.

    Parameters
    ----------
    difference : from :func:`compare_images`.
    reasons : from :func:`differences`.
    """
    if difference:
        text = f"The new result differs from the old one: {difference}."
    else:
        text = "The new result equals the old one in every voxel."
    if reasons:
        return f"{text} Changed since then: {'; '.join(reasons)}."
    if difference:
        return f"{text} Nothing that the report records has changed."
    return text
