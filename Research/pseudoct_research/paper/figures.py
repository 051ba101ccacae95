"""Figures 2 and 3 of the paper: pseudo-LDCT by noise source, and denoisers with the method.

Both show the slice with the most organ tissue of a pair of LDCT and NDCT. A further picture shows
the training of the networks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.body_mask import body_mask
from PseudoCTDenoiseLib.ct.display_window import noise_limit
from PseudoCTDenoiseLib.ct.figure_panels import (
    DERIVED_NOTICE,
    GAP_PX,
    PANEL_PX,
    black_figure,
    difference_colormap,
    label,
    outline,
    save,
    scale_bar,
    show,
)
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU
from PseudoCTDenoiseLib.ct.noise_texture import noise_power_spectrum
from PseudoCTDenoiseLib.ct.reference_metrics import psnr_4096
from PseudoCTDenoiseLib.ct.slice_selection import (
    evenly_spaced_slices,
    most_informative_slice,
    organ_box,
)
from PseudoCTDenoiseLib.denoising.job import DenoisingJob
from PseudoCTDenoiseLib.denoising.noise_maps import apply_sign, ensemble, predict_noise_maps
from PseudoCTDenoiseLib.errors import BadInputError

from ..evaluation.comparison import CtPair
from ..evaluation.noise_texture import normalised_spectrum, radial_mean_frequency
from ..results.pictures import curve_picture, spectra_picture
from ..training.supervision import N2C, N2N_GAUSSIAN, N2V
from .table1 import GAUSSIAN, HIST, METHOD, MODELS, ROWS, TableRow, denoise_row, noise_of
from .trained_networks import Networks

WINDOW_HU = (400.0, 40.0)
SPECTRUM_PX = 64
"""Side in pixels of the windows for the noise power spectrum."""
INSET_PX = 48
"""Side in pixels of the region whose noise the inset of a panel shows."""


@dataclass(frozen=True)
class Panel:
    """Named image with a text on its quality; ``derived`` if the image has been processed."""

    name: str
    image: np.ndarray
    quality: str = ""
    derived: bool = True
    noise: np.ndarray | None = None


def shown_slices(pair: CtPair, most: int) -> tuple[CtPair, int]:
    """Return the slices to tune on, including the slice to show, and the index of the latter."""
    best = most_informative_slice(pair.ldct)
    chosen = sorted({best, *evenly_spaced_slices(pair.ldct, most - 1)})
    few = CtPair(pair.patient, pair.ldct[chosen], pair.ndct[chosen])
    return few, chosen.index(best)


# --------------------------------------------------------------- figure 2


def pseudo_ldct_panels(pair: CtPair, index: int, networks: Networks) -> list[Panel]:
    """Return panels of the LDCT and of pseudo-LDCT with noise of Hist, Gaussian and the models.

    Images and noise are (rows, columns) in HU. The noise of every image is its difference from the
    NDCT: pseudo-LDCT has the noise that was added and the noise that the denoiser has left.
    """
    panels = [Panel("LDCT", pair.ldct[index], derived=False)]
    row = next(row for row in ROWS if row.start == N2C and row.noise == MODELS)
    job = DenoisingJob(pair.ldct, networks.starts[N2C], [], replace(METHOD, method="pretrained"))
    clean = job.run_at_once().hu[index]
    for name, source in (
        ("Hist", HIST),
        ("Gaussian, 82 HU", GAUSSIAN),
        ("noise models (ours)", MODELS),
    ):
        noise = drawn_noise(replace(row, noise=source), pair.ldct, index, networks)
        panels.append(Panel(f"Pseudo-LDCT, {name}", clean + noise))
    return [
        replace(panel, noise=panel.image.astype(np.float32) - pair.ndct[index]) for panel in panels
    ]


def drawn_noise(row: TableRow, ldct: np.ndarray, index: int, networks: Networks) -> np.ndarray:
    """Draw the noise that a row adds to a pseudo-NDCT slice, (rows, columns) in HU."""
    torch.manual_seed(row.settings.seed)
    job = DenoisingJob(
        ldct, networks.starts[row.start], noise_of(row, ldct, networks), row.settings
    )
    maps = predict_noise_maps(job.noise_models, job.normalised([index]), job.precision)
    generator = torch.Generator(maps.device).manual_seed(row.settings.seed)
    drawn = ensemble(maps, generator)
    drawn = apply_sign(drawn, row.settings.noise_sign, generator)
    return drawn[0].cpu().numpy() * RANGE_HU


def figure_2(path: str | os.PathLike, panels: Sequence[Panel], pixel_mm: float) -> None:
    """Draw the panels in a row, each with an inset of its noise."""
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
        show(
            inset, panel.noise[part], {"cmap": difference_colormap(), "vmin": -limit, "vmax": limit}
        )
        label(inset, f"noise, ±{limit:g} HU", 0, 0)
    save(figure, path)


def noise_spectra(
    panels: Sequence[Panel], pixel_mm: float
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], list[dict]]:
    """Return normalised spectra of the panels' noise in the body, and σ in HU and f_av in 1/cm."""
    curves, metrics = {}, []
    mask = body_mask(panels[0].image)
    for panel in panels:
        curve, texture = noise_texture(body_windows(panel.noise, mask), pixel_mm)
        curves[f"{panel.name}: σ {texture['sigma_hu']:.0f} HU"] = curve
        metrics.append({"image": panel.name, **texture})
    return curves, metrics


