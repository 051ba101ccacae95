"""Plots of the removed noise and of the tuning: table, series and chart nodes of a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer

from ..ct.hounsfield import TISSUE_HU
from ..ct.noise_texture import noise_power_spectrum
from ..ct.pixel_spacing import are_square
from ..simulation.pixel_size import pixel_size_warning
from .provenance import CHARTS, PREFIX, lossUnit, provenanceOf

KIND = f"{PREFIX}Plot"
"""Attribute of a chart that identifies its plot, so that a later run finds it."""

BLUE, ORANGE, GREY = (0.0, 0.45, 0.70), (0.84, 0.37, 0.0), (0.62, 0.62, 0.62)
"""Colours that colour-blind readers can distinguish (Okabe and Ito, 2008)."""

MOST_BINS = 121
SHOWN_PERCENT = 99.8
"""Percentage of the noise in the central range that the histogram shows."""

WINDOW = 64
MOST_SLICES = 32
MOST_WINDOWS = 256

SMOOTHED_STEPS = 20


@dataclass(frozen=True)
class Curve:
    """A line of a plot; the legend shows ``name``."""

    name: str
    y: np.ndarray
    color: tuple[float, float, float] = BLUE
    width: float = 2.0


@dataclass(frozen=True)
class Plot:
    """Content of a chart. ``kind`` identifies the plot and ends the names of its nodes."""

    kind: str
    title: str
    xTitle: str
    yTitle: str
    x: np.ndarray
    curves: tuple[Curve, ...]


def createPlots(
    outputNode,
    inputArray: np.ndarray,
    outputArray: np.ndarray,
    pixelSizeMm: float | tuple[float, float],
    losses: Sequence[float],
) -> list:
    """Plot the removed noise and the tuning loss.

    Parameters
    ----------
    outputNode : the denoised volume; its provenance determines the unit of the loss.
    inputArray, outputArray : the scan and its denoised version at full strength, HU,
        (slices, rows, columns).
    pixelSizeMm : side of a square pixel, or the distances of rows and of columns, in mm.
    losses : loss of every tuning step; may be empty.

    Returns
    -------
    The vtkMRMLPlotChartNodes, to which the output refers by the role ``CHARTS``:

    - "<output> noise histogram": removed noise (input − output) of the voxels above −500 HU,
      or of all voxels if there are none; in percent of the voxels per HU, within the central
      99.8 %.
    - "<output> noise power spectrum": radial NPS of the removed noise in the flattest tenth of all
      64×64 windows in tissue, up to the Nyquist frequency; HU² mm² over 1/cm. Omitted if no
      window lies in tissue, or pixels are not square or have no size of a CT.
    - "<output> tuning loss": loss of each step, and the mean of 20 steps; HU or HU². Omitted
      without losses.

    Nodes of an earlier run of the same output are reused; those that are no longer needed are
    removed from the scene.
    """
    losses = np.asarray(losses, dtype=float)
    lossUnitName = lossUnit(provenanceOf(outputNode).get("Settings", {}))
    plots = [
        _histogram(inputArray, outputArray),
        _spectrum(inputArray, outputArray, pixelSizeMm),
        _lossCurve(losses, lossUnitName),
    ]
    plots = [plot for plot in plots if plot is not None]

    earlier = {chart.GetAttribute(KIND): chart for chart in chartsOf(outputNode)}
    charts = [_draw(outputNode, plot, earlier.pop(plot.kind, None)) for plot in plots]
    for chart in earlier.values():
        _shorten(chart, 0)
        slicer.mrmlScene.RemoveNode(chart)
    outputNode.RemoveNodeReferenceIDs(CHARTS)
    for chart in charts:
        outputNode.AddNodeReferenceID(CHARTS, chart.GetID())
    return charts


def chartsOf(outputNode) -> list:
    """Return the charts of a result, without those that the user has removed."""
    count = outputNode.GetNumberOfNodeReferences(CHARTS)
    charts = [outputNode.GetNthNodeReference(CHARTS, index) for index in range(count)]
    return [chart for chart in charts if chart is not None]


def plotName(chart) -> str:
    """Return the name of a plot for a list, for example "Tuning loss"."""
    return (chart.GetAttribute(KIND) or chart.GetName()).capitalize()


# ---------------------------------------------------------------- figures


def _histogram(before: np.ndarray, after: np.ndarray) -> Plot:
    tissue = bool((before > TISSUE_HU).any())
    noises, counts = _distribution(before, after, tissue)
    share = np.cumsum(counts) / counts.sum()
    tail = (1 - SHOWN_PERCENT / 100) / 2
    low, high = noises[np.searchsorted(share, [tail, 1 - tail])]
    limit = max(abs(low), abs(high), 1)
    # Bins have an odd width, and one is centred at 0. Every bin then holds the same number of
    # integers, so the curve has no comb artefact.
    width = -(-(2 * limit + 1) // MOST_BINS) // 2 * 2 + 1
    side = -(-limit // width)
    centres = np.arange(-side, side + 1) * width
    bins = (noises - (centres[0] - width // 2)) // width
    inside = (bins >= 0) & (bins < len(centres))
    filled = np.bincount(bins[inside], weights=counts[inside], minlength=len(centres))
    percent = 100 * filled / (counts.sum() * width)
    return Plot(
        "noise histogram",
        f"Removed noise of voxels above {TISSUE_HU:.0f} HU" if tissue else "Removed noise",
        "Removed noise (HU)",
        "Voxels (% per HU)",
        centres.astype(float),
        (Curve("Removed noise", percent),),
    )


def _distribution(
    before: np.ndarray, after: np.ndarray, tissueOnly: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the removed whole HU in ascending order, and the number of voxels of each."""
    offset = 2**16  # int16 differ by less
    counts = np.zeros(2 * offset + 1, dtype=np.int64)
    for x, y in zip(before, after, strict=True):  # slice by slice, to save memory
        removed = np.rint(np.subtract(x, y, dtype=np.float32))
        if tissueOnly:
            removed = removed[x > TISSUE_HU]
        removed = np.clip(removed, -offset, offset).astype(np.int64) + offset
        counts += np.bincount(removed.ravel(), minlength=len(counts))
    found = np.flatnonzero(counts)
    return found - offset, counts[found]


