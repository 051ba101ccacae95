"""The trained networks of the experiment, and the histogram beside them, on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from ..errors import BadInputError
from ..model_store import list_models, load_model
from ..noise_sources import HistogramNoise, difference_histogram
from .experiment_data import ExperimentData
from .pretrained import ALL_SUBJECTS, noise_model_name, start_name

HISTOGRAM = "histogram.csv"


@dataclass(frozen=True)
class Networks:
    """Starts by name and, where noise is wanted, what makes it."""

    starts: dict[str, nn.Module]
    noise_models: Sequence[nn.Module] = ()
    noise_model_of_all: nn.Module | None = None
    histogram: HistogramNoise | None = None


def write_histogram(data: ExperimentData, work: Path) -> None:
    """Keep the histogram of LDCT − NDCT of the training subjects in ``work``."""
    pairs = [(pair.ldct.ravel(), pair.ndct.ravel()) for pair in data.training]
    ldct, ndct = (np.concatenate(one) for one in zip(*pairs, strict=True))
    lowest, counts = difference_histogram(ldct, ndct)
    table = np.stack([lowest + np.arange(len(counts)), counts], axis=1)
    np.savetxt(
        work / HISTOGRAM, table, "%d", delimiter=",", header="difference_hu,pixels", comments=""
    )


def load_networks(
    work: Path, network: str, starts: Sequence[str], with_noise: bool = True
) -> Networks:
    """What was trained and kept in ``work``.

    Raises
    ------
    BadInputError
        If a network or the histogram is missing or damaged.
    """
    folder = work / "models"

    def load(name: str) -> nn.Module:
        return load_model(name, folder)[0]

    known = {start: load(start_name(network, start)) for start in starts}
    if not with_noise:
        return Networks(known)
    of_all = noise_model_name(ALL_SUBJECTS)
    prefix = noise_model_name("")
    names = [m.name for m in list_models(folder) if m.name.startswith(prefix)]
    try:
        table = np.loadtxt(work / HISTOGRAM, int, delimiter=",", skiprows=1)
        histogram = HistogramNoise(table[0, 0], table[:, 1])
    except (OSError, ValueError, IndexError) as error:
        raise BadInputError(
            f"{work / HISTOGRAM} is missing or damaged: run 'pseudoct evaluate --table1' with "
            "--index or --pairs."
        ) from error
    return Networks(
        known, [load(name) for name in names if name != of_all], load(of_all), histogram
    )
