"""Provenance of a result: attributes and node references of its volume, and a table.

The node of the denoised volume holds all of it, so a saved scene keeps it together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import slicer

from ..denoising.removed_noise import doubtful_slice, removed_noise_sentence
from ..json_text import json_text
from .sequence_item import itemOf
from .table_columns import textColumn

PREFIX = "PseudoCTDenoise."
"""Start of the names of this module's attributes and roles."""

# Roles of the denoised volume's node references.
INPUT = f"{PREFIX}Input"
REMOVED_NOISE = f"{PREFIX}FullStrengthRemoved"
"""Input minus result at full strength; the strength slider needs it after a reload."""
NOISE_MAP = f"{PREFIX}NoiseMap"
PSEUDO_LDCT = f"{PREFIX}PseudoLdct"
PROVENANCE = f"{PREFIX}Provenance"
CHARTS = f"{PREFIX}Charts"

# Attributes.
DERIVED = f"{PREFIX}Derived"
NOTICE = f"{PREFIX}Notice"
VERSION = f"{PREFIX}Version"
MODEL = f"{PREFIX}Model"
MODEL_SHA256 = f"{PREFIX}ModelSha256"
SEED = f"{PREFIX}Seed"
DEVICE = f"{PREFIX}Device"
SECONDS = f"{PREFIX}Seconds"
SETTINGS = f"{PREFIX}Settings"
STRENGTH = f"{PREFIX}Strength"
WARNINGS = f"{PREFIX}Warnings"
MACHINE = f"{PREFIX}Machine"
"""Versions and device of the report."""
SLICES = f"{PREFIX}Slices"
SLICES_WITH_NEIGHBOURS = f"{PREFIX}SlicesWithNeighbours"
"""Number of slices that were corrected by neighbours, in results of earlier versions."""
REMOVED_NOISE_CHECK = f"{PREFIX}RemovedNoiseCheck"
"""Figures of :func:`.check_removed_noise`; absent in results of earlier versions."""
ITEM = f"{PREFIX}Item"
"""Item of the sequence that the input showed, see :func:`.sequence_item.itemOf`."""
INPUT_CRC32 = f"{PREFIX}InputCrc32"
"""Checksum of the input's voxels; the removed noise belongs to exactly these voxels."""
SHOWN_CRC32 = f"{PREFIX}ShownCrc32"
"""Checksum of the voxels that the module gave to a result, at the strength shown, or to one of its
other volumes; absent in results of earlier versions."""


def _sliceRange(text: str) -> tuple[int, int]:
    first, last = text.split("-")
    return int(first), int(last)


_READERS: dict[str, Callable[[str], object]] = {
    NOTICE: str,
    VERSION: str,
    MODEL: str,
    MODEL_SHA256: str,
    SEED: int,
    DEVICE: str,
    SECONDS: float,
    SETTINGS: json.loads,
    STRENGTH: float,
    WARNINGS: json.loads,
    MACHINE: json.loads,
    SLICES: _sliceRange,
    SLICES_WITH_NEIGHBOURS: int,
    REMOVED_NOISE_CHECK: json.loads,
    ITEM: str,
}
"""Attribute → function that reads its text."""

COLUMNS = ("What", "Value", "Unit")
STRENGTH_ROW = "Strength shown"
_HU, _PERCENT, _SECONDS = "HU", "%", "s"
_UNITS_OF_SETTINGS = {
    "steps": "updates",
    "patience": "updates",
    "update_period": "updates",
    "patch_size": "pixels",
    "batch": "patches",
    "tuning_slices": "slices",
}


class Row(NamedTuple):
    """One row of the provenance table."""

    what: str
    value: str
    unit: str = ""


def recordProvenance(outputNode, report: dict, strength: float, sliceRange: tuple[int, int]):
    """Record how a result was made, so that it can be judged and reproduced.

    Parameters
    ----------
    outputNode : the denoised volume, which receives the attributes and the table.
    report : from :func:`.denoising.report.job_report`; the table omits the rows of metrics that
        are None.
    strength : strength at which the result is shown, 0 to 100 %; the report describes full
        strength.
    sliceRange : first and last denoised slice, counted from 0.

    Returns
    -------
    The table node "<output> provenance" (What, Value, Unit). The table of an earlier run of the
    same output is filled again.
    """
    attributes = provenanceAttributes(report, sliceRange)
    inputNode = outputNode.GetNodeReference(INPUT)
    rows = [Row("Input", inputNode.GetName())] if inputNode else []
    attributes[ITEM] = item = inputNode and itemOf(inputNode)
    rows += [Row("Item of the sequence", item)] if item else []
    # All rows are made before the scene is changed, so an error leaves the scene unchanged.
    rows += _rows(report, sliceRange)

    wasModifying = outputNode.StartModify()
    for name, value in attributes.items():
        outputNode.SetAttribute(name, value)
    table = outputNode.GetNodeReference(PROVENANCE)
    if table is None:
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        outputNode.SetNodeReferenceID(PROVENANCE, table.GetID())
    table.SetName(f"{outputNode.GetName()} provenance")
    _fill(table, rows)
    recordStrength(outputNode, strength)
    outputNode.EndModify(wasModifying)
    return table


