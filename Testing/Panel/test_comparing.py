"""Side-by-side views show original and denoised at the same position, zoom and window."""

import numpy as np
import pytest
from view_label import labelIn

from .conftest import PATIENCE, contrast, nodeIDs, voxels

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")

VIEWS = ["PseudoCTDenoiseOriginal", "PseudoCTDenoiseDenoised", "PseudoCTDenoiseNoise"]


def views(count=2):
    import slicer

    return [slicer.app.layoutManager().sliceWidget(name) for name in VIEWS[:count]]


def shown(count=2):
    import slicer

    ids = [view.mrmlSliceCompositeNode().GetBackgroundVolumeID() for view in views(count)]
    return [slicer.mrmlScene.GetNodeByID(nodeID) for nodeID in ids]


def places(count=2):
    """Offset in mm and mm a pixel of each view."""
    nodes = [view.mrmlSliceNode() for view in views(count)]
    return [
        (round(n.GetSliceOffset(), 4), round(n.GetFieldOfView()[0] / n.GetDimensions()[0], 4))
        for n in nodes
    ]


def plotOnScreen():
    import slicer

    assert slicer.app.layoutManager().plotWidget(0).visible
    view = slicer.mrmlScene.GetSingletonNode("PseudoCTDenoisePlot", "vtkMRMLPlotViewNode")
    return view.GetPlotChartNode()


def tableOnScreen():
    import slicer

    assert slicer.app.layoutManager().tableWidget(0).visible
    view = slicer.mrmlScene.GetSingletonNode("PseudoCTDenoiseTable", "vtkMRMLTableViewNode")
    return view.GetTableNode()


def select(volume):
    """Select a volume as Slicer does after loading it."""
    import slicer

    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetActiveVolumeID(volume.GetID())
    logic.PropagateVolumeSelection()


def test_side_by_side_shows_both_at_the_same_place_and_zoom(panel, phantom, result, slicerApp):
    user.click(panel.ui.sideBySideButton)
    slicerApp.processEvents()
    assert shown() == [phantom, result]
    assert len(set(places())) == 1
    original, denoised = (contrast(view.sliceView()) for view in views())
    assert original > denoised > 5


