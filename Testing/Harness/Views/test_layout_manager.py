"""The layout manager makes the views that a layout names."""

import numpy as np
import pytest

from .conftest import TWO_SLICES

WITH_FIGURES = 4712
FIGURES = """
<layout type="vertical">
 <item><view class="vtkMRMLPlotViewNode" singletontag="HarnessPlot"/></item>
 <item><view class="vtkMRMLTableViewNode" singletontag="HarnessTable"/></item>
</layout>
"""


@pytest.fixture
def figures(manager, slicerApp):
    """A plot and a table."""
    manager.layoutLogic().GetLayoutNode().AddLayoutDescription(WITH_FIGURES, FIGURES)
    manager.setLayout(WITH_FIGURES)
    slicerApp.processEvents()
    return manager


def test_starts_with_one_view(slicer, manager):
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert manager.sliceWidget("Red").visible


def test_own_layout_and_the_way_back(slicer, manager, twoSlices, slicerApp):
    red, (left, right) = manager.sliceWidget("Red"), twoSlices
    assert left.visible and right.visible and not red.visible
    assert left.sliceView().width == pytest.approx(right.sliceView().width, abs=2)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    slicerApp.processEvents()
    assert red.visible and not left.visible
    assert {"Red", "Left", "Right"} <= set(manager.sliceViewNames())
    assert manager.sliceWidget("Left") is left
    assert manager.sliceWidget("Nowhere") is None


def test_layout_is_told_and_kept_in_the_scene(slicer, manager):
    told = []
    manager.connect("layoutChanged(int)", told.append)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    manager.disconnect("layoutChanged(int)", told.append)
    assert told == [slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView]
    assert manager.layoutLogic().GetLayoutNode().GetViewArrangement() == told[0]


def test_layout_waits_for_the_end_of_a_batch_process(slicer, manager):
    batch = slicer.vtkMRMLScene.BatchProcessState
    slicer.mrmlScene.StartState(batch)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    red, threeDViews = manager.sliceWidget("Red"), manager.threeDViewCount
    slicer.mrmlScene.EndState(batch)
    assert red.visible and threeDViews == 0 and manager.threeDViewCount == 1


def test_view_goes_with_its_node_and_comes_back(slicer, manager, twoSlices, slicerApp):
    slicer.mrmlScene.RemoveNode(twoSlices[0].mrmlSliceNode())
    assert manager.sliceWidget("Left") is None
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    manager.setLayout(TWO_SLICES)
    slicerApp.processEvents()
    assert manager.sliceWidget("Left").visible


def test_slicers_own_layouts_are_built_and_pictured(slicer, manager, slicerApp):
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert manager.threeDViewCount == 1
    assert manager.threeDWidget(0).visible
    assert manager.threeDWidget(1) is None
    assert {"Red", "Green", "Yellow"} <= set(manager.sliceViewNames())
    assert not slicerApp.grab().isNull()


def test_layout_that_the_harness_cannot_build_is_a_fault(slicer, manager, slicerApp):
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutTabbedSliceView)
    (fault,) = slicerApp.takeFaults()
    assert "no layouts of the type tab" in str(fault)
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert manager.sliceWidget("Red").visible


def test_layout_without_a_description_is_the_conventional_one(slicer, manager):
    manager.setLayout(4799)
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalView


def test_view_in_a_layout_keeps_its_slice_and_composite_node(twoSlices, slicer):
    left = twoSlices[0]
    assert left.mrmlSliceNode().GetSingletonTag() == "Left"
    assert left.mrmlSliceNode() is slicer.mrmlScene.GetSingletonNode("Left", "vtkMRMLSliceNode")
    assert left.mrmlSliceCompositeNode().GetLayoutName() == "Left"
    assert left.sliceLogic().GetSliceNode() is left.mrmlSliceNode()


def test_views_survive_a_closed_scene(slicer, manager, twoSlices, slicerApp):
    slicer.mrmlScene.Clear(0)
    slicerApp.processEvents()
    assert twoSlices[0].mrmlSliceCompositeNode().GetBackgroundVolumeID() is None
    assert manager.sliceWidget("Left") is twoSlices[0]


def test_table_view_shows_the_cells_of_its_table(figures, slicer):
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "Measures")
    slicer.util.updateTableFromArray(table, np.array([[1.0, 2.0], [3.0, 4.0]]), ["mean", "sd"])
    view = slicer.mrmlScene.GetSingletonNode("HarnessTable", "vtkMRMLTableViewNode")
    view.SetTableNodeID(table.GetID())
    tableView = figures.tableWidget(0).tableView()
    assert tableView.mrmlTableNode() is table
    model = tableView.model()
    assert (model.rowCount(), model.columnCount()) == (2, 2)
    assert model.data(model.index(1, 0)) == "3"


def test_plot_view_draws_its_chart(figures, slicer):
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    slicer.util.updateTableFromArray(table, np.array([[0.0, 0.0], [1.0, 1.0]]), ["x", "y"])
    series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "line")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("x")
    series.SetYColumnName("y")
    series.SetPlotType(series.PlotTypeScatter)
    series.SetColor(1.0, 0.0, 0.0)
    series.SetLineWidth(4)
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", "Chart")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    view = slicer.mrmlScene.GetSingletonNode("HarnessPlot", "vtkMRMLPlotViewNode")
    view.SetPlotChartNodeID(chart.GetID())
    plotView = figures.plotWidget(0).plotView()

    def redPixels():
        image = plotView._q.image()
        points = [(x, y) for x in range(image.width()) for y in range(0, image.height(), 7)]
        colors = [image.pixelColor(x, y).getRgb() for x, y in points]
        return sum(r > 200 and g < 60 and b < 60 for r, g, b, a in colors)

    assert redPixels() > 20
    series.SetColor(0.0, 0.0, 1.0)
    assert redPixels() == 0
