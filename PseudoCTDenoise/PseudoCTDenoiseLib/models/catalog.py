"""Where the shipped models are, and the names of the denoisers among them; without torch."""

from __future__ import annotations

import json
from pathlib import Path

SHIPPED_MODELS = Path(__file__).resolve().parent / "weights"
DENOISER = "denoiser"
NOISE_MODEL = "noise model"
PREFIX = "PseudoCTDenoise_"
"""Start of the name of every model file."""


def denoiser_names(folder: Path = SHIPPED_MODELS) -> list[str]:
    """The denoisers in a folder of models, the default "fast" first."""
    manifests = [
        json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(f"{PREFIX}*.json")
    ]
    names = [manifest["name"] for manifest in manifests if manifest["role"] == DENOISER]
    return sorted(names, key=lambda name: (name != "fast", name))
