"""Simulated noise with the balance of fine and coarse noise of a scan.

The simulator's kernels differ in sharpness only; those of scanners also differ in the shape of
their spectrum. In flat windows a scan shows little but noise, so its spectrum is measured there.
"""

from __future__ import annotations

import numpy as np
import torch

from ..ct.flat_windows import flat_windows, window_spectrum
from ..errors import BadInputError

FREQUENCIES = (0.13, 0.5)
"""Lowest and highest frequency that is compared, in cycles per pixel. At lower frequencies flat
windows contain anatomy. Frequencies outside are treated like the nearest one inside."""
MIN_WINDOWS = 400
"""Minimum number of flat windows. A lone slice has about 150, which say too little."""
MAX_GAIN = 2.0
"""Largest gain of a frequency; the smallest is its reciprocal."""


def with_spectrum_of_scan(
    noise: torch.Tensor, scan: torch.Tensor, clean: torch.Tensor
) -> torch.Tensor:
    """Return simulated noise whose spectrum is as steep as that of a scan's noise.

    The logarithm of the filter is a straight line over the frequency, which changes the texture but
    hardly the level. The noise of a scan with fewer than :data:`MIN_WINDOWS` flat windows of soft
    tissue is returned as it is.

    Parameters
    ----------
    noise : realisations, (M, N, rows, columns), HU, on the CPU.
    scan, clean : the scan and its denoised slices, (N, rows, columns), HU, on the CPU. Windows are
        flat if they are flat in ``clean``.
    """
    hu, denoised = scan.numpy(), clean.numpy()
    try:
        _, _, measured, *simulated = flat_windows(denoised, denoised, hu, *noise.numpy())
    except BadInputError:  # too little soft tissue
        return noise
    if len(measured) < MIN_WINDOWS:
        return noise
    frequency, _, power = window_spectrum(measured)
    simulated_power = np.mean([window_spectrum(windows)[2] for windows in simulated], axis=0)
    compared = (frequency >= FREQUENCIES[0]) & (power > 0) & (simulated_power > 0)
    if not compared.any():
        return noise
    frequency, power, simulated_power = (
        values[compared] for values in (frequency, power, simulated_power)
    )
    log_gain = np.log(power / simulated_power) / 2
    slope, _ = np.polyfit(frequency, log_gain, 1, w=np.sqrt(simulated_power))
    return _tilted(noise, slope, np.average(frequency, weights=simulated_power))


def _tilted(noise: torch.Tensor, slope: float, centre: float) -> torch.Tensor:
    """Return noise, multiplied in its spectrum by exp(slope · (frequency − centre))."""
    rows, columns = noise.shape[-2:]
    down, along = torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)
    frequency = torch.hypot(down, along).clamp(*FREQUENCIES)
    gain = (slope * (frequency - centre)).exp().clamp(1 / MAX_GAIN, MAX_GAIN)
    return torch.fft.irfft2(torch.fft.rfft2(noise) * gain, s=(rows, columns))
