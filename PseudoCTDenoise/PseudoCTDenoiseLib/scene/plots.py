"""Charts of the removed noise and of the tuning: table, series and chart nodes of a result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer

from .plot_content import Plot, lossCurve, noiseHistogram, noiseSpectrum
from .provenance import CHARTS, PREFIX, lossUnit, provenanceOf

KIND = f"{PREFIX}Plot"
"""Attribute of a chart that identifies its plot, so that a later run finds it."""


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
        noiseHistogram(inputArray, outputArray),
        noiseSpectrum(inputArray, outputArray, pixelSizeMm),
        lossCurve(losses, lossUnitName),
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
