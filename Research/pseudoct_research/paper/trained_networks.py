"""Trained networks and noise histogram of the experiment on disk."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.manifest import Manifest, list_models
from PseudoCTDenoiseLib.models.store import load_model
from PseudoCTDenoiseLib.temporary_files import replace_file
from torch import nn

from ..results.results_table import read_csv
from .experiment_data import ExperimentData
from .noise_sources import HistogramNoise, difference_histogram
from .pretrained import ALL_SUBJECTS, noise_model_name, start_name

HISTOGRAM = "histogram.csv"


@dataclass(frozen=True)
class Networks:
    """Pre-trained denoisers by name, and noise sources; noise models only if requested."""

    starts: dict[str, nn.Module]
    histogram: HistogramNoise
    noise_models: Sequence[nn.Module] = ()
    noise_model_of_all: nn.Module | None = None


def fast_noise_models() -> list[Manifest]:
    """Return the manifests of the noise models that this extension uses with ``fast``."""
    shipped = {manifest.name: manifest for manifest in list_models()}
    return [shipped[name] for name in shipped["fast"].noise_models]


def weights_digest(names: Sequence[str], work: Path) -> str | None:
    """Return a hash of the models' weights; None if a model is not trained yet."""
    models = [*fast_noise_models(), *list_models(work / "models")]
    known = {m.name: m.sha256 for m in models}
    if not all(name in known for name in names):
        return None
    return hashlib.sha256(" ".join(known[name] for name in names).encode()).hexdigest()[:12]


def validation_curves(names: Sequence[str], work: Path) -> dict[str, list[tuple[int, float]]]:
    """Return model → (training step, gain over the LDCT in dB), without models not validated."""
    curves = {}
    for name in names:
        rows = read_csv(work / f"{name}.checkpoint.csv")
        curve = [
            (int(float(r["step"])), float(r["gain_soft_db"])) for r in rows if "gain_soft_db" in r
        ]
        if curve:
            curves[name] = curve
    return curves


def write_histogram(data: ExperimentData, work: Path) -> None:
    """Write the histogram of LDCT − NDCT of the training subjects to ``work``."""
    parts = [difference_histogram(pair.ldct, pair.ndct) for pair in data.training]
    lowest = min(part[0] for part in parts)
    counts = np.zeros(max(first + len(part) for first, part in parts) - lowest, int)
    for first, part in parts:
        counts[first - lowest :][: len(part)] += part
    table = np.stack([lowest + np.arange(len(counts)), counts], axis=1)
    content = io.StringIO()
    np.savetxt(content, table, "%d", ",", header="difference_hu,pixels", comments="")
    work.mkdir(parents=True, exist_ok=True)
    replace_file(work / HISTOGRAM, content.getvalue().encode())


def load_networks(
    work: Path, network: str, starts: Sequence[str], noise_models: Sequence[str]
) -> Networks:
    """Load trained networks from ``work``.

    Parameters
    ----------
    noise_models : names of the noise models to load; if there are any, the noise model of all
        subjects is loaded too.

    Raises
    ------
    BadInputError
        If a network or the histogram is missing or damaged.
    """
    folder = work / "models"

    def load(name: str) -> nn.Module:
        return load_model(name, folder)[0]

    try:
        table = np.loadtxt(work / HISTOGRAM, int, delimiter=",", skiprows=1)
        histogram = HistogramNoise(table[0, 0], table[:, 1])
    except (OSError, ValueError, IndexError) as error:
        raise BadInputError(
            f"{work / HISTOGRAM} is missing or damaged. Run 'pseudoct table1' with "
            "--index or --pairs."
        ) from error
    return Networks(
        {start: load(start_name(network, start)) for start in starts},
        histogram,
        [load(name) for name in noise_models],
        load(noise_model_name(ALL_SUBJECTS)) if noise_models else None,
    )