def test_the_axial_view_determines_the_position(panel, phantom, slicerApp):
    import slicer

    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.setSliceViewerLayers(background=phantom, fit=True)
    axial = manager.sliceWidget("Red").mrmlSliceNode()
    axial.SetSliceOffset(axial.GetSliceOffset() + 5)
    slicerApp.processEvents()
    assert axial.GetOrientation() == "Axial"
    position = [axial.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
    comparison = slicer.util.getModuleLogic("PseudoCTDenoise").comparison
    assert comparison.positionIn(phantom) == pytest.approx(position)


def test_scrolling_and_zooming_one_view_moves_the_other(panel, phantom, result, slicerApp):
    user.click(panel.ui.sideBySideButton)
    slicerApp.processEvents()
    before = places()[0]
    user.scrollWheel(views()[0].sliceView(), 1)
    scrolled = places()
    assert scrolled[0] == scrolled[1] and scrolled[0][0] != before[0]
    user.drag(views()[1].sliceView(), (50, 50), (50, 120), "Right")
    zoomed = places()
    assert zoomed[0] == zoomed[1] and zoomed[0][1] != before[1]


def test_window_and_level_follow_each_other(panel, phantom, result):
    user.click(panel.ui.sideBySideButton)
    displays = [phantom.GetDisplayNode(), result.GetDisplayNode()]
    displays[1].SetWindowLevel(80, 60)
    assert [(d.GetWindow(), d.GetLevel()) for d in displays] == [(80, 60)] * 2
    user.choose(panel.ui.windowComboBox, "Lung (1500 / -600 HU)")
    assert [(d.GetWindow(), d.GetLevel()) for d in displays] == [(1500, -600)] * 2


@pytest.mark.parametrize("name", ["Soft tissue", "Liver", "Lung", "Bone"])
def test_there_are_the_usual_windows_of_ct(panel, phantom, result, name):
    from PseudoCTDenoiseLib.scene.window_presets import WINDOW_PRESETS

    window, level = WINDOW_PRESETS[name]
    user.choose(panel.ui.windowComboBox, f"{name} ({window:g} / {level:g} HU)")
    display = result.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (window, level)


@pytest.mark.parametrize(("plane", "normal"), [("Coronal", 1), ("Sagittal", 0), ("Axial", 2)])
def test_every_plane_lies_along_the_volumes_own_axes(
    panel, phantom, result, slicerApp, plane, normal
):
    import slicer

    user.click(panel.ui.sideBySideButton)
    user.choose(panel.ui.orientationComboBox, plane)
    slicerApp.processEvents()
    for view in views():
        towards = slicer.util.arrayFromVTKMatrix(view.mrmlSliceNode().GetSliceToRAS())[:3, 2]
        directions = np.eye(3)
        phantom.GetIJKToRASDirections(directions)
        assert abs(towards @ directions[:, normal]) == pytest.approx(1, abs=1e-6)
    assert len(set(places())) == 1


def corners(volume, bounds):
    """Return the world RAS (mm) of the corners of an index box, (8, 3)."""
    import itertools

    from PseudoCTDenoiseLib.scene.geometry import indexToWorld

    transform = indexToWorld(volume)
    return np.array([transform.TransformPoint(point) for point in itertools.product(*bounds)])


@pytest.mark.parametrize("plane", ["Axial", "Coronal", "Sagittal"])
def test_the_body_fills_the_views_in_every_plane(panel, phantom, makeResult, slicerApp, plane):
    import slicer

    hu = np.full((4, 192, 192), -1000, np.int16)
    noise = np.random.default_rng(0).normal(40, 20, (4, 60, 90))
    hu[:, 100:160, 20:110] = noise
    slicer.util.updateVolumeFromArray(phantom, hu)
    makeResult(phantom)
    user.click(panel.ui.sideBySideButton)
    user.choose(panel.ui.orientationComboBox, plane)
    slicerApp.processEvents()
    body = corners(phantom, [(20, 109), (100, 159), (0, 3)])
    for view in views():
        node = view.mrmlSliceNode()
        toView = np.linalg.inv(slicer.util.arrayFromVTKMatrix(node.GetXYToRAS()))
        inView = (np.c_[body, np.ones(8)] @ toView.T)[:, :2] / node.GetDimensions()[:2]
        low, high = inView.min(axis=0), inView.max(axis=0)
        assert low.min() >= 0 and high.max() <= 1
        assert (high - low).max() > 0.8
        assert low + high == pytest.approx([1, 1], abs=0.05)
    assert len(set(places())) == 1


@pytest.fixture
def unevenSlices(phantom, scene):
    """The phantom under a transform that doubles the distance after each slice."""
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    bounds = [0.0] * 6
    phantom.GetRASBounds(bounds)
    low, high = np.reshape(bounds, (3, 2)).T
    grid = vtk.vtkImageData()
    grid.SetDimensions(2, 2, 9)
    grid.SetOrigin(low)
    grid.SetSpacing((high - low) / [1, 1, 8])
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    shift = vtk_to_numpy(grid.GetPointData().GetScalars()).reshape(9, 2, 2, 3)
    shift[...] = 0
    shift[..., 2] = np.exp2(np.arange(9) / 2)[:, None, None]
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(grid)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "acquisition transform")
    node.SetAndObserveTransformToParent(transform)
    phantom.SetAndObserveTransformNodeID(node.GetID())
    return phantom


@pytest.mark.slow
def test_uneven_slices_are_compared_without_errors(
    panel, unevenSlices, makeResult, slicerApp, capfd
):
    result = makeResult(unevenSlices)
    assert result.GetTransformNodeID() == unevenSlices.GetTransformNodeID()
    capfd.readouterr()
    user.click(panel.ui.sideBySideButton)
    slicerApp.processEvents()
    for plane in ("Coronal", "Sagittal", "Axial"):
        user.choose(panel.ui.orientationComboBox, plane)
        slicerApp.processEvents()
        assert len(set(places())) == 1
        assert all(contrast(view.sliceView()) > 5 for view in views())
    assert capfd.readouterr().err == ""
    comparison = panel.logic.comparison
    for index in range(4):
        position = corners(unevenSlices, [[96], [96], [index]])[0]
        comparison.restore()
        comparison.show(unevenSlices, result, position=tuple(position))
        slicerApp.processEvents()
        assert panel.runControl.sliceOnScreen(unevenSlices, 2) == index


def test_a_layout_without_its_views_does_not_stop_the_comparison(panel, phantom, result):
    comparison = panel.logic.comparison
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(comparison), "_widget", lambda self, name: None)
        panel.logic.showSideBySide(result)
        comparison.adoptViews(phantom, result)
        comparison.setOrientation("Coronal")
    assert comparison.denoised is result


def test_a_translated_plane_is_chosen_by_its_index(panel, phantom, result, slicerApp):
    user.click(panel.ui.sideBySideButton)
    panel.ui.orientationComboBox.setItemText(2, "Sagittalebene")
    user.choose(panel.ui.orientationComboBox, "Sagittalebene")
    assert panel.logic.comparison.orientation == "Sagittal"