def _spectrum(
    before: np.ndarray, after: np.ndarray, pixelSizeMm: float | tuple[float, float]
) -> Plot | None:
    rowMm, columnMm = np.broadcast_to(pixelSizeMm, 2)
    if not are_square((rowMm, columnMm)) or pixel_size_warning(columnMm):
        return None
    windows = _flatWindows(before, after)
    if windows is None:
        return None
    frequency, power = noise_power_spectrum(windows, float(columnMm))
    seen = frequency <= 10 / (2 * columnMm)
    return Plot(
        "noise power spectrum",
        f"Spectrum of the removed noise ({len(windows)} flat windows)",
        "Spatial frequency (1/cm)",
        "NPS (HU² mm²)",
        frequency[seen],
        (Curve("NPS of removed noise", power[seen]),),
    )


def _flatWindows(before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """Return the removed noise in the flattest windows, (count, rows, columns) HU, or None.

    Windows overlap by half, lie in tissue, and come from at most MOST_SLICES slices spread over
    the scan. The tenth with the smallest standard deviation of the denoised scan is selected. A
    selection by the input would depend on the noise itself.
    """
    _, rows, columns = before.shape
    if rows < WINDOW or columns < WINDOW:
        return None
    deviations, windows = [], []
    for index in np.unique(np.linspace(0, len(before) - 1, MOST_SLICES).astype(int)):
        x, y = (_tiles(hu[index]) for hu in (before, after))
        inTissue = y.min(axis=(1, 2)) > TISSUE_HU
        x, y = x[inTissue].astype(np.float32), y[inTissue].astype(np.float32)
        deviations.append(y.std(axis=(1, 2)))
        windows.append(x - y)
    order = np.argsort(np.concatenate(deviations), kind="stable")
    count = min(-(-len(order) // 10), MOST_WINDOWS)
    return np.concatenate(windows)[order[:count]] if count else None


def _tiles(image: np.ndarray) -> np.ndarray:
    """Return half-overlapping windows of (rows, columns), as (count, WINDOW, WINDOW)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (WINDOW, WINDOW))
    return windows[:: WINDOW // 2, :: WINDOW // 2].reshape(-1, WINDOW, WINDOW)


def _lossCurve(losses: np.ndarray, unit: str) -> Plot | None:
    if losses.size == 0:
        return None
    sums = np.cumsum(np.insert(losses, 0, 0.0))
    steps = np.arange(1, losses.size + 1)
    since = np.maximum(steps - SMOOTHED_STEPS, 0)
    mean = (sums[steps] - sums[since]) / (steps - since)
    return Plot(
        "tuning loss",
        "Loss of the tuning",
        "Step",
        f"Loss ({unit})" if unit else "Loss",
        steps.astype(float),
        (
            Curve("Loss of the step", losses, GREY, 1.0),
            Curve(f"Mean of {SMOOTHED_STEPS} steps", mean, ORANGE),
        ),
    )


# ---------------------------------------------------------------- nodes


def _draw(outputNode, plot: Plot, chart=None):
    """Fill a chart with its series and their table; missing nodes are created."""
    chart = chart or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode")
    wasModifying = chart.StartModify()
    name = f"{outputNode.GetName()} {plot.kind}"
    chart.SetAttribute(KIND, plot.kind)
    chart.SetName(name)
    chart.SetTitle(plot.title)
    chart.SetXAxisTitle(plot.xTitle)
    chart.SetYAxisTitle(plot.yTitle)
    chart.SetLegendVisibility(len(plot.curves) > 1)

    first = chart.GetNthPlotSeriesNode(0)
    table = first.GetTableNode() if first else None
    table = table or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    table.SetName(f"{name} data")
    columns = [plot.xTitle, *(curve.name for curve in plot.curves)]
    slicer.util.updateTableFromArray(table, [plot.x, *(curve.y for curve in plot.curves)], columns)
    table.SetUseColumnTitleAsColumnHeader(True)

    _shorten(chart, len(plot.curves))
    for index, curve in enumerate(plot.curves):
        series = chart.GetNthPlotSeriesNode(index)
        if series is None:
            series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode")
            chart.AddAndObservePlotSeriesNodeID(series.GetID())
        series.SetName(curve.name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(plot.xTitle)
        series.SetYColumnName(curve.name)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetMarkerStyle(series.MarkerStyleNone)
        series.SetLineStyle(series.LineStyleSolid)
        series.SetLineWidth(curve.width)
        series.SetColor(*curve.color)
    chart.EndModify(wasModifying)
    return chart


def _shorten(chart, count: int) -> None:
    """Remove the series from index ``count`` on, and their table if none is left."""
    nodes = [
        chart.GetNthPlotSeriesNode(index)
        for index in range(count, chart.GetNumberOfPlotSeriesNodes())
    ]
    tables = []
    if count == 0:
        tables = list(dict.fromkeys(s.GetTableNode() for s in nodes if s and s.GetTableNode()))
    for node in filter(None, [*nodes, *tables]):
        slicer.mrmlScene.RemoveNode(node)
