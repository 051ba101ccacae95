"""Distances between the slices of a stack, and what is wrong if they are not even."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

GAP_TOLERANCE = 0.1
"""Maximum deviation of a distance from the median distance, as a fraction of the median."""
MAX_DRIFT = 0.5
"""Maximum distance of a slice from its place in evenly spaced ones, as a fraction of the median."""
NAMED_GAPS = 3
"""Maximum number of places that a message names."""


def slice_name(index: int, label: str = "") -> str:
    """Return the name of a slice in a message: its number, and what its file calls it."""
    return f"slice {index + 1}" + (f" ({label})" if label else "")


def unevenness(offsets: Sequence[float], labels: Sequence[str] = ()) -> str:
    """Return how slices deviate from even spacing, or an empty text if they do not.

    Parameters
    ----------
    offsets : increasing positions of two or more slices along their axis, in mm.
    labels : what the files call the slices, see :func:`slice_name`; empty if they do not.
    """
    labels = labels or [""] * len(offsets)
    gaps = np.diff(offsets)
    usual = np.median(gaps)
    text = f"distances from {gaps.min():.4g} to {gaps.max():.4g} mm"
    odd = np.flatnonzero(np.abs(gaps - usual) > GAP_TOLERANCE * usual)
    if odd.size:
        places = [f"{gaps[i]:.4g} mm after {slice_name(i, labels[i])}" for i in odd[:NAMED_GAPS]]
        more = f" and {odd.size - NAMED_GAPS} more" if odd.size > NAMED_GAPS else ""
        return f"{text}: {', '.join(places)}{more}"
    drift = np.abs(np.linspace(offsets[0], offsets[-1], len(offsets)) - offsets).max()
    if drift > MAX_DRIFT * usual:
        return f"{text} that change along the scan, so that one slice would lie {drift:.3g} mm off"
    return ""


def uneven_warning(
    offsets: Sequence[float], labels: Sequence[str] = (), *, positions_kept: bool
) -> str:
    """Return the warning about slices that are not evenly spaced.

    Parameters
    ----------
    offsets : positions of the slices along their axis, in mm.
    labels : as for :func:`unevenness`.
    positions_kept : the output states the position of each slice. Otherwise it states the median
        distance.
    """
    text = f"The scan lacks slices or is unevenly spaced ({unevenness(offsets, labels)})."
    if positions_kept:
        return f"{text} Each slice keeps its position."
    usual = np.median(np.diff(offsets))
    shift = np.abs(offsets[0] + usual * np.arange(len(offsets)) - offsets).max()
    return (
        f"{text} The output states their median distance of {usual:.4g} mm, so slices lie up to "
        f"{shift:.3g} mm from their true place: do not measure along the scan."
    )