@pytest.mark.parametrize(
    ("third", "role"),
    [
        ("Noise map", "PseudoCTDenoise.NoiseMap"),
        ("Difference", "PseudoCTDenoise.FullStrengthRemoved"),
    ],
)
def test_noise_or_difference_stands_beside_them_in_diverging_colours(
    panel, phantom, result, slicerApp, third, role
):
    user.choose(panel.ui.thirdViewComboBox, third)
    slicerApp.processEvents()
    noise = result.GetNodeReference(role)
    assert shown(3) == [phantom, result, noise]
    assert len(set(places(3))) == 1
    display = noise.GetDisplayNode()
    assert display.GetLevel() == 0 and "blue to red" in display.GetColorNode().GetName()
    user.choose(panel.ui.thirdViewComboBox, "None")
    assert shown(2) == [phantom, result]
    assert not views(3)[2].visible


def test_blinking_shows_original_and_denoised_in_turn_in_one_view(panel, phantom, result):
    user.click(panel.ui.blinkCheckBox)
    for volume in (phantom, result, phantom):
        user.waitUntil(lambda volume=volume: shown()[1] is volume, 30, "the other volume")
        assert labelIn(VIEWS[1]).splitlines()[0] == volume.GetName()
    user.click(panel.ui.blinkCheckBox)
    assert shown() == [phantom, result]


def test_restore_brings_the_former_layout_back(panel, phantom, result, slicerApp):
    import slicer

    former = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    manager = slicer.app.layoutManager()
    manager.setLayout(former)
    assert not panel.ui.restoreLayoutButton.enabled
    user.click(panel.ui.sideBySideButton)
    user.choose(panel.ui.thirdViewComboBox, "Difference")
    assert manager.layout != former
    user.click(panel.ui.restoreLayoutButton)
    assert manager.layout == former
    assert not panel.ui.restoreLayoutButton.enabled
    assert labelIn(VIEWS[0]) == ""


def test_plots_and_provenance_are_shown_below_the_views(panel, phantom, result, slicerApp):
    user.click(panel.ui.plotsAndTablesButton)
    slicerApp.processEvents()
    assert plotOnScreen().GetName() == "Phantom denoised noise histogram"
    assert tableOnScreen() is result.GetNodeReference("PseudoCTDenoise.Provenance")
    user.choose(panel.ui.plotComboBox, "Tuning loss")
    assert plotOnScreen().GetTitle() == "Loss of the tuning"


def test_measuring_in_a_region_fills_a_table(panel, phantom, result, scene, slicerApp):

    bounds = [0.0] * 6
    phantom.GetRASBounds(bounds)
    centre = [(bounds[2 * i] + bounds[2 * i + 1]) / 2 for i in range(3)]
    region = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Liver")
    region.SetCenter(centre)
    region.SetSize(20, 20, 6)
    user.click(panel.ui.measureCollapsibleButton)
    assert not panel.ui.measureButton.enabled
    user.choose(panel.ui.regionSelector, region)
    user.click(panel.ui.measureButton)
    table = panel.measurePanel.table
    cells = [
        [table.GetCellText(row, column) for column in range(table.GetNumberOfColumns())]
        for row in range(table.GetNumberOfRows())
    ]
    header = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]
    assert "Original" in " ".join(header) and "Denoised" in " ".join(header), header
    assert any("HU" in cell for row in cells for cell in row)
    assert tableOnScreen() is table
    user.click(panel.ui.measureButton)
    assert panel.measurePanel.table is table


def draw(view, start, end):
    """Draw a box with two clicks; positions are fractions of the view's width and height."""
    for x, y in (start, end):
        position = int(x * view.width), int(y * view.height)
        user.move(view, position)
        user.click(view, *position)


def test_regions_are_drawn_with_two_clicks_in_the_views(panel, phantom, result, slicerApp):
    import slicer

    user.click(panel.ui.measureCollapsibleButton)
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    for name, left in (("Region", 0.2), ("Background", 0.6)):
        user.click(getattr(panel.ui, f"place{name}Button"))
        slicerApp.processEvents()
        assert shown() == [phantom, result]
        assert interaction.GetCurrentInteractionMode() == interaction.Place
        draw(views()[1].sliceView(), (left, 0.45), (left + 0.1, 0.5))
        assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform
        node = getattr(panel.ui, f"{name.lower()}Selector").currentNode()
        assert node.GetName() == name and sorted(node.GetSize())[1] > 10
    user.click(panel.ui.measureButton)
    assert tableOnScreen().GetName() == "Phantom denoised in Region against Background"


def test_placing_again_makes_another_region_only_after_the_first_is_drawn(
    panel, phantom, result, slicerApp
):
    user.click(panel.ui.measureCollapsibleButton)
    selector = panel.ui.regionSelector
    user.click(panel.ui.placeRegionButton)
    first = selector.currentNode()
    user.click(panel.ui.placeRegionButton)
    assert selector.currentNode() is first
    slicerApp.processEvents()
    draw(views()[0].sliceView(), (0.4, 0.45), (0.5, 0.5))
    size = first.GetSize()
    user.click(panel.ui.placeRegionButton)
    assert selector.currentNode() is not first and first.GetSize() == size
    assert selector.currentNode().GetName() == "Region_1"