def noise_texture(
    windows: np.ndarray, pixel_mm: float
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, float]]:
    """Return the texture of windows of noise in HU.

    The result is (frequency in 1/cm, normalised spectrum), and σ and f_av by name.
    """
    frequency, power = noise_power_spectrum(windows, pixel_mm)
    texture = {
        "sigma_hu": float(windows.std()),
        "f_av_per_cm": radial_mean_frequency(frequency, power),
    }
    return (frequency, normalised_spectrum(power)), texture


def body_windows(noise: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the 64×64 windows of a slice inside the body, half a window apart, (count, 64, 64)."""
    size = SPECTRUM_PX
    corners = [
        (top, left)
        for top in range(0, mask.shape[0] - size + 1, size // 2)
        for left in range(0, mask.shape[1] - size + 1, size // 2)
    ]
    inside = [np.s_[t : t + size, c : c + size] for t, c in corners]
    windows = [noise[at] for at in inside if mask[at].mean() > 0.95]
    if not windows:
        raise BadInputError(
            f"No window of {size}×{size} pixels lies inside the body. Use a less cropped scan."
        )
    return np.stack(windows)


def spectra_figure(
    path: str | os.PathLike, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Draw the spectra of :func:`noise_spectra`; the first is the true noise."""
    (true, curve), *others = curves.items()
    spectra_picture(
        path,
        dict(others),
        {f"true noise, {true}": curve},
        title="Noise of the pseudo-LDCT compared with the true noise of the LDCT",
    )


# --------------------------------------------------------------- training


def training_picture(
    path: str | os.PathLike, curves: Mapping[str, Sequence[tuple[int, float]]]
) -> None:
    """Draw the curves of :func:`.validation_curves`."""
    rows = [{"step": step, name: gain} for name, curve in curves.items() for step, gain in curve]
    label = "Validation gain over LDCT (dB)"
    curve_picture(path, rows, {name: name for name in curves}, y_label=label)


# --------------------------------------------------------------- figure 3


def start_panels(pair: CtPair, index: int, networks: Networks) -> list[list[Panel]]:
    """Return panels of LDCT, N2C, N2N and N2V, and below of NDCT and each with the method."""
    ldct, ndct = pair.ldct[index], pair.ndct[index]
    lines = [
        [Panel("LDCT", ldct, _psnr_text(ldct, ndct), derived=False)],
        [Panel("NDCT", ndct, derived=False)],
    ]
    for start in (N2C, N2N_GAUSSIAN, N2V):
        alone, _, tuned = [row for row in ROWS if row.start == start][:3]
        for line, row in zip(lines, (alone, tuned), strict=True):
            image = denoise_row(row, pair.ldct, networks)[index]
            line.append(Panel(row.name, image, _psnr_text(image, ndct)))
    return lines


def figure_3(path: str | os.PathLike, lines: Sequence[Sequence[Panel]], pixel_mm: float) -> None:
    """Draw the panels in lines; each shows the region with most organ tissue at double size."""
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
    label(axes, f"{panel.name}  {panel.quality}".strip(), 0, 1)
    if panel.derived:
        label(axes, DERIVED_NOTICE, 0, 0)


def _psnr_text(image: np.ndarray, ndct: np.ndarray) -> str:
    return f"{psnr_4096(image, ndct):.2f} dB"
