"""Figures 2 and 3 of the paper: pseudo-LDCT by each noise source, and the starts with the method.

Both show the slice with the most organ tissue of a pair of LDCT and NDCT.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.display_window import noise_limit
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU
from PseudoCTDenoiseLib.ct.noise_texture import (
    mean_frequency,
    noise_power_spectrum,
    normalised_spectrum,
)
from PseudoCTDenoiseLib.ct.picture_panels import (
    DERIVED,
    GAP_PX,
    PANEL_PX,
    black_figure,
    difference_map,
    label,
    outline,
    save,
    scale_bar,
    show,
)
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.ct.slice_selection import (
    most_informative_slice,
    organ_box,
    spread_slices,
)
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.noise_maps import apply_sign, ensemble, predict_noise_maps
from PseudoCTDenoiseLib.errors import BadInputError

from ..evaluation.comparison import CtPair
from ..evaluation.pictures import spectra_picture
from ..training.supervision import N2C, N2N_GAUSSIAN, N2V
from .table1 import GAUSSIAN, HIST, METHOD, MODELS, ROWS, TableRow, denoise_row, noise_of
from .trained_networks import Networks

WINDOW_HU = (400.0, 40.0)
SPECTRUM_PX = 64
"""Side of the windows whose noise power spectrum is taken."""
INSET_PX = 48
"""Side in pixels of the part whose noise stands in the corner of a panel."""


@dataclass(frozen=True)
class Panel:
    """A named image and what is told of its quality; ``derived`` where a program changed it."""

    name: str
    image: np.ndarray
    told: str = ""
    derived: bool = True
    noise: np.ndarray | None = None


def shown_slices(pair: CtPair, most: int) -> tuple[CtPair, int]:
    """The slice to show among those that the networks are tuned on, and its place in there."""
    best = most_informative_slice(pair.ldct)
    chosen = sorted({best, *spread_slices(pair.ldct, most - 1)})
    few = CtPair(pair.patient, pair.ldct[chosen], pair.ndct[chosen])
    return few, chosen.index(best)


# --------------------------------------------------------------- figure 2


def pseudo_ldct_panels(pair: CtPair, index: int, networks: Networks) -> list[Panel]:
    """LDCT with its true noise, then pseudo-LDCT with the noise of Hist, Gaussian and the models.

    Images and noise are (rows, columns) in HU.
    """
    true = pair.ldct[index].astype(np.float32) - pair.ndct[index]
    panels = [Panel("LDCT", pair.ldct[index], derived=False, noise=true)]
    row = next(row for row in ROWS if row.start == N2C and row.noise == MODELS)
    job = DenoisingJob(pair.ldct, networks.starts[N2C], [], replace(METHOD, method="pretrained"))
    clean = job.run_at_once().hu[index]
    for name, source in (
        ("Hist", HIST),
        ("Gaussian, 82 HU", GAUSSIAN),
        ("noise models (ours)", MODELS),
    ):
        noise = drawn_noise(replace(row, noise=source), pair.ldct, index, networks)
        panels.append(Panel(f"Pseudo-LDCT, {name}", clean + noise, noise=noise))
    return panels


def drawn_noise(row: TableRow, ldct: np.ndarray, index: int, networks: Networks) -> np.ndarray:
    """The noise that a row adds to a pseudo-NDCT slice, (rows, columns) in HU, drawn once."""
    torch.manual_seed(row.settings.seed)
    job = DenoisingJob(
        ldct, networks.starts[row.start], noise_of(row, ldct, networks), row.settings
    )
    maps = predict_noise_maps(job.noise_models, job.normalised([index]), job.precision)
    generator = torch.Generator(maps.device).manual_seed(row.settings.seed)
    drawn = ensemble(maps, row.settings.ensemble, generator)
    drawn = apply_sign(drawn, row.settings.noise_sign, generator)
    return drawn[0].cpu().numpy() * RANGE_HU


def figure_2(path: str | os.PathLike, panels: Sequence[Panel], pixel_mm: float) -> None:
    """The panels in a row, the noise of a part of each in its corner."""
    rows, columns = panels[0].image.shape
    top, left = organ_box(panels[0].image, INSET_PX, INSET_PX)
    part = np.s_[top : top + INSET_PX, left : left + INSET_PX]
    limit = noise_limit(panels[0].noise)
    figure, place = black_figure(
        len(panels) * (PANEL_PX + GAP_PX) + GAP_PX, PANEL_PX * rows // columns + 2 * GAP_PX
    )
    for number, panel in enumerate(panels):
        x = GAP_PX + number * (PANEL_PX + GAP_PX)
        whole = place(x, GAP_PX, PANEL_PX, PANEL_PX * rows // columns)
        _show_ct(whole, panel)
        outline(whole, top, left, INSET_PX, INSET_PX)
        scale_bar(whole, pixel_mm)
        inset = place(x + PANEL_PX - 3 * INSET_PX, GAP_PX, 3 * INSET_PX, 3 * INSET_PX)
        show(inset, panel.noise[part], {"cmap": difference_map(), "vmin": -limit, "vmax": limit})
        label(inset, f"noise, ±{limit:g} HU", 0, 0)
    save(figure, path)


def noise_spectra(
    panels: Sequence[Panel], pixel_mm: float
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[dict]]:
    """Normalised spectra of the panels' noise inside the body, and its σ in HU and f_av in 1/cm."""
    curves, figures = {}, []
    mask = body_mask(panels[0].image)
    for panel in panels:
        curve, told = noise_texture(body_windows(panel.noise, mask), pixel_mm)
        name = panel.name.removeprefix("Pseudo-LDCT, ")
        curves[f"{name}: σ {told['sigma_hu']:.0f} HU"] = curve
        figures.append({"noise": name, **told})
    return curves, figures