def test_a_result_without_its_input_names_the_missing_volume(
    panel, phantom, result, slicerApp, scene
):
    scene.RemoveNode(phantom)
    user.click(panel.ui.sideBySideButton)
    assert (
        "is no longer in the scene, or Phantom denoised is a clone" in slicerApp.dialogs.texts()[0]
    )


def test_a_saved_scene_comes_back_with_results_provenance_and_strength(
    panel, phantom, result, slicerApp, tmp_path
):
    import slicer
    from PseudoCTDenoiseLib.scene.provenance import provenanceOf

    user.enterText(panel.ui.strengthSlider, "60")
    user.click(panel.ui.sideBySideButton)
    kept, told = voxels(result).copy(), provenanceOf(result)
    scan = voxels(phantom).copy()
    layout = slicer.app.layoutManager().layout
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    removed = result.GetNodeReference("PseudoCTDenoise.FullStrengthRemoved")
    hierarchy.CreateItem(hierarchy.GetSceneItemID(), removed)  # as an earlier version did
    path = tmp_path / "Sünde 1" / "scene.mrb"
    path.parent.mkdir()
    assert slicer.util.saveScene(str(path))
    slicerApp.clearScene()
    slicer.util.loadScene(str(path))
    slicerApp.processEvents()
    again = slicer.util.getNode("Phantom denoised")
    assert np.array_equal(voxels(again), kept)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    removed = again.GetNodeReference("PseudoCTDenoise.FullStrengthRemoved")
    assert hierarchy.GetItemByDataNode(removed) == hierarchy.GetInvalidItemID()
    assert provenanceOf(again) == told and told["Strength"] == 60
    assert slicer.app.layoutManager().layout == layout
    assert panel.ui.outputSelector.currentNode() is again
    assert panel.ui.strengthSlider.value == 60
    table = again.GetNodeReference("PseudoCTDenoise.Provenance")
    assert table.GetNumberOfRows() > 5
    user.enterText(panel.ui.strengthSlider, "0")
    assert np.array_equal(voxels(again), scan)
    user.click(panel.ui.plotsAndTablesButton)
    assert panel.ui.plotComboBox.count > 0


@pytest.fixture
def savedComparison(panel, phantom, result, tmp_path):
    """A scene file that was saved while the comparison was shown."""
    import slicer

    user.click(panel.ui.sideBySideButton)
    path = tmp_path / "scene"
    assert slicer.util.saveScene(str(path))
    return next(path.glob("*.mrml"))


def test_without_the_extension_a_saved_comparison_opens_in_slicers_own_layout(savedComparison):
    import slicer

    elsewhere = slicer.vtkMRMLScene()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(elsewhere, True)
    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(elsewhere)
    node = logic.GetLayoutNode()
    fourUp = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    node.SetViewArrangement(fourUp)
    elsewhere.SetURL(str(savedComparison))
    elsewhere.Connect()
    assert elsewhere.GetFirstNodeByName("Phantom denoised") is not None
    assert node.GetViewArrangement() == fourUp
    assert node.GetCurrentLayoutDescription() == node.GetLayoutDescription(fourUp)


def test_a_saved_comparison_opens_in_the_comparison_before_the_panel_does(
    savedComparison, panel, slicerApp
):
    import slicer
    from PseudoCTDenoiseLib.scene import comparison_layouts as layouts

    slicerApp.leave()
    slicerApp.clearScene()
    manager = slicer.app.layoutManager()
    assert manager.layout not in layouts.FILES
    slicer.util.loadScene(str(savedComparison))
    assert manager.layout == layouts.TWO_VIEWS
    slicerApp.processEvents()
    assert labelIn(VIEWS[0]) == "Phantom"
    assert labelIn(VIEWS[1]) == "Phantom denoised\nderived – research use only"
    again = slicer.util.getNode("Phantom denoised")
    again.GetDisplayNode().SetWindowLevel(80, 60)
    assert slicer.util.getNode("Phantom").GetDisplayNode().GetWindow() == 80
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    again.GetDisplayNode().SetWindowLevel(90, 60)
    assert slicer.util.getNode("Phantom").GetDisplayNode().GetWindow() == 80
    panel.logic.showSideBySide(again)
    slicerApp.select("PseudoCTDenoise")
    assert panel.logic.comparison.shows(again)


