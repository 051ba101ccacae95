"""Weights as plain arrays, each file beside a manifest that says what it is.

A model is ``PseudoCTDenoise_<name>.npz``, half-precision arrays read without pickle, and
``PseudoCTDenoise_<name>.json``, its manifest, which carries the SHA-256 of the former.
"""

from __future__ import annotations

import hashlib
import io
import json
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
    """What is known of a model.

    ``role`` is "denoiser" (LDCT to NDCT) or "noise model" (LDCT to its noise). ``training`` holds
    the patients with source and licence, doses, kernels and settings; ``metrics`` what it scored
    on the validation scans. ``validity`` says, a sentence an item, which scans it is fit for, and
    ``known_failures`` what it was seen to do wrong. ``noise_models`` names those of its folder
    that go with a denoiser; none stands for all. ``sha256`` is of the weights' file.

    Raises
    ------
    BadInputError
        If the name is not fit for a file's name, or the role is unknown.
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
                f"this version knows {DENOISER} and {NOISE_MODEL}."
            )


def list_models(folder: Path | str = SHIPPED_MODELS) -> list[Manifest]:
    """Manifests of the models in a folder, by name."""
    return [read_manifest(path) for path in sorted(Path(folder).glob(f"{PREFIX}*.json"))]


def read_manifest(path: Path | str) -> Manifest:
    """The manifest in a JSON file.

    Raises
    ------
    BadInputError
        If the file is missing, is no manifest or another model's, or was made for another
        normalisation.
    """
    path = Path(path)
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except BadInputError:
        raise
    except OSError as error:
        raise BadInputError(
            f"Cannot read the model's manifest {path}: {error.strerror}."
        ) from error
    except (ValueError, TypeError) as error:
        raise BadInputError(f"{path} is not a model's manifest: {error}.") from error
    if path.name != f"{PREFIX}{manifest.name}.json":
        raise BadInputError(
            f"{path} is the manifest of model '{manifest.name}': give the file its own name back."
        )
    if manifest.normalisation != _NORMALISATION:
        raise BadInputError(
            f"Model '{manifest.name}' was trained with another normalisation; train it again."
        )
    return manifest


def load_model(name: str, folder: Path | str = SHIPPED_MODELS) -> tuple[nn.Module, Manifest]:
    """A network in evaluation mode, float32 on the CPU, and its manifest.

    Parameters
    ----------
    name : name of a model in ``folder``.

    Raises
    ------
    BadInputError
        If no such model exists, or its weights are damaged or do not fit.
    """
    path = Path(folder) / f"{PREFIX}{name}.json"
    if not _is_name(name) or not path.is_file():
        known = ", ".join(m.name for m in list_models(folder) if m.role == DENOISER) or "none"
        raise BadInputError(f"No model '{name}' in {folder}. Available: {known}.")
    manifest = read_manifest(path)
    try:
        content = path.with_suffix(".npz").read_bytes()
    except OSError as error:
        raise BadInputError(f"Weights of model '{name}' are missing; install it again.") from error
    if hashlib.sha256(content).hexdigest() != manifest.sha256:
        raise BadInputError(
            f"Weights of model '{name}' are damaged: their SHA-256 is not the manifest's. "
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
        raise BadInputError(f"Weights of model '{name}' do not fit its architecture.") from error
    return network.eval(), manifest


def load_denoiser(name: str, folder: Path | str = SHIPPED_MODELS) -> tuple[nn.Module, Manifest]:
    """As :func:`load_model`; BadInputError also for a noise model."""
    network, manifest = load_model(name, folder)
    if manifest.role != DENOISER:
        raise BadInputError(f"'{name}' is a noise model: choose a denoiser.")
    return network, manifest


def load_noise_models(
    folder: Path | str = SHIPPED_MODELS, names: Sequence[str] = ()
) -> list[tuple[nn.Module, Manifest]]:
    """The noise models of these names, or every one of the folder, by name."""
    names = names or [m.name for m in list_models(folder) if m.role == NOISE_MODEL]
    return [load_model(name, folder) for name in names]


def save_model(network: nn.Module, manifest: Manifest, folder: Path | str) -> Manifest:
    """Write weights and manifest; returns the manifest with the weights' SHA-256.

    The same weights always give the same bytes. Of a model of that name that was there before,
    a kill leaves both files or, in the moment between the two, a pair that
    :func:`load_model` refuses.

    Raises
    ------
    BadInputError
        If a weight is not a finite number in half precision: the training diverged.
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


def _is_name(name: str) -> bool:
    return isinstance(name, str) and bool(re.fullmatch(r"\w[\w .+-]*", name))
