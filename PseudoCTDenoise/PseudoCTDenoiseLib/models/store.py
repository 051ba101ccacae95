"""Reading and writing of models: weights and manifest.

A model consists of ``PseudoCTDenoise_<name>.npz``, half-precision arrays that are read without
pickle, and ``PseudoCTDenoise_<name>.json``, its manifest, which holds the SHA-256 of the weights.
"""

from __future__ import annotations

import glob
import hashlib
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import nn

from ..errors import BadInputError
from ..json_text import json_text
from ..temporary_files import replace_file
from .catalog import (
    DENOISER,
    NOISE_MODEL,
    PREFIX,
    SHIPPED_MODELS,
    model_paths,
)
from .manifest import Manifest, broken_models, is_model_name, list_models, read_manifest
from .networks import build_network
from .weight_archive import max_archive_bytes, read_archive


def model_files(folder: Path | str = SHIPPED_MODELS, name: str = "") -> list[Path]:
    """Return the files of all models in a folder, or of one of them: manifests and weights."""
    return sorted(Path(folder).glob(f"{PREFIX}{glob.escape(name) or '*'}.*"))


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
    paths = model_paths(name, folder)
    if not is_model_name(name) or not paths.manifest.is_file():
        known = ", ".join(m.name for m in list_models(folder) if m.role == DENOISER) or "none"
        raise BadInputError(f"No model '{name}' in {folder}. Available: {known}.")
    manifest = read_manifest(paths.manifest)
    network = build_network(manifest.architecture, manifest.parameters)
    content = _read_weights(paths.weights, manifest, max_archive_bytes(network))
    try:
        network.load_state_dict(read_archive(content, network))
    except ValueError as error:
        raise BadInputError(
            f"Weights of model '{name}' do not fit its architecture: install it again."
        ) from error
    return network.eval(), manifest


def _read_weights(path: Path, manifest: Manifest, limit: int) -> bytes:
    """Return the file of weights, which has at most ``limit`` bytes and the right SHA-256."""
    if not path.is_file():
        raise BadInputError(f"Weights of model '{manifest.name}' are missing: install it again.")
    try:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise BadInputError(
            f"Weights of model '{manifest.name}' cannot be read ({error.strerror}): install it "
            "again."
        ) from error
    if len(content) > limit or hashlib.sha256(content).hexdigest() != manifest.sha256:
        raise BadInputError(
            f"Weights of model '{manifest.name}' are damaged: their SHA-256 differs from the "
            "manifest. Install it again."
        )
    return content


def load_denoiser(name: str, folder: Path | str = SHIPPED_MODELS) -> tuple[nn.Module, Manifest]:
    """Return a denoiser and its manifest, as :func:`load_model` does.

    Raises
    ------
    BadInputError
        Also if the model has another role.
    """
    network, manifest = load_model(name, folder)
    if manifest.role != DENOISER:
        raise BadInputError(f"'{name}' is a {manifest.role}: choose a denoiser.")
    return network, manifest


def load_noise_models(
    folder: Path | str = SHIPPED_MODELS, names: Sequence[str] = ()
) -> list[tuple[nn.Module, Manifest]]:
    """Return the named noise models of a folder, or all of them sorted by name.

    Raises
    ------
    BadInputError
        If one is missing or broken. Without ``names``, any broken model of the folder counts, as
        it may be a noise model.
    """
    if not names and (broken := broken_models(folder)):
        raise BadInputError(broken[0].problem)
    names = names or [m.name for m in list_models(folder) if m.role == NOISE_MODEL]
    return [load_model(name, folder) for name in names]


class LoadedModels(NamedTuple):
    """A denoiser and the noise models that belong to it, each with its manifest."""

    denoiser: tuple[nn.Module, Manifest]
    noise_models: list[tuple[nn.Module, Manifest]]

    @property
    def noise_networks(self) -> list[nn.Module]:
        return [network for network, _ in self.noise_models]

    @property
    def noise_manifests(self) -> list[Manifest]:
        return [manifest for _, manifest in self.noise_models]

    @property
    def manifests(self) -> list[Manifest]:
        """The manifests of all models."""
        return [self.denoiser[1], *self.noise_manifests]


def load_models(
    name: str, folder: Path | str | None = None, with_noise_models: bool = True
) -> LoadedModels:
    """Load a denoiser and the noise models that belong to it.

    Parameters
    ----------
    name : name of a denoiser.
    folder : folder of all of them; None for the shipped models.
    with_noise_models : False leaves the list of noise models empty.

    Raises
    ------
    BadInputError
        If a model is missing or damaged, or has another role.
    """
    folder = SHIPPED_MODELS if folder is None else folder
    denoiser = load_denoiser(name, folder)
    manifest = denoiser[1]
    noise_models = load_noise_models(folder, manifest.noise_models) if with_noise_models else []
    return LoadedModels(denoiser, noise_models)


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
    text = json_text(asdict(manifest), indent=2, ensure_ascii=False) + "\n"
    paths = model_paths(manifest.name, folder)
    replace_file(paths.weights, weights.getvalue())
    replace_file(paths.manifest, text.encode())
    return manifest