def test_a_comparison_of_a_preview_is_not_restored(panel, phantom, result, slicerApp, tmp_path):
    import slicer
    from PseudoCTDenoiseLib.scene import comparison_layouts as layouts

    user.click(panel.ui.sideBySideButton)
    result.SetSaveWithScene(False)  # as a preview is
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicerApp.clearScene()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicerApp.processEvents()
    assert slicer.app.layoutManager().layout not in layouts.FILES


def test_a_comparison_without_its_views_is_not_restored(
    savedComparison, panel, slicerApp, monkeypatch
):
    import slicer
    from PseudoCTDenoiseLib.scene import comparison_layouts as layouts

    slicerApp.clearScene()
    monkeypatch.setattr(type(panel.logic.comparison), "_widget", lambda self, name: None)
    slicer.util.loadScene(str(savedComparison))
    slicerApp.processEvents()
    assert slicer.app.layoutManager().layout not in layouts.FILES


def test_a_scene_saved_after_the_comparison_keeps_its_layout(panel, phantom, result, tmp_path):
    import slicer

    fourUp = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    user.click(panel.ui.sideBySideButton)
    slicer.app.layoutManager().setLayout(fourUp)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    panel.logic.showSideBySide(result)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    assert slicer.app.layoutManager().layout == fourUp


@pytest.fixture
def second(panel, phantom, result):
    """Another result of the same scan, at 40 %."""
    import slicer

    other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, result, "Second")
    panel.logic.applyStrength(other, 40)
    return other


def test_choosing_another_result_changes_neither(panel, phantom, result, second):
    kept = [voxels(node).copy() for node in (result, second)]
    user.choose(panel.ui.outputSelector, second)
    assert panel.ui.outputSelector.currentNode() is second
    assert panel.ui.strengthSlider.value == 40
    assert not panel.logic.comparison.shown
    user.choose(panel.ui.outputSelector, result)
    assert panel.ui.strengthSlider.value == 100
    assert all(np.array_equal(voxels(n), k) for n, k in zip((result, second), kept, strict=True))


@pytest.mark.parametrize("button", ["sideBySideButton", "plotsAndTablesButton"])
def test_the_comparison_on_screen_shows_the_result_of_the_light_and_the_slider(
    panel, phantom, result, second, button
):
    import slicer

    user.click(getattr(panel.ui, button))
    layout = slicer.app.layoutManager().layout
    user.choose(panel.ui.outputSelector, second)
    assert shown() == [phantom, second]
    assert slicer.app.layoutManager().layout == layout
    assert panel.ui.removedNoiseLabel.text.startswith("Second: <span")
    second.SetName("Follow-up <2>")
    assert panel.ui.removedNoiseLabel.text.startswith("Follow-up &lt;2&gt;: <span")
    slicer.mrmlScene.RemoveNode(phantom)  # without it there is no comparison
    user.choose(panel.ui.outputSelector, result)
    assert panel.logic.comparison.denoised is second
    assert panel.ui.removedNoiseLabel.text.startswith("Phantom denoised: <span")


def test_the_slider_follows_a_strength_that_a_script_sets(panel, phantom, result):
    panel.logic.applyStrength(result, 30)
    assert panel.ui.strengthSlider.value == 30


def test_a_noise_map_is_not_overwritten_without_asking(panel, phantom, result, slicerApp):
    user.choose(panel.ui.outputSelector, "Create a new volume")
    noise = result.GetNodeReference("PseudoCTDenoise.NoiseMap")
    panel.logic.getParameterNode().outputVolume = noise  # the selector does not offer it
    slicerApp.dialogs.answerWith("Cancel")
    user.click(panel.ui.applyButton)
    assert not panel.runPanel.running


def test_without_the_removed_noise_the_strength_stays_and_says_why(
    panel, phantom, result, scene, slicerApp
):
    scene.RemoveNode(result.GetNodeReference("PseudoCTDenoise.FullStrengthRemoved"))
    user.enterText(panel.ui.strengthSlider, "30")
    assert "The removed noise of Phantom denoised is no longer" in panel.ui.statusLabel.text
    assert panel.ui.strengthSlider.value == 100 and not slicerApp.dialogs.shown
    user.click(panel.ui.sideBySideButton)
    assert shown() == [phantom, result]


def test_a_changed_original_is_not_mixed_with_the_former_ones_noise(panel, phantom, result):
    import slicer

    kept = voxels(result).copy()
    slicer.util.updateVolumeFromArray(phantom, voxels(phantom) + 200)
    user.enterText(panel.ui.strengthSlider, "30")
    assert "Phantom was changed since Phantom denoised was made" in panel.ui.statusLabel.text
    assert np.array_equal(voxels(result), kept)