def provenanceAttributes(report: dict, sliceRange: tuple[int, int]) -> dict[str, str | None]:
    """Return the attributes that record how a volume was made, but not the strength shown.

    Parameters
    ----------
    report, sliceRange : as in :func:`recordProvenance`.
    """
    first, last = sliceRange
    return {
        DERIVED: "1",
        NOTICE: report["notice"],
        VERSION: report["versions"]["pseudoctdenoise"],
        MODEL: report["model"]["name"],
        MODEL_SHA256: report["model"]["sha256"],
        SEED: str(report["settings"]["seed"]),
        DEVICE: report["device"]["description"],
        SECONDS: f"{sum(report['seconds'].values()):.3f}",
        SETTINGS: json_text(report["settings"]),
        SLICES: f"{first}-{last}",
        WARNINGS: json_text(report["warnings"]),
        MACHINE: json_text({part: report[part] for part in ("versions", "device")}),
        REMOVED_NOISE_CHECK: json_text(report["removed_noise"]),
    }


def recordStrength(outputNode, strength: float) -> None:
    """Record the strength (0 to 100 %) at which a result is shown."""
    outputNode.SetAttribute(STRENGTH, f"{strength:g}")
    table = outputNode.GetNodeReference(PROVENANCE)
    if table is None:
        return
    for row in range(table.GetNumberOfRows()):
        if table.GetCellText(row, 0) == STRENGTH_ROW:
            table.SetCellText(row, 1, f"{strength:g}")


def isDerived(node) -> bool:
    """Return True if this module made the node."""
    return node is not None and node.GetAttribute(DERIVED) == "1"


def isResult(node) -> bool:
    """Return True for a denoised volume, but not for a noise map or a preview."""
    return isDerived(node) and node.GetAttribute(STRENGTH) is not None


def results() -> list:
    """Return all results in the scene."""
    return [v for v in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if isResult(v)]


def otherResults(result) -> list:
    """Return all other results in the scene."""
    return [other for other in results() if other.GetID() != result.GetID()]


def roles(node) -> list[str]:
    """Return the roles of a node's references that belong to this module."""
    names = [node.GetNthNodeReferenceRole(i) for i in range(node.GetNumberOfNodeReferenceRoles())]
    return [name for name in names if name.startswith(PREFIX)]


def isResultOf(node, inputVolume) -> bool:
    """Return True if the node is a denoised version of this input."""
    source = node.GetNodeReference(INPUT) if isResult(node) else None
    return (
        source is not None
        and source.GetID() == inputVolume.GetID()
        and not showsOtherItem(inputVolume, node)
    )


def showsOtherItem(inputVolume, result) -> bool:
    """Return True if an input shows another item of its sequence than the one of a result."""
    shown, denoised = itemOf(inputVolume), result.GetAttribute(ITEM)
    return None not in (shown, denoised) and shown != denoised


def provenanceOf(node) -> dict:
    """Return a result's attributes by their names without :data:`PREFIX`.

    Returns
    -------
    ``Settings`` and ``Machine`` are dicts, ``Warnings`` a list of sentences, ``Seed`` and
    ``SlicesWithNeighbours`` are ints, ``Seconds`` and ``Strength`` (%) floats, ``Slices`` is the
    first and last slice counted from 0, and the rest are texts. Missing and unreadable attributes
    are omitted.
    """
    found = {}
    for name, read in _READERS.items():
        text = node.GetAttribute(name)
        if text is None:
            continue
        try:
            found[name.removeprefix(PREFIX)] = read(text)
        except ValueError:  # users can edit attributes
            continue
    return found


def removedNoiseSentence(output) -> tuple[str | None, str]:
    """Return the light of a result's removed noise and its sentence; None and "" without one."""
    known = provenanceOf(output)
    check, (first, _) = known.get("RemovedNoiseCheck"), known.get("Slices", (0, 0))
    try:
        return check["light"], removed_noise_sentence(check, first)
    except (KeyError, TypeError, ValueError):  # a user can edit attributes
        return None, ""


