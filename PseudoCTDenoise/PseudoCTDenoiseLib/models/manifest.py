"""Manifests of models: what each model of a folder is, without torch.

A manifest is a small JSON file that may come from anywhere, so each of its values is checked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from ..ct.hounsfield import OFFSET_HU, RANGE_HU
from ..errors import BadInputError
from .catalog import (
    DEFAULT_MODEL,
    DENOISER,
    NOISE_MODEL,
    PREFIX,
    SHIPPED_MODELS,
    model_paths,
)

MAX_MANIFEST_BYTES = 1 << 20
MAX_DEPTH = 8
"""Deepest nesting of lists and objects in a manifest."""
MAX_INTEGER = 2**53
"""Largest integer in a manifest, which every reader of JSON keeps exactly."""
_NORMALISATION = {"offset_hu": OFFSET_HU, "range_hu": RANGE_HU}


@dataclass(frozen=True)
class Manifest:
    """Description of a model.

    ``role`` is one of those in :mod:`.catalog`. ``training`` holds
    the patients with source and licence, doses, kernels and settings; ``metrics`` holds the results
    on the validation scans. ``validity`` lists the scans that the model suits, ``known_failures``
    its observed failures, one sentence per item. ``noise_models`` lists the noise models of the
    folder that belong to a denoiser; an empty list stands for all. ``domain`` holds the
    range of each of the :func:`.scan_figures` of the training inputs, [smallest, largest]; it may
    be empty.
    ``sha256`` is the SHA-256 of the file of weights.

    Raises
    ------
    BadInputError
        If the name cannot be part of a file name, or the role is unknown.
    """

    name: str
    role: str
    architecture: str
    parameters: dict
    steps: int = 0
    training: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    validity: list = field(default_factory=list)
    known_failures: list = field(default_factory=list)
    noise_models: list = field(default_factory=list)
    domain: dict = field(default_factory=dict)
    normalisation: dict = field(default_factory=lambda: dict(_NORMALISATION))
    sha256: str = ""

    def __post_init__(self):
        if not is_model_name(self.name):
            raise BadInputError(
                f"'{self.name}' cannot name a model: use letters, digits, spaces and _ . + -."
            )
        if self.role not in (DENOISER, NOISE_MODEL):
            raise BadInputError(
                f"Model '{self.name}' has the unknown role '{self.role}': "
                f"use {DENOISER} or {NOISE_MODEL}, or delete the model."
            )


class BrokenModel(NamedTuple):
    """Model whose manifest cannot be used.

    Attributes
    ----------
    name : name according to the name of the file.
    problem : what is wrong and what to do, one line.
    """

    name: str
    problem: str


def list_models(folder: Path | str = SHIPPED_MODELS) -> list[Manifest]:
    """Return the manifests of the models in a folder, sorted by name, without broken ones."""
    return [model for model in _models(folder) if isinstance(model, Manifest)]


def broken_models(folder: Path | str = SHIPPED_MODELS) -> list[BrokenModel]:
    """Return the models in a folder whose manifests cannot be used, sorted by name."""
    return [model for model in _models(folder) if isinstance(model, BrokenModel)]


def denoiser_names(folder: Path | str = SHIPPED_MODELS) -> list[str]:
    """Return the names of the denoisers in a folder, the default model first."""
    names = [model.name for model in list_models(folder) if model.role == DENOISER]
    return sorted(names, key=lambda name: (name != DEFAULT_MODEL, name))


def _models(folder: Path | str) -> Iterator[Manifest | BrokenModel]:
    for path in sorted(Path(folder).glob(f"{PREFIX}*.json")):
        try:
            yield read_manifest(path)
        except BadInputError as error:
            yield BrokenModel(path.stem.removeprefix(PREFIX), str(error))


def read_manifest(path: Path | str) -> Manifest:
    """Return the manifest in a JSON file.

    Raises
    ------
    BadInputError
        If the file is missing, is not a manifest, belongs to another model, or was made for another
        normalisation.
    """
    path = Path(path)
    try:
        manifest = Manifest(**_checked_values(_read_text(path)))
    except BadInputError:
        raise
    except OSError as error:
        raise BadInputError(
            f"Cannot read the manifest {path} ({error.strerror}): install the model again."
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        reason = str(error)[:200]
        raise BadInputError(
            f"{path} is not a manifest of a model ({reason}): install the model again."
        ) from error
    name = model_paths(manifest.name, path.parent).manifest.name
    if path.name != name:
        raise BadInputError(
            f"{path} is the manifest of model '{manifest.name}': rename the file to {name}."
        )
    if manifest.normalisation != _NORMALISATION:
        raise BadInputError(
            f"Model '{manifest.name}' was trained with another normalisation: train it again."
        )
    return manifest


def is_model_name(name: Any) -> bool:
    """Return True if a value can name a model and thereby its files."""
    return isinstance(name, str) and bool(re.fullmatch(r"\w[\w .+-]{0,99}", name))


def _read_text(path: Path) -> str:
    if not path.is_file() and path.exists():  # a pipe never ends
        raise ValueError("it is not a regular file")
    with open(path, "rb") as file:
        content = file.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        raise ValueError(f"it is longer than {MAX_MANIFEST_BYTES >> 20} MiB")
    return content.decode("utf-8")


_REMOVED_ENTRIES = ("neighbour_model",)
"""Entries of earlier versions, which are ignored."""


def _checked_values(text: str) -> dict[str, Any]:
    """Return the entries of a manifest, each of the type that its readers expect.

    Raises
    ------
    ValueError, RecursionError
        If the text is not JSON, or an entry is unknown, twice there or of another type.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            raise ValueError("it has an entry twice")
        return values

    values = json.loads(text, object_pairs_hook=unique)
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    for name in _REMOVED_ENTRIES:
        values.pop(name, None)
    unknown = values.keys() - {entry.name for entry in fields(Manifest)}
    if unknown:
        raise ValueError(f"its entry {min(unknown)!r} is unknown")
    for key, value in values.items():
        try:
            _check_plain(value)
        except ValueError as error:
            raise ValueError(f"in its entry {key!r}, {error}") from error
        if not _FITS.get(key, _is_text)(value):
            raise ValueError(f"its entry {key!r} has a wrong type or value")
    return values


