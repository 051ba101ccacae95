"""Folder, file prefix and roles of models, and the names of the denoisers; without torch."""

from __future__ import annotations

import json
from pathlib import Path

SHIPPED_MODELS = Path(__file__).resolve().parent / "weights"
"""Folder of the models that come with the package."""
DENOISER = "denoiser"
"""Role of a network that maps LDCT to NDCT."""
NOISE_MODEL = "noise model"
"""Role of a network that maps LDCT to its noise."""
PREFIX = "PseudoCTDenoise_"
"""Prefix of the name of every model file."""


def denoiser_names(folder: Path = SHIPPED_MODELS) -> list[str]:
    """Return the names of the denoisers in a folder, the default "fast" first."""
    manifests = [
        json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(f"{PREFIX}*.json")
    ]
    names = [manifest["name"] for manifest in manifests if manifest["role"] == DENOISER]
    return sorted(names, key=lambda name: (name != "fast", name))