def removedNoiseSlice(output) -> int | None:
    """Return the slice that the sentence on the removed noise names, counted from 0, or None."""
    known = provenanceOf(output)
    check, (first, _) = known.get("RemovedNoiseCheck"), known.get("Slices", (0, 0))
    try:
        key = doubtful_slice(check)
        return None if key is None else first + check[key]
    except (KeyError, TypeError, ValueError):  # a user can edit attributes
        return None


def _fill(table, rows: list[Row]) -> None:
    """Replace the content of a table node, and lock it against edits."""
    wasModifying = table.StartModify()
    table.RemoveAllColumns()
    for name, cells in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        table.AddColumn(textColumn(name, cells))
    table.SetUseColumnTitleAsColumnHeader(True)
    table.SetLocked(True)
    table.EndModify(wasModifying)


def _rows(report: dict, sliceRange: tuple[int, int]) -> list[Row]:
    return [
        *_identity(report, sliceRange),
        *_metrics(report),
        *_software(report),
        *_settings(report["settings"]),
    ]


def _identity(report: dict, sliceRange: tuple[int, int]) -> Iterator[Row]:
    first, last = sliceRange
    yield Row("Notice", report["notice"])
    for warning in report["warnings"]:
        yield Row("Warning", warning)
    yield Row(STRENGTH_ROW, "", _PERCENT)
    yield Row("Slices denoised", f"{first + 1} to {last + 1}", "counted from 1")
    yield Row("Model", report["model"]["name"])
    yield Row("Model's SHA-256", report["model"]["sha256"])
    for model in report["noise_models"]:
        yield Row(f"Noise model {model['name']}, SHA-256", model["sha256"])


def _metrics(report: dict) -> Iterator[Row]:
    change = report["mean_absolute_change_hu"]
    yield Row("Mean absolute change at full strength", f"{change:.2f}", _HU)
    noise = report["noise"]
    if noise is not None:
        before, after = noise["soft_tissue_before_hu"], noise["soft_tissue_after_hu"]
        yield Row("Noise in soft tissue, input", f"{before:.2f}", _HU)
        yield Row("Noise in soft tissue, full strength", f"{after:.2f}", _HU)
        yield Row("Noise removed at full strength", f"{noise['reduction_percent']:.1f}", _PERCENT)
        low = noise["removed_low_frequency_percent"]
        if low is not None:
            yield Row("Low frequencies in the removed noise", f"{low:.0f}", _PERCENT)
    yield from _removedNoise(report["removed_noise"])
    yield Row("Tuning steps done", str(report["steps_done"]), "updates")
    if report["tuning_loss"]:
        unit = lossUnit(report["settings"])
        yield Row("Last tuning loss", f"{report['tuning_loss'][-1]:.4g}", unit)
    for stage, seconds in report["seconds"].items():
        yield Row(f"Time of {stage}", f"{seconds:.1f}", _SECONDS)
    for kind, mib in report["peak_memory_mib"].items():
        yield Row(f"Peak memory, {kind}", str(mib), "MiB")


def _removedNoise(check: dict) -> Iterator[Row]:
    yield Row("Removed noise, light", check["light"])
    yield Row("Removed noise, slices judged", str(check["slices_judged"]), "slices")
    for what, key, unit in (
        ("correlation with edges", "edge_correlation", ""),
        ("strongest spot", "strongest_spot", "standard deviations"),
        ("mean frequency over the scan's", "mean_frequency_ratio", ""),
    ):
        if check[key] is not None:
            yield Row(f"Removed noise, {what}", f"{check[key]:.2f}", unit)


def _software(report: dict) -> Iterator[Row]:
    device = report["device"]
    yield Row("Device", device["description"])
    yield Row("Why this device", device["reason"])
    yield Row("Precision", device["precision"])
    for program, version in report["versions"].items():
        yield Row(f"Version of {program}", version)


def _settings(settings: dict) -> Iterator[Row]:
    for name, value in settings.items():
        if name == "strength":  # a job has full strength; the strength shown has its own row
            continue
        text = value if isinstance(value, str) else json_text(value)
        yield Row(f"Setting {name}", text, _UNITS_OF_SETTINGS.get(name, ""))


def lossUnit(settings: dict) -> str:
    """Return the unit of the loss: HU for ``l1``, HU² for ``mse``, empty if it is unknown."""
    return {"l1": "HU", "mse": "HU²"}.get(settings.get("loss"), "")