def test_each_region_keeps_its_table(panel, phantom, result, scene):
    user.click(panel.ui.measureCollapsibleButton)
    bounds = [0.0] * 6
    phantom.GetRASBounds(bounds)
    tables = []
    for name in ("one", "two", "one"):
        region = scene.GetFirstNodeByName(name)
        if region is None:
            region = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
            region.SetCenter([(bounds[2 * i] + bounds[2 * i + 1]) / 2 for i in range(3)])
            region.SetSize(20, 20, 6)
        user.choose(panel.ui.regionSelector, region)
        user.click(panel.ui.measureButton)
        tables.append(tableOnScreen())
    assert tables[0] is tables[2] and tables[0] is not tables[1]


def test_without_charts_no_other_results_plot_is_shown(panel, phantom, result, scene):
    user.click(panel.ui.plotsAndTablesButton)
    assert plotOnScreen() is not None
    for _ in range(result.GetNumberOfNodeReferences("PseudoCTDenoise.Charts")):
        scene.RemoveNode(result.GetNthNodeReference("PseudoCTDenoise.Charts", 0))
    panel.comparePanel.setOutput(result)
    user.click(panel.ui.plotsAndTablesButton)
    assert plotOnScreen() is None


def test_leaving_the_comparison_by_slicers_own_menu_ends_it(panel, phantom, result):
    import slicer

    user.click(panel.ui.sideBySideButton)
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert not panel.ui.restoreLayoutButton.enabled
    phantom.GetDisplayNode().SetWindowLevel(77, 33)
    assert result.GetDisplayNode().GetWindow() != 77


def test_a_script_that_shows_a_result_lets_the_panel_restore_the_layout(panel, phantom, result):
    panel.logic.showSideBySide(result)
    assert panel.ui.restoreLayoutButton.enabled


def test_a_loaded_comparison_has_its_labels_and_can_be_left(
    panel, phantom, result, slicerApp, tmp_path
):
    import slicer

    user.choose(panel.ui.thirdViewComboBox, "Difference")
    user.choose(panel.ui.orientationComboBox, "Coronal")
    for view in views(3):  # as in a scene of an earlier version
        view.mrmlSliceCompositeNode().SetDoPropagateVolumeSelection(True)
    path = tmp_path / "scene.mrb"
    slicer.util.saveScene(str(path))
    slicerApp.clearScene()
    for view in views(3):  # another session has no such views
        slicer.mrmlScene.RemoveNode(view.mrmlSliceNode())
    slicer.util.loadScene(str(path))
    slicerApp.processEvents()
    again = slicer.util.getNode("Phantom denoised")
    select(again)
    assert panel.logic.comparison.shows(again)
    assert all(view.mrmlSliceCompositeNode().GetHotLinkedControl() for view in views(3))
    assert len(set(places(3))) == 1
    label = labelIn(VIEWS[1])
    assert label == "Phantom denoised\nderived – research use only"
    assert panel.ui.thirdViewComboBox.currentText == "Difference"
    user.click(panel.ui.restoreLayoutButton)
    fourUp = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert slicer.app.layoutManager().layout == fourUp


def test_a_loaded_comparison_waits_for_a_batch_process_that_runs_the_event_loop(
    savedComparison, panel, slicerApp
):
    """A progress dialog runs the event loop."""
    import slicer

    slicerApp.clearScene()
    for view in views():
        slicer.mrmlScene.RemoveNode(view.mrmlSliceNode())
    batch = slicer.vtkMRMLScene.BatchProcessState
    slicer.mrmlScene.StartState(batch)
    slicer.util.loadScene(str(savedComparison))
    slicerApp.processEvents()
    assert panel.logic.comparison.original is None
    slicer.mrmlScene.EndState(batch)
    slicerApp.processEvents()
    assert panel.logic.comparison.shows(slicer.util.getNode("Phantom denoised"))


def test_a_module_that_is_unloaded_meanwhile_leaves_the_views_of_a_loaded_scene(
    savedComparison, panel, slicerApp
):
    import slicer

    slicerApp.clearScene()
    slicer.util.loadScene(str(savedComparison))
    panel.cleanup()
    slicerApp.processEvents()
    assert panel.logic.comparison.original is None


@pytest.fixture
def movie(panel, phantom, scene):
    """A browser of a sequence of two scans; the phantom shows the first."""
    import slicer

    frames = [voxels(phantom) + np.int16(offset) for offset in (0, 5)]
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "movie")
    for index, hu in enumerate(frames):
        frame = slicer.vtkMRMLScalarVolumeNode()
        frame.CopyContent(phantom)
        slicer.util.updateVolumeFromArray(frame, hu)
        sequence.SetDataNodeAtValue(frame, str(index))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.AddProxyNode(phantom, sequence, False)
    browser.SetSelectedItemNumber(0)
    return browser


