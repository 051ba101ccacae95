"""qMRMLPlotWidget: draws the chart of a plot view node with VTK's charts."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Signal

from .abstract_view import OffScreenView
from .off_screen import hide
from .view_frame import qMRMLAbstractViewWidget

BOTTOM, LEFT = vtk.vtkAxis.BOTTOM, vtk.vtkAxis.LEFT


class qMRMLPlotView(OffScreenView):
    mrmlSceneChanged = Signal(object)

    def __init__(self) -> None:
        self._context = vtk.vtkContextView()
        super().__init__(hide(self._context.GetRenderWindow()))
        self._context.GetRenderer().SetBackground(1.0, 1.0, 1.0)
        self._chart = vtk.vtkChartXY()
        self._context.GetScene().AddItem(self._chart)
        self._node = None
        self._observed: list[tuple[Any, int]] = []

    def show(self, chartNode: Any) -> None:
        """Draw the chart now and whenever the chart, its series or their tables change."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._node, self._observed = chartNode, []
        for source in _sources(chartNode):
            tag = source.AddObserver(vtk.vtkCommand.ModifiedEvent, self._sourceChanged)
            self._observed.append((source, tag))
        self._chart.ClearPlots()
        self._chart.SetVisible(chartNode is not None)
        if chartNode is not None:
            for index in range(chartNode.GetNumberOfPlotSeriesNodes()):
                _addSeries(self._chart, chartNode.GetNthPlotSeriesNode(index))
            _setTitles(self._chart, chartNode)
            _setAxes(self._chart, chartNode)
        self.scheduleRender()

    def _sourceChanged(self, *unused: Any) -> None:
        self.show(self._node)


def _sources(chartNode: Any) -> list[Any]:
    if chartNode is None:
        return []
    series = [
        chartNode.GetNthPlotSeriesNode(i) for i in range(chartNode.GetNumberOfPlotSeriesNodes())
    ]
    series = [s for s in series if s is not None]
    tables = [s.GetTableNode() for s in series if s.GetTableNode() is not None]
    return [chartNode, *series, *tables]


def _addSeries(chart: vtk.vtkChartXY, series: Any) -> None:
    table = series.GetTableNode() if series is not None else None
    if table is None or table.GetTable().GetNumberOfRows() == 0:
        return
    bars = series.GetPlotType() in (series.PlotTypeBar, series.PlotTypeScatterBar)
    plot = chart.AddPlot(vtk.vtkChart.BAR if bars else vtk.vtkChart.LINE)
    x, y = series.GetXColumnName(), series.GetYColumnName()
    takesX = series.GetPlotType() in (series.PlotTypeScatter, series.PlotTypeScatterBar)
    if takesX and x:
        plot.SetInputData(table.GetTable(), x, y)
    else:
        plot.UseIndexForXSeriesOn()
        plot.SetInputData(table.GetTable(), y, y)
    plot.SetLabel(series.GetName())
    color = [round(255 * c) for c in series.GetColor()]
    plot.SetColor(*color, round(255 * series.GetOpacity()))
    if bars:
        return
    if series.GetLineStyle() == series.LineStyleNone:
        plot.GetPen().SetLineType(vtk.vtkPen.NO_PEN)
    else:
        plot.GetPen().SetLineType(series.GetLineStyle())
        plot.SetWidth(series.GetLineWidth())
    plot.SetMarkerStyle(series.GetMarkerStyle())
    plot.SetMarkerSize(series.GetMarkerSize())


def _setTitles(chart: vtk.vtkChartXY, node: Any) -> None:
    chart.SetTitle((node.GetTitle() or "") if node.GetTitleVisibility() else "")
    chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
    chart.SetShowLegend(bool(node.GetLegendVisibility()))
    chart.GetLegend().SetLabelSize(node.GetLegendFontSize())
    titles = {
        BOTTOM: (node.GetXAxisTitle(), node.GetXAxisTitleVisibility()),
        LEFT: (node.GetYAxisTitle(), node.GetYAxisTitleVisibility()),
    }
    for place, (title, visible) in titles.items():
        axis = chart.GetAxis(place)
        axis.SetTitle((title or "") if visible else "")
        axis.GetTitleProperties().SetFontSize(node.GetAxisTitleFontSize())
        axis.GetLabelProperties().SetFontSize(node.GetAxisLabelFontSize())
        axis.SetGridVisible(bool(node.GetGridVisibility()))


def _setAxes(chart: vtk.vtkChartXY, node: Any) -> None:
    ranges = {
        BOTTOM: (node.GetXAxisRangeAuto(), node.GetXAxisRange(), node.GetXAxisLogScale()),
        LEFT: (node.GetYAxisRangeAuto(), node.GetYAxisRange(), node.GetYAxisLogScale()),
    }
    for place, (auto, ends, log) in ranges.items():
        axis = chart.GetAxis(place)
        axis.SetLogScale(bool(log))
        axis.SetBehavior(vtk.vtkAxis.AUTO if auto else vtk.vtkAxis.FIXED)
        if not auto:
            axis.SetRange(*ends)
    chart.RecalculateBounds()


class qMRMLPlotWidget(qMRMLAbstractViewWidget):
    def __init__(self, app: Any, node: Any, label: str, color: str) -> None:
        super().__init__(node, qMRMLPlotView(), label, color)
        self._title = QtWidgets.QLabel("")
        self._bar.layout().addWidget(self._title, 1)
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow)
        self._follow()

    def _follow(self, *unused: Any) -> None:
        chart = self._node.GetPlotChartNode()
        self._title.setText(chart.GetName() if chart is not None else "")
        self._view.show(chart)

    def plotView(self) -> qMRMLPlotView:
        return self._view