def _check_plain(value: Any, depth: int = 0) -> None:
    """Reject deep nesting, numbers that are not finite or huge, and control characters."""
    if isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            raise ValueError("values are nested too deeply")
        items = value if isinstance(value, list) else [*value, *value.values()]
        for item in items:
            _check_plain(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is not finite")
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise ValueError("a number is too large")
    elif isinstance(value, str) and not value.replace("\n", "").isprintable():
        raise ValueError("a text has control characters")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(map(_is_number, value))
        and value[0] <= value[1]
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_training(value: Any) -> bool:
    """Return True for an object whose ``scans`` and ``settings`` have their types, if there."""
    if not isinstance(value, dict) or not isinstance(value.get("settings", {}), dict):
        return False
    scans = value.get("scans", [])
    return isinstance(scans, list) and all(
        _is_text(scan)
        or (isinstance(scan, dict) and all(v is None or _is_text(v) for v in scan.values()))
        for scan in scans
    )


_FITS = {
    "parameters": lambda value: isinstance(value, dict),
    "steps": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    "training": _is_training,
    "metrics": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "validity": _are_texts,
    "known_failures": _are_texts,
    "noise_models": lambda value: isinstance(value, list) and all(map(is_model_name, value)),
    "domain": lambda value: isinstance(value, dict) and all(map(_is_range, value.values())),
    "normalisation": lambda value: isinstance(value, dict),
}
"""Test of the value of each entry that is not a text."""
