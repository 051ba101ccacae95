"""Names of the shipped denoisers, without loading one."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Models"
PATTERN = "PseudoCTDenoise_*.json"
"""Slicer installs the resources of all extensions into one folder."""


def denoiserNames(folder: Path = FOLDER) -> list[str]:
    """The denoisers in a folder of models, the default "fast" first."""
    manifests = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob(PATTERN)]
    names = [manifest["name"] for manifest in manifests if manifest["role"] == "denoiser"]
    return sorted(names, key=lambda name: (name != "fast", name))
