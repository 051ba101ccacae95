"""What every setting of the paper's loop is worth: one setting changed at a time.

Each ablation has a row that is the loop as the table runs it, and rows that differ from it in one
setting; the steps are rows of their own, each run from the start.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU
from PseudoCTDenoiseLib.ct.noise_texture import autocorrelation
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.noise_maps import ensemble, predict_noise_maps
from torch import nn

from ..evaluation.comparison import CtPair
from ..training.supervision import N2C, N2V
from .figures import body_windows, noise_texture
from .table1 import METHOD, MODELS, ONE_MODEL, START, TWO_MODELS, TableRow
from .trained_networks import Networks

STEPS = (5, 10, 20, 40, 80, 160)
STARTS = {N2C: "N2C", N2V: "N2V"}
"""A good start, from which the loop can lose, and a poor one, from which it can win."""


def _rows(label: str, start: str) -> dict[str, list[TableRow]]:
    as_is = TableRow(f"{label} + method", start, METHOD, MODELS)

    def but(name: str, noise: str = MODELS, **changes) -> TableRow:
        return TableRow(f"{label}: {name}", start, replace(METHOD, **changes), noise)

    return {
        "sign": [
            as_is,
            but("sign mirrored", noise_sign="mirrored"),
            but("sign random", noise_sign="random"),
        ],
        "ensemble": [as_is, but("ensemble by region", ensemble="region")],
        "noise models": [as_is, but("one noise model", ONE_MODEL), but("two", TWO_MODELS)],
        "rescale": [as_is, but("no rescale", rescale=None)],
        "loss": [as_is, but("L1", loss="l1")],
        "teacher": [
            as_is,
            but("no update", update_period=None),
            but("update every 5 steps", update_period=5),
            but("moving average 0.9, every 5 steps", update_period=5, moving_average=0.9),
            but("moving average 0.98, every 5 steps", update_period=5, moving_average=0.98),
        ],
        "per scan or slice": [as_is, but("tuned on each slice alone", tuning="slice")],
        "steps": [
            TableRow(f"{label}: 0 steps", start, START),
            *(
                as_is if steps == METHOD.steps else but(f"{steps} steps", steps=steps)
                for steps in STEPS
            ),
        ],
    }


ABLATIONS = {label: _rows(label, start) for start, label in STARTS.items()}
"""Start → what is ablated → rows."""


def ablation_rows() -> list[TableRow]:
    """LDCT and every row once."""
    rows = [TableRow("LDCT", None)]
    for groups in ABLATIONS.values():
        for group in groups.values():
            rows += [row for row in group if row.name not in {known.name for known in rows}]
    return rows


def map_correlation(maps: torch.Tensor, masks: np.ndarray) -> float:
    """ρ, the mean correlation between two of M noise maps, (M, N, rows, columns), in the body."""
    inside = maps[:, torch.from_numpy(masks).to(maps.device)]
    table = torch.corrcoef(inside).cpu().numpy()
    return float(table[np.triu_indices(len(table), 1)].mean())


def ensemble_texture(
    pair: CtPair, networks: Networks
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[dict]]:
    """Texture of the noise in the pseudo-LDCT by ensemble, against the true noise.

    Parameters
    ----------
    pair : a patient whose pixel size is known.

    Returns
    -------
    curves : name → (frequency in 1/cm, normalised spectrum), the true noise first.
    figures : for each, σ in HU, f_av in 1/cm, and the correlation of pixels beside each other.
    """
    job = DenoisingJob(pair.ldct, nn.Identity(), networks.noise_models, METHOD)
    slices = job.normalised(range(len(pair.ldct)))
    maps = predict_noise_maps(job.noise_models, slices, job.precision)
    masks = body_mask(pair.ndct)
    noises = {"true noise": pair.ldct.astype(np.float32) - pair.ndct}
    for name, mode, used in (
        ("one noise model", "pixel", maps[:1]),
        ("ensemble by pixel", "pixel", maps),
        ("ensemble by region", "region", maps),
    ):
        drawn = ensemble(used, mode, torch.Generator(maps.device).manual_seed(METHOD.seed))
        noises[name] = drawn.cpu().numpy() * RANGE_HU
    curves, figures = {}, []
    for name, noise in noises.items():
        windows = np.concatenate(
            [body_windows(one, mask) for one, mask in zip(noise, masks, strict=True)]
        )
        curves[name], told = noise_texture(windows, pair.pixel_mm)
        neighbours = autocorrelation(windows, lags=(1,))
        figures.append(
            {
                "noise": name,
                **told,
                "neighbours": (neighbours["x1"] + neighbours["y1"]) / 2,
                "rho": map_correlation(maps, masks) if name == "ensemble by pixel" else None,
            }
        )
    return curves, figures
