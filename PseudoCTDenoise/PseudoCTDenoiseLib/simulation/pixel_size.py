"""Range of pixel sizes for which noise is simulated."""

from __future__ import annotations

PIXEL_MM_RANGE = (0.1, 5.0)
"""Range of the pixel size of a CT in mm, with crops and downsampled scans. Time and memory of the
simulation grow with smaller pixels, and its line integrals with larger ones."""


def simulated_pixel_mm(pixel_mm: float) -> float:
    """Return the pixel size in mm for the simulation: that of the scan, limited to the range."""
    low, high = PIXEL_MM_RANGE
    return min(max(pixel_mm, low), high)


def pixel_size_warning(
    pixel_mm: float, name: str = "The scan", *, simulates: bool = True
) -> str | None:
    """Return a warning if no CT has pixels of this size, otherwise None.

    Parameters
    ----------
    pixel_mm : pixel size in mm.
    name : name of the scan in the warning.
    simulates : True if noise is simulated for the scan, so that the size is limited.
    """
    used = simulated_pixel_mm(pixel_mm)
    if used == pixel_mm:
        return None
    text = (
        f"{name} has pixels of {pixel_mm:g} mm, which is unusual for a CT. Check the pixel size in "
        "the header."
    )
    return f"{text} Noise is simulated with pixels of {used:g} mm." if simulates else text
