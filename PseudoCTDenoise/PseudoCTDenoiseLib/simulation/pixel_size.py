"""Range of pixel sizes for which noise is simulated."""

from __future__ import annotations

PIXEL_MM_RANGE = (0.1, 5.0)
"""Range of the pixel size of a CT in mm, with crops and downsampled scans. Time and memory of the
simulation grow with smaller pixels, and its line integrals with larger ones."""


def simulated_pixel_mm(pixel_mm: float) -> float:
    """Return the pixel size in mm for the simulation: that of the scan, limited to the range."""
    low, high = PIXEL_MM_RANGE
    return min(max(pixel_mm, low), high)


def pixel_size_warning(pixel_mm: float, name: str = "The scan") -> str | None:
    """Return a warning if the pixel size, in mm, is limited for the simulation, otherwise None."""
    used = simulated_pixel_mm(pixel_mm)
    if used == pixel_mm:
        return None
    return (
        f"{name} has pixels of {pixel_mm:g} mm, which is unusual for a CT. Its noise is simulated "
        f"with pixels of {used:g} mm. Check the pixel size in the header."
    )