def test_another_item_of_a_sequence_is_not_taken_for_the_denoised_one(
    panel, phantom, movie, makeResult
):
    result = makeResult(phantom)
    kept = voxels(result).copy()
    user.click(panel.ui.sideBySideButton)
    assert labelIn(VIEWS[0]) == "Phantom\ntime 0 s"
    movie.SetSelectedItemNumber(1)
    assert labelIn(VIEWS[0]) == "Phantom\ntime 1 s\nnot the item that was denoised"
    user.enterText(panel.ui.strengthSlider, "30")
    assert "Show time 0 s in the sequence browser" in panel.ui.statusLabel.text
    assert panel.ui.strengthSlider.value == 100 and np.array_equal(voxels(result), kept)
    movie.SetSelectedItemNumber(0)
    assert labelIn(VIEWS[0]) == "Phantom\ntime 0 s"


def test_the_item_that_the_user_looks_at_stays_when_the_job_of_another_ends(
    panel, phantom, movie, halvingWorker, slicerApp
):
    user.choose(panel.ui.inputSelector, phantom)
    user.click(panel.ui.applyButton)
    movie.SetSelectedItemNumber(1)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the result")
    assert movie.GetSelectedItemNumber() == 1 and not slicerApp.dialogs.shown
    assert labelIn(VIEWS[0]) == "Phantom\ntime 1 s\nnot the item that was denoised"
    assert labelIn(VIEWS[1]).startswith("Phantom time 0 s denoised\n")
    assert panel.ui.outputSelector.currentNode() is None


@pytest.mark.slow
def test_all_items_of_a_sequence_are_denoised_and_shown_side_by_side(panel, phantom, movie):
    user.choose(panel.ui.inputSelector, phantom)
    user.choose(panel.ui.presetComboBox, "Quick: pre-trained network")
    user.click(panel.ui.advancedCollapsibleButton)
    user.click(panel.ui.allItemsCheckBox)
    user.click(panel.ui.applyButton)
    assert panel.ui.applyButton.text == "Cancel"
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the result")
    assert panel.ui.statusLabel.text.startswith("Done: Phantom denoised"), panel.ui.statusLabel.text
    output = shown()[1]
    assert shown()[0] is phantom and movie.IsProxyNodeID(output.GetID())
    for number in (1, 0):
        movie.SetSelectedItemNumber(number)
        assert labelIn(VIEWS[0]) == f"Phantom\ntime {number} s"
        lines = ["Phantom denoised", f"time {number} s", "derived – research use only"]
        assert labelIn(VIEWS[1]).splitlines() == lines
        assert 0 < abs(voxels(output) - voxels(phantom)).mean() < 30


@pytest.mark.slow
def test_a_sequence_is_cancelled_with_the_button(panel, phantom, movie, scene):
    user.choose(panel.ui.inputSelector, phantom)
    user.click(panel.ui.advancedCollapsibleButton)
    user.enterText(panel.ui.stepsSpinBox, "5000")
    user.click(panel.ui.allItemsCheckBox)
    before = nodeIDs()
    user.click(panel.ui.applyButton)
    progress = "Item 1 of 2, tuning"
    user.waitUntil(lambda: panel.ui.statusLabel.text.startswith(progress), PATIENCE, "tuning")
    user.click(panel.ui.applyButton)
    user.waitUntil(lambda: not panel.runPanel.running, PATIENCE, "the end")
    assert panel.ui.statusLabel.text == "Cancelled. The scene is unchanged."
    assert nodeIDs() == before and panel.ui.applyButton.text == "Denoise"


def test_a_volume_without_a_sequence_has_no_other_items(panel, phantom, result):
    user.click(panel.ui.advancedCollapsibleButton)
    assert not panel.ui.allItemsCheckBox.enabled


@pytest.fixture
def other(scene):
    """A second scan, which nobody has denoised."""
    import slicer

    return slicer.util.addVolumeFromArray(np.zeros((4, 9, 9), np.int16), name="Second scan")


def test_a_volume_that_is_loaded_does_not_replace_the_compared_ones(panel, phantom, result, other):
    user.choose(panel.ui.thirdViewComboBox, "Difference")
    before = shown(3)
    select(other)
    assert shown(3) == before and before[:2] == [phantom, result]


@pytest.fixture
def browse(slicerApp):
    """A function that shows another layout for a while, as Slicer's DICOM browser does."""
    import slicer

    manager = slicer.app.layoutManager()

    def browse(meanwhile=lambda: None):
        before = manager.layout
        manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpGreenSliceView)
        slicerApp.processEvents()
        meanwhile()
        manager.setLayout(before)
        slicerApp.processEvents()

    return browse


