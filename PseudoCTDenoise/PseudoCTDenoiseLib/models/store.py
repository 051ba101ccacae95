"""Reading and writing of models: weights and manifest.

A model consists of ``PseudoCTDenoise_<name>.npz``, half-precision arrays that are read without
pickle, and ``PseudoCTDenoise_<name>.json``, its manifest, which holds the SHA-256 of the weights.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..ct.hounsfield import OFFSET_HU, RANGE_HU
from ..errors import BadInputError
from ..temporary_files import replace_file
from .catalog import DENOISER, NOISE_MODEL, PREFIX, SHIPPED_MODELS
from .networks import build_network

_NORMALISATION = {"offset_hu": OFFSET_HU, "range_hu": RANGE_HU}


@dataclass(frozen=True)
class Manifest:
    """Description of a model.

    ``role`` is "denoiser" (LDCT to NDCT) or "noise model" (LDCT to its noise). ``training`` holds
    the patients with source and licence, doses, kernels and settings; ``metrics`` holds the results
    on the validation scans. ``validity`` lists the scans that the model suits, ``known_failures``
    its observed failures, one sentence per item. ``noise_models`` lists the noise models of the
    folder that belong to a denoiser; an empty list stands for all. ``domain`` holds the range of
    each of the :func:`.scan_figures` of the training inputs, [smallest, largest]; it may be empty.
    ``sha256`` is the SHA-256 of the file of weights.

    Raises
    ------
    BadInputError
        If the name cannot be part of a file name, the role is unknown, or the domain is no range.
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
        if not _is_name(self.name):
            raise BadInputError(
                f"'{self.name}' cannot name a model: use letters, digits, spaces and _ . + -."
            )
        if self.role not in (DENOISER, NOISE_MODEL):
            raise BadInputError(
                f"Model '{self.name}' has the unknown role '{self.role}': "
                f"use {DENOISER} or {NOISE_MODEL}."
            )
        if not isinstance(self.domain, dict) or not all(map(_is_range, self.domain.values())):
            raise BadInputError(
                f"Model '{self.name}' has a domain that is not made of ranges [smallest, largest]: "
                "install it again."
            )


def list_models(folder: Path | str = SHIPPED_MODELS) -> list[Manifest]:
    """Return the manifests of the models in a folder, sorted by name."""
    return [read_manifest(path) for path in sorted(Path(folder).glob(f"{PREFIX}*.json"))]


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
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except BadInputError:
        raise
    except OSError as error:
        raise BadInputError(
            f"Cannot read the manifest {path} ({error.strerror}): install the model again."
        ) from error
    except (ValueError, TypeError) as error:
        raise BadInputError(
            f"{path} is not a manifest of a model ({error}): install the model again."
        ) from error
    if path.name != f"{PREFIX}{manifest.name}.json":
        raise BadInputError(
            f"{path} is the manifest of model '{manifest.name}': rename the file to "
            f"{PREFIX}{manifest.name}.json."
        )
    if manifest.normalisation != _NORMALISATION:
        raise BadInputError(
            f"Model '{manifest.name}' was trained with another normalisation: train it again."
        )
    return manifest


def load_model(name: str, folder: Path | str = SHIPPED_MODELS) -> tuple[nn.Module, Manifest]:
    """Return a network in evaluation mode, float32 on the CPU, and its manifest.

    Parameters
    ----------
    name : name of a model in ``folder``.

    Raises
    ------
    BadInputError
        If the model does not exist, or its weights are damaged or do not fit its architecture.
    """
    path = Path(folder) / f"{PREFIX}{name}.json"
    if not _is_name(name) or not path.is_file():
        known = ", ".join(m.name for m in list_models(folder) if m.role == DENOISER) or "none"
        raise BadInputError(f"No model '{name}' in {folder}. Available: {known}.")
    manifest = read_manifest(path)
    try:
        content = path.with_suffix(".npz").read_bytes()
    except OSError as error:
        raise BadInputError(f"Weights of model '{name}' are missing: install it again.") from error
    if hashlib.sha256(content).hexdigest() != manifest.sha256:
        raise BadInputError(
            f"Weights of model '{name}' are damaged: their SHA-256 differs from the manifest. "
            "Install it again."
        )
    network = build_network(manifest.architecture, manifest.parameters)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            state = {key: torch.from_numpy(arrays[key].astype(np.float32)) for key in arrays}
        network.load_state_dict(state)
    except (
        *(RuntimeError, ValueError, TypeError, OSError, EOFError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        raise BadInputError(
            f"Weights of model '{name}' do not fit its architecture: install it again."
        ) from error
    return network.eval(), manifest


def load_denoiser(name: str, folder: Path | str = SHIPPED_MODELS) -> tuple[nn.Module, Manifest]:
    """Return a denoiser and its manifest, as :func:`load_model` does.

    Raises
    ------
    BadInputError
        Also if the model is a noise model.
    """
    network, manifest = load_model(name, folder)
    if manifest.role != DENOISER:
        raise BadInputError(f"'{name}' is a noise model: choose a denoiser.")
    return network, manifest


def load_noise_models(
    folder: Path | str = SHIPPED_MODELS, names: Sequence[str] = ()
) -> list[tuple[nn.Module, Manifest]]:
    """Return the named noise models of a folder, or all of them sorted by name."""
    names = names or [m.name for m in list_models(folder) if m.role == NOISE_MODEL]
    return [load_model(name, folder) for name in names]


def load_models(
    name: str, folder: Path | str | None = None, with_noise_models: bool = True
) -> tuple[tuple[nn.Module, Manifest], list[tuple[nn.Module, Manifest]]]:
    """Load a denoiser and the noise models that belong to it, each with its manifest.

    Parameters
    ----------
    name : name of a denoiser.
    folder : folder of both; None for the shipped models.
    with_noise_models : False leaves the list of noise models empty.

    Raises
    ------
    BadInputError
        If a model is missing or damaged, or ``name`` is a noise model.
    """
    folder = SHIPPED_MODELS if folder is None else folder
    denoiser = load_denoiser(name, folder)
    names = denoiser[1].noise_models
    return denoiser, load_noise_models(folder, names) if with_noise_models else []


def save_model(network: nn.Module, manifest: Manifest, folder: Path | str) -> Manifest:
    """Write weights and manifest; return the manifest with the SHA-256 of the weights.

    The same weights always give the same bytes. If the process is killed while it replaces an
    older model, both old files remain or the two files do not match and :func:`load_model`
    rejects them.

    Raises
    ------
    BadInputError
        If a weight is not finite in half precision, because the training diverged.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        key: value.detach().cpu().half().numpy() for key, value in network.state_dict().items()
    }
    if not all(np.isfinite(value).all() for value in arrays.values()):
        raise BadInputError(
            f"Weights of model '{manifest.name}' are not finite numbers: its training diverged. "
            "Train it again with a smaller learning rate."
        )
    weights = io.BytesIO()
    np.savez_compressed(weights, **arrays)
    manifest = replace(manifest, sha256=hashlib.sha256(weights.getvalue()).hexdigest())
    text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n"
    replace_file(folder / f"{PREFIX}{manifest.name}.npz", weights.getvalue())
    replace_file(folder / f"{PREFIX}{manifest.name}.json", text.encode())
    return manifest


def _is_range(values: object) -> bool:
    return (
        isinstance(values, list | tuple)
        and len(values) == 2
        and all(type(value) in (int, float) and math.isfinite(value) for value in values)
        and values[0] <= values[1]
    )


def _is_name(name: str) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r"\w[\w .+-]*", name))
