"""Folder, files and roles of models, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SHIPPED_MODELS = Path(__file__).resolve().parent / "weights"
"""Folder of the models that come with the package."""
DENOISER = "denoiser"
"""Role of a network that maps LDCT to NDCT."""
NOISE_MODEL = "noise model"
"""Role of a network that maps LDCT to its noise."""
DEFAULT_MODEL = "fast"
"""Denoiser that is used if none is chosen."""
PREFIX = "PseudoCTDenoise_"
"""Prefix of the name of every model file."""


class ModelPaths(NamedTuple):
    """Paths of the two files of a model, which need not exist."""

    weights: Path
    manifest: Path


def model_paths(name: str, folder: Path | str) -> ModelPaths:
    """Return the paths of the files of a model in a folder."""
    folder = Path(folder)
    return ModelPaths(folder / f"{PREFIX}{name}.npz", folder / f"{PREFIX}{name}.json")