def test_a_comparison_comes_back_after_another_modules_layout(
    panel, phantom, result, other, browse
):
    import slicer

    user.choose(panel.ui.thirdViewComboBox, "Difference")
    panel.logic.comparison.flip()
    before = [phantom, result, shown(3)[2]]
    browse(lambda: slicer.util.setSliceViewerLayers(background=other))
    assert shown(3) == before
    assert labelIn(VIEWS[0]) == "Phantom"
    assert labelIn(VIEWS[1]) == "Phantom denoised\nderived – research use only"
    result.GetDisplayNode().SetWindowLevel(80, 60)
    assert phantom.GetDisplayNode().GetWindow() == 80
    user.click(panel.ui.restoreLayoutButton)
    oneUp = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert slicer.app.layoutManager().layout == oneUp


@pytest.mark.slow
def test_a_comparison_comes_back_with_the_result_that_was_selected_meanwhile(
    panel, phantom, result, second, browse
):
    user.click(panel.ui.sideBySideButton)
    browse(lambda: user.choose(panel.ui.outputSelector, second))
    assert shown() == [phantom, second]
    assert panel.logic.comparison.shows(second)


@pytest.mark.slow
@pytest.mark.parametrize("isClosed", [False, True])
def test_a_comparison_whose_volumes_have_gone_gives_way_to_the_users_layout(
    panel, phantom, result, browse, scene, isClosed
):
    import slicer

    user.click(panel.ui.sideBySideButton)
    browse(lambda: scene.Clear(0) if isClosed else scene.RemoveNode(result))
    oneUp = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert slicer.app.layoutManager().layout == oneUp
    assert labelIn(VIEWS[0]) == labelIn(VIEWS[1]) == ""


@pytest.mark.slow
def test_a_scene_that_is_loaded_meanwhile_shows_its_own_comparison(savedComparison, panel, browse):
    import slicer

    browse(lambda: slicer.util.loadScene(str(savedComparison)))
    assert panel.logic.comparison.shows(slicer.util.getNode("Phantom denoised"))
    assert labelIn(VIEWS[0]) == "Phantom"


@pytest.mark.slow
def test_a_result_that_a_script_shows_while_the_comparison_comes_back_stays(
    panel, phantom, result, second, slicerApp
):
    import slicer

    user.click(panel.ui.sideBySideButton)
    manager = slicer.app.layoutManager()
    before = manager.layout
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpGreenSliceView)
    manager.setLayout(before)
    panel.logic.showSideBySide(second)
    slicerApp.processEvents()
    assert shown() == [phantom, second]
    assert labelIn(VIEWS[1]).startswith("Second\n")


def test_two_logics_draw_one_label(panel, phantom, result):
    import slicer

    user.click(panel.ui.sideBySideButton)
    script = type(panel.logic)()
    script.showSideBySide(result)
    result.SetName("Follow-up")
    assert labelIn(VIEWS[1]).startswith("Follow-up")
    view = slicer.app.layoutManager().sliceWidget(VIEWS[1]).sliceView()
    props = view.renderWindow().GetRenderers().GetFirstRenderer().GetViewProps()
    texts = [p.GetInput() for p in props if p.IsA("vtkTextActor")]
    assert texts == ["Follow-up\nderived – research use only"]
    user.click(panel.ui.restoreLayoutButton)
    assert labelIn(VIEWS[1]) == ""


def test_labels_follow_a_new_name(panel, phantom, result):
    user.click(panel.ui.sideBySideButton)
    result.SetName("Follow-up")
    label = labelIn(VIEWS[1])
    assert label == "Follow-up\nderived – research use only"
    assert labelIn(VIEWS[0]) == "Phantom"


def test_selectors_that_move_while_another_module_is_open_store_nothing(
    panel, phantom, result, slicerApp
):
    choices = panel.logic.getParameterNode()
    slicerApp.leave()
    panel.ui.outputSelector.setCurrentNode(None)
    panel.ui.inputSelector.setCurrentNode(result)
    assert choices.outputVolume is result and choices.inputVolume is phantom
    slicerApp.select("PseudoCTDenoise")
    assert panel.ui.outputSelector.currentNode() is result
    assert panel.ui.inputSelector.currentNode() is phantom


def test_labels_follow_what_another_module_shows(panel, phantom, result):
    import slicer

    comparison = panel.logic.comparison
    panel.logic.showSideBySide(result)
    assert comparison.shows(result)
    slicer.util.setSliceViewerLayers(background=phantom)
    assert labelIn(VIEWS[1]) == phantom.GetName()
    assert not comparison.shows(result)
    slicer.util.setSliceViewerLayers(background=result)
    assert labelIn(VIEWS[0]).startswith(result.GetName() + "\n")
    panel.comparePanel.showViews()
    assert comparison.shows(result)
    assert labelIn(VIEWS[0]) == phantom.GetName()
    slicer.mrmlScene.RemoveNode(result)
    assert labelIn(VIEWS[1]) == ""
