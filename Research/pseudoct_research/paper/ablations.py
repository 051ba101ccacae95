"""Ablations of the paper's loop: one setting changed at a time.

Each ablation has a row with the unchanged loop of the table, and rows that differ from it in one
setting. Moving averages and an update every few steps go together, and the preset *Paper* differs
in several settings. Every number of steps is a separate run.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.noise_maps import ensemble, predict_noise_maps
from torch import nn

from ..evaluation.comparison import CtPair
from ..evaluation.noise_texture import autocorrelation
from ..training.supervision import N2C, N2N_GAUSSIAN, N2V
from .figures import body_windows, noise_texture
from .table1 import FAST_MODELS, METHOD, MODELS, ONE_MODEL, PRESET, START, TWO_MODELS, TableRow
from .trained_networks import Networks

STEPS = (5, 10, 20, 40, 80, 160, 320, 640)
STARTS = {N2C: "N2C", N2N_GAUSSIAN: "N2N", N2V: "N2V"}
"""Pre-trained denoisers: a strong one, which the loop may degrade, and two weak ones."""
ONLY_STEPS = (N2N_GAUSSIAN,)
"""Denoisers from which only the number of steps is ablated."""


def _rows(label: str, start: str) -> dict[str, list[TableRow]]:
    unchanged = TableRow(f"{label} + method", start, METHOD, MODELS)

    def but(name: str, noise: str = MODELS, **changes) -> TableRow:
        return TableRow(f"{label}: {name}", start, replace(METHOD, **changes), noise)

    steps = [
        TableRow(f"{label}: 0 steps", start, START),
        *(
            unchanged if steps == METHOD.steps else but(f"{steps} steps", steps=steps)
            for steps in STEPS
        ),
    ]
    if start in ONLY_STEPS:
        return {"steps": steps}
    return {
        "sign": [unchanged, but("sign random", noise_sign="random")],
        "noise models": [
            unchanged,
            but("one noise model", ONE_MODEL),
            but("two", TWO_MODELS),
            but("those of `fast`", FAST_MODELS),
        ],
        "rescale": [unchanged, but("no rescale", rescale=None)],
        "loss": [unchanged, but("L1", loss="l1")],
        "teacher": [
            unchanged,
            but("no update", update_period=None),
            but("moving average 0.98, every 5 steps", update_period=5, moving_average=0.98),
        ],
        "preset": [unchanged, TableRow(f"{label}: preset *Paper*", start, PRESET, MODELS)],
        "steps": steps,
    }


ABLATIONS = {label: _rows(label, start) for start, label in STARTS.items()}
"""Pre-trained denoiser → ablated setting → rows."""


def ablation_rows() -> list[TableRow]:
    """Return the LDCT row and all rows of the ablations without repeats."""
    rows = [TableRow("LDCT", None)]
    for groups in ABLATIONS.values():
        for group in groups.values():
            rows += [row for row in group if row.name not in {known.name for known in rows}]
    return rows


def map_correlation(maps: torch.Tensor, masks: np.ndarray) -> float:
    """Return ρ, the mean correlation between pairs of M noise maps in the body.

    ``maps`` is (M, N, rows, columns).
    """
    inside = maps[:, torch.from_numpy(masks).to(maps.device)]
    table = torch.corrcoef(inside).cpu().numpy()
    return float(table[np.triu_indices(len(table), 1)].mean())


def ensemble_texture(
    pair: CtPair, networks: Networks
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[dict]]:
    """Compare the texture of predicted noise, and of the pseudo-LDCT, with the true noise.

    The noise of a pseudo-LDCT is its difference from the NDCT: the ensemble of the maps and the
    noise that the N2C denoiser has left.

    Parameters
    ----------
    pair : patient with a known pixel size.
    networks : with the N2C denoiser and noise models.

    Returns
    -------
    curves : name → (frequency in 1/cm, normalised spectrum), the true noise first.
    metrics : for each, σ in HU, f_av in 1/cm, and the correlation of neighbouring pixels.
    """
    job = DenoisingJob(pair.ldct, nn.Identity(), networks.noise_models, METHOD)
    slices = job.normalised(range(len(pair.ldct)))
    maps = predict_noise_maps(job.noise_models, slices, job.precision)
    masks = body_mask(pair.ndct)
    noises = {"true noise": pair.ldct.astype(np.float32) - pair.ndct}
    for name, used in (("one noise model", maps[:1]), ("ensemble", maps)):
        drawn = ensemble(used, torch.Generator(maps.device).manual_seed(METHOD.seed))
        noises[name] = drawn.cpu().numpy() * RANGE_HU
    untuned = DenoisingJob(pair.ldct, networks.starts[N2C], [], START).run_at_once().hu
    noises["pseudo-LDCT"] = untuned.astype(np.float32) + noises["ensemble"] - pair.ndct
    curves, metrics = {}, []
    for name, noise in noises.items():
        windows = np.concatenate(
            [body_windows(image, mask) for image, mask in zip(noise, masks, strict=True)]
        )
        curves[name], texture = noise_texture(windows, pair.pixel_mm)
        neighbours = autocorrelation(windows, lags=(1,))
        metrics.append(
            {
                "noise": name,
                **texture,
                "neighbours": (neighbours["x1"] + neighbours["y1"]) / 2,
                "rho": map_correlation(maps, masks) if name == "ensemble" else None,
            }
        )
    return curves, metrics