def noise_texture(
    windows: np.ndarray, pixel_mm: float
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, float]]:
    """Of windows of noise in HU: (frequency in 1/cm, normalised spectrum); σ and f_av by name."""
    frequency, power = noise_power_spectrum(windows, pixel_mm)
    told = {"sigma_hu": float(windows.std()), "f_av_per_cm": mean_frequency(frequency, power)}
    return (frequency, normalised_spectrum(power)), told


def body_windows(noise: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The 64×64 windows of a slice, half a window apart, that lie in the body, (count, 64, 64)."""
    size = SPECTRUM_PX
    corners = [
        (top, left)
        for top in range(0, mask.shape[0] - size + 1, size // 2)
        for left in range(0, mask.shape[1] - size + 1, size // 2)
    ]
    inside = [np.s_[t : t + size, c : c + size] for t, c in corners]
    windows = [noise[at] for at in inside if mask[at].mean() > 0.95]
    if not windows:
        raise BadInputError(f"No window of {size}×{size} pixels lies in the body: crop less.")
    return np.stack(windows)


def spectra_figure(
    path: str | os.PathLike, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """The spectra of :func:`noise_spectra`, the first of them as the true one."""
    (true, curve), *others = curves.items()
    spectra_picture(
        path,
        dict(others),
        {f"true noise, {true}": curve},
        title="Noise of the pseudo-LDCT against the true noise of the LDCT",
    )


# --------------------------------------------------------------- figure 3


def start_panels(pair: CtPair, index: int, networks: Networks) -> list[list[Panel]]:
    """LDCT, N2C, N2N and N2V; below, NDCT and each with the method."""
    ldct, ndct = pair.ldct[index], pair.ndct[index]
    lines = [
        [Panel("LDCT", ldct, _told(ldct, ndct), derived=False)],
        [Panel("NDCT", ndct, derived=False)],
    ]
    for start in (N2C, N2N_GAUSSIAN, N2V):
        alone, _, tuned = [r for r in ROWS if r.start == start and r.settings.orientations == 1][:3]
        for line, row in zip(lines, (alone, tuned), strict=True):
            image = denoise_row(row, pair.ldct, networks)[index]
            line.append(Panel(row.name, image, _told(image, ndct)))
    return lines


def figure_3(path: str | os.PathLike, lines: Sequence[Sequence[Panel]], pixel_mm: float) -> None:
    """The panels in lines, the part with the most organ tissue at twice its size."""
    side = PANEL_PX // 2
    rows, columns = (min(side, size) for size in lines[0][0].image.shape)
    top, left = organ_box(lines[0][0].image, rows, columns)
    figure, place = black_figure(
        len(lines[0]) * (2 * columns + GAP_PX) + GAP_PX, len(lines) * (2 * rows + GAP_PX) + GAP_PX
    )
    for down, line in enumerate(lines):
        for right, panel in enumerate(line):
            axes = place(
                GAP_PX + right * (2 * columns + GAP_PX),
                GAP_PX + down * (2 * rows + GAP_PX),
                2 * columns,
                2 * rows,
            )
            _show_ct(
                axes, replace(panel, image=panel.image[top : top + rows, left : left + columns])
            )
            scale_bar(axes, pixel_mm)
    save(figure, path)


def _show_ct(axes, panel: Panel) -> None:
    width, level = WINDOW_HU
    look = {"cmap": "gray", "vmin": level - width / 2, "vmax": level + width / 2}
    show(axes, panel.image, look)
    label(axes, f"{panel.name}  {panel.told}".strip(), 0, 1)
    if panel.derived:
        label(axes, DERIVED, 0, 0)


def _told(image: np.ndarray, ndct: np.ndarray) -> str:
    return f"{psnr_4096(image, ndct):.2f} dB"
