"""Traffic light of the removed noise: green if no structure was found, red if it was removed.

The limits were chosen on the validation scans, see Docs/research/default-method.md. The light
informs; it never changes a result. This file does not import torch.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ct.removed_structure import RemovedStructure
from ..ct.slice_distances import slice_name

GREEN, AMBER, RED, NOT_JUDGED = "green", "amber", "red", "not judged"
EDGE_LIMITS = (0.28, 0.4)
"""Correlation with edges from which the light is amber and red."""
SPOT_LIMITS = (8.5, 9.0)
"""Strongest spot, in standard deviations, from which the light is amber and red."""
LOWEST_FREQUENCY_RATIO = 0.8
"""Mean frequency of the removed noise over that of the scan's below which the light is amber.
A high ratio is not amber: where only fine noise was removed, coarse noise and structure remain."""

_MEANING = {
    GREEN: "No structure was found in the removed noise",
    AMBER: "The removed noise may contain structure",
    RED: "The removed noise contains structure of the anatomy",
}


def check_removed_noise(
    structures: Sequence[RemovedStructure | None],
    frequency_ratio: float | None,
    labels: Sequence[str] = (),
) -> dict:
    """Return the traffic light and its figures as values for JSON.

    Parameters
    ----------
    structures : of every slice at full strength, from :func:`.removed_structure`; None for slices
        that are not judged.
    frequency_ratio : mean frequency of the removed noise over that of the scan's noise in flat
        tissue, or None if it is unknown.
    labels : what the files call the slices, such as "Instance Number 13"; empty if they do not.

    Returns
    -------
    ``light`` is green, amber, red or "not judged". ``edge_correlation`` and ``strongest_spot`` are
    the largest of all slices, or None; ``edge_slice`` and ``spot_slice`` are these slices, counted
    from 0. ``slices_judged`` is their number, ``mean_frequency_ratio`` the given ratio. With labels
    there are also ``edge_slice_label`` and ``spot_slice_label``.
    """
    edges = {n: s.edge_correlation for n, s in enumerate(structures) if s is not None}
    edges = {number: edge for number, edge in edges.items() if edge is not None}
    spots = {n: s.strongest_spot for n, s in enumerate(structures) if s is not None}
    edge_slice = max(edges, key=edges.get, default=None)
    spot_slice = max(spots, key=spots.get, default=None)
    check = {
        "light": NOT_JUDGED,
        "slices_judged": len(spots),
        "edge_correlation": edges.get(edge_slice),
        "edge_slice": edge_slice,
        "strongest_spot": spots.get(spot_slice),
        "spot_slice": spot_slice,
        "mean_frequency_ratio": frequency_ratio,
    }
    if labels:
        found = {"edge_slice_label": edge_slice, "spot_slice_label": spot_slice}
        check |= {key: None if n is None else labels[n] or None for key, n in found.items()}
    return check | {"light": _light(check)} if spots else check


def removed_noise_sentence(check: dict, first_slice: int = 0) -> str:
    """Return one sentence on the light, with figures and what to do.

    Parameters
    ----------
    check : from :func:`check_removed_noise`.
    first_slice : number of the first denoised slice of the scan, counted from 0.
    """
    if check["light"] == NOT_JUDGED:
        return (
            "The removed noise was not judged: no slice shows enough of the body (about 64×64 "
            "pixels away from air and from the border of the image) from which noise was removed. "
            "Look at the difference image."
        )
    figures = f"the strongest spot has {check['strongest_spot']:.1f} standard deviations"
    if check["edge_correlation"] is not None:
        figures = (
            f"its correlation with edges is at most {check['edge_correlation']:.2f}, {figures}"
        )
    ratio = check["mean_frequency_ratio"]
    if ratio is not None:
        figures += f", and its mean frequency is {ratio:.2f} times that of the scan's noise"
    advice = ""
    key = doubtful_slice(check)
    if key is not None:
        where = slice_name(first_slice + check[key], check.get(f"{key}_label") or "")
        advice = (
            f" Compare original and difference image, first in {where}. If structure is "
            "missing, lower the strength or use the original."
        )
    return f"{_MEANING[check['light']]}: {figures}.{advice}"


def _light(check: dict) -> str:
    edge, spot = check["edge_correlation"] or 0.0, check["strongest_spot"]
    if edge >= EDGE_LIMITS[1] or spot >= SPOT_LIMITS[1]:
        return RED
    ratio = check["mean_frequency_ratio"]
    coarse = ratio is not None and ratio < LOWEST_FREQUENCY_RATIO
    return AMBER if coarse or edge >= EDGE_LIMITS[0] or spot >= SPOT_LIMITS[0] else GREEN


def doubtful_slice(check: dict) -> str | None:
    """Return the key of the slice to look at; None if the light is neither amber nor red.

    It is the slice whose figure is the higher one relative to its limit.
    """
    if check["light"] not in (AMBER, RED):
        return None
    edge = (check["edge_correlation"] or 0.0) / EDGE_LIMITS[1]
    spot = check["strongest_spot"] / SPOT_LIMITS[1]
    return "edge_slice" if edge > spot else "spot_slice"
