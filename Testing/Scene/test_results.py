"""Results have the geometry and the study of the scan, and change strength immediately."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest
from example_report import REPORT
from PseudoCTDenoiseLib.ct.strength import apply_strength
from PseudoCTDenoiseLib.errors import BadInputError

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene import provenance, results  # noqa: E402
from PseudoCTDenoiseLib.scene.ct_input import ctFromNode  # noqa: E402
from PseudoCTDenoiseLib.scene.geometry import geometryOf  # noqa: E402
from PseudoCTDenoiseLib.scene.live_preview import LivePreview, sliceIndexAt  # noqa: E402
from PseudoCTDenoiseLib.scene.measurements import measure  # noqa: E402
from PseudoCTDenoiseLib.scene.result_cleanup import ResultCleanup  # noqa: E402
from PseudoCTDenoiseLib.scene.results import Outputs, applyStrength, storeResult  # noqa: E402

SHAPE = (5, 32, 40)
RNG = np.random.default_rng(3)
HU = np.clip(RNG.normal(-300, 400, SHAPE), -1024, 3000).astype(np.int16)
CLEAN = np.clip(HU + RNG.normal(0, 20, SHAPE), -1024, 3000).astype(np.int16)
DIRECTIONS = np.linalg.qr(np.eye(3) + 0.05 * RNG.normal(size=(3, 3)))[0]
DIRECTIONS *= np.sign(np.diag(DIRECTIONS))


@pytest.fixture
def scan(scene):
    """Oblique, transformed, and with a window of its own."""
    node = slicer.util.addVolumeFromArray(HU, name="scan")
    node.SetIJKToRASDirections(*DIRECTIONS.ravel())
    node.SetSpacing(0.7123, 0.7123, 2.5)
    node.SetOrigin(-101.3, 88.8, 12.345)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    node.SetAndObserveTransformNodeID(transform.GetID())
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()
    node.GetDisplayNode().SetWindowLevel(350, 45)
    return node


def job_result(denoised=CLEAN, first=0, last=SHAPE[0] - 1):
    part = np.s_[first : last + 1]
    noise = np.full(SHAPE, 7, np.int16)[part]
    return SimpleNamespace(
        denoised=denoised[part],
        noise=noise,
        noise_maps={"noise-a": noise, "noise-b": -noise},
        report=REPORT,
    )


def store(scan, outputs=None, to=None, **more):
    return storeResult(scan, to, ctFromNode(scan), job_result(), outputs or Outputs(), **more)


def voxels(node):
    return slicer.util.arrayFromVolume(node)


def test_the_result_has_the_scans_geometry_to_the_last_bit(scan):
    output = store(scan, Outputs(modelMaps=True, removedNoise=True))
    nodes = [output] + [
        output.GetNodeReference(role)
        for role in (
            provenance.NOISE_MAP,
            provenance.PSEUDO_LDCT,
            provenance.REMOVED_NOISE,
            f"{provenance.NOISE_MAP}.noise-a",
            f"{provenance.NOISE_MAP}.noise-b",
        )
    ]
    for node in nodes:
        assert np.array_equal(geometryOf(node), geometryOf(scan))
        assert node.GetTransformNodeID() == scan.GetTransformNodeID()
        assert node.GetAttribute(provenance.DERIVED) == "1"
    assert np.array_equal(voxels(output), CLEAN) and voxels(output).dtype == np.int16
    assert np.array_equal(voxels(scan), HU)


def test_the_noise_map_is_the_mean_and_each_model_has_a_map_of_its_own(scan):
    output = store(scan, Outputs(modelMaps=True))
    expected = {"": 7, ".noise-a": 7, ".noise-b": -7}
    for model, hu in expected.items():
        assert (voxels(output.GetNodeReference(f"{provenance.NOISE_MAP}{model}")) == hu).all()


def test_the_result_has_the_scans_quantity_and_units(scan):
    for name, code in (("Quantity", "112031"), ("Units", "[hnsf'U]")):
        entry = slicer.vtkCodedEntry()
        entry.SetValueSchemeMeaning(code, "DCM", "meaning")
        getattr(scan, f"SetVoxelValue{name}")(entry)
    output = store(scan)
    assert output.GetVoxelValueQuantity().GetCodeValue() == "112031"
    assert output.GetVoxelValueUnits().GetCodeValue() == "[hnsf'U]"
    output.GetVoxelValueUnits().SetCodeValue("mm")
    assert scan.GetVoxelValueUnits().GetCodeValue() == "[hnsf'U]"


def test_the_result_is_shown_at_the_scans_window(scan):
    display = store(scan).GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (350, 45)
    assert not display.GetAutoWindowLevel()


def test_noise_has_a_symmetric_window_and_diverging_colours(scan):
    display = store(scan).GetNodeReference(provenance.NOISE_MAP).GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel()) == (100, 0)  # 7 HU everywhere: ±50
    colors = display.GetColorNode()
    low, middle, high = np.zeros((3, 4))
    for index, color in ((0, low), (128, middle), (255, high)):
        colors.GetColor(index, color)
    assert low[2] > low[0] and high[0] > high[2] and middle[:3].min() > 0.9


def test_only_requested_volumes_are_created(scan, scene):
    output = store(scan, Outputs(noiseMap=False, pseudoLdct=False))
    names = {n.GetName() for n in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")}
    assert names == {"scan", "scan denoised", "scan removed noise"}
    assert output.GetNodeReference(provenance.REMOVED_NOISE).GetHideFromEditors()


def test_a_second_run_into_the_same_output_makes_no_further_nodes(scan, scene):
    output = store(scan)
    count = scene.GetNumberOfNodes()
    assert store(scan, to=output) is output
    assert scene.GetNumberOfNodes() == count


@pytest.mark.parametrize("strength", [0, 1, 37.5, 50, 100])
def test_every_strength_is_the_engines(scan, strength):
    output = store(scan)
    applyStrength(output, strength)
    assert np.array_equal(voxels(output), apply_strength(HU, CLEAN, strength))
    assert output.GetAttribute(provenance.STRENGTH) == f"{strength:g}"


def test_strength_nothing_is_the_scan_and_full_strength_comes_back(scan):
    output = store(scan, strength=60)
    applyStrength(output, 0)
    assert np.array_equal(voxels(output), HU)
    applyStrength(output, 100)
    assert np.array_equal(voxels(output), CLEAN)


@pytest.fixture(params=[np.float32, np.float64])
def fractions(request, scene):
    """A scan with fractions of HU."""
    values = np.maximum(HU + RNG.uniform(-0.49, 0.49, SHAPE), -1024).astype(request.param)
    return slicer.util.addVolumeFromArray(values, name="fractions")


def test_strength_nothing_is_the_scan_with_its_type_and_its_fractions_of_hu(fractions):
    output = store(fractions, strength=0)
    for _ in range(2):
        assert voxels(output).dtype == voxels(fractions).dtype
        assert np.array_equal(voxels(output), voxels(fractions))
        applyStrength(output, 100)
        assert np.array_equal(voxels(output), CLEAN)
        applyStrength(output, 40)
        assert np.allclose(voxels(output), 0.4 * CLEAN + 0.6 * voxels(fractions), atol=1e-3)
        applyStrength(output, 0)


def test_slices_that_were_not_denoised_keep_their_fractions_of_hu(fractions):
    result = job_result(first=1, last=2)
    output = storeResult(
        fractions, None, ctFromNode(fractions), result, Outputs(), sliceRange=(1, 2)
    )
    for strength in (100, 50, 100):
        for index in (0, 3, 4):
            assert np.array_equal(voxels(output)[index], voxels(fractions)[index])
        applyStrength(output, strength)


def test_a_result_in_whole_hu_of_an_earlier_version_gets_the_fractions_of_its_scan(fractions):
    output = store(fractions)
    slicer.util.updateVolumeFromArray(output, CLEAN)
    output.SetAttribute(provenance.SHOWN_CRC32, None)
    applyStrength(output, 0)
    assert np.array_equal(voxels(output), voxels(fractions))


def test_strength_needs_the_scan_and_says_so(scan, scene):
    output = store(scan)
    scene.RemoveNode(scan)
    said = "input of scan denoised is no longer in the scene, or scan denoised is a clone"
    with pytest.raises(BadInputError, match=said):
        applyStrength(output, 50)


def test_strength_needs_removed_noise_of_the_same_size_and_says_so(scan):
    output = store(scan)
    removed = output.GetNodeReference(provenance.REMOVED_NOISE)
    slicer.util.updateVolumeFromArray(removed, voxels(removed)[:, :1].copy())
    with pytest.raises(BadInputError, match="no longer has the size of its input"):
        applyStrength(output, 50)
    assert np.array_equal(voxels(output), CLEAN)


@pytest.mark.parametrize("strength", [-1, 100.5, float("nan")])
def test_a_strength_out_of_range_is_refused(scan, strength):
    with pytest.raises(BadInputError, match="between 0 and 100 %"):
        applyStrength(store(scan), strength)


def test_slices_outside_the_range_stay_as_they_are(scan):
    result = job_result(first=1, last=2)
    output = storeResult(scan, None, ctFromNode(scan), result, Outputs(), 100, (1, 2))
    expected = HU.copy()
    expected[1:3] = CLEAN[1:3]
    assert np.array_equal(voxels(output), expected)
    applyStrength(output, 0)
    assert np.array_equal(voxels(output), HU)
    assert not voxels(output.GetNodeReference(provenance.NOISE_MAP))[[0, 3, 4]].any()
    expected = HU.copy()
    expected[1:3] = np.maximum(HU[1:3] - 14, -1024)  # the noise is 7 HU everywhere
    pseudoLdct = output.GetNodeReference(provenance.PSEUDO_LDCT)
    assert np.array_equal(voxels(pseudoLdct), expected)


def test_a_failure_half_way_leaves_the_scene_as_it_was(scan, scene, monkeypatch):
    before = {scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())}

    def fail(*arguments):
        raise RuntimeError("disk full")

    monkeypatch.setattr(provenance, "recordProvenance", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        store(scan)
    after = {scene.GetNthNode(i).GetID() for i in range(scene.GetNumberOfNodes())}
    assert after == before


def test_the_result_lies_beside_the_scan_in_its_study(scan, scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, scan)
    output = store(scan)
    item = hierarchy.GetItemByDataNode(output)
    assert hierarchy.GetItemParent(item) == study


def test_the_removed_noise_lies_in_the_study_only_while_lists_show_it(scan, scene):
    """The export of a study as DICOM takes every item of it, even a hidden volume."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, scan)
    output = store(scan)
    removed = output.GetNodeReference(provenance.REMOVED_NOISE)
    nowhere = slicer.vtkMRMLSubjectHierarchyNode.GetInvalidItemID()
    assert hierarchy.GetItemByDataNode(removed) == nowhere
    store(scan, Outputs(removedNoise=True), to=output)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(removed)) == study
    store(scan, to=output)
    assert hierarchy.GetItemByDataNode(removed) == nowhere
    assert scene.IsNodePresent(removed)


def test_no_volume_of_a_result_claims_to_be_the_files_of_the_scan(scan):
    scan.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    store(scan, Outputs(modelMaps=True))
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        claimed = node.GetAttribute("DICOM.instanceUIDs")
        assert claimed == ("1.2.3 1.2.4" if node is scan else None), node.GetName()


def test_a_preview_lies_on_its_slice_and_leaves_nothing_behind(scan, scene):
    before = scene.GetNumberOfNodes()
    preview = LivePreview(scan, axis=2)
    assert preview.show(3, HU[3]) and not preview.show(4, HU[4])
    assert voxels(preview.node).shape == (1, 32, 40)
    expected = geometryOf(scan) @ [0, 0, 4, 1]
    assert np.allclose(geometryOf(preview.node)[:, 3], expected)
    assert preview.node.GetHideFromEditors() and not preview.node.GetSaveWithScene()
    preview.remove()
    preview.remove()
    assert scene.GetNumberOfNodes() == before


def test_a_point_of_the_world_finds_its_slice(scan):
    middle = geometryOf(scan) @ [20, 16, 2.3, 1]
    assert sliceIndexAt(scan, 2, middle[:3]) == 2
    assert sliceIndexAt(scan, 2, (0, 0, 1e5)) == SHAPE[0] - 1


def cloneOf(output):
    clone = slicer.vtkMRMLScalarVolumeNode()
    clone.CopyContent(output)
    clone.CopyReferences(output)
    for name in output.GetAttributeNames():
        clone.SetAttribute(name, output.GetAttribute(name))
    return slicer.mrmlScene.AddNode(clone)


def test_a_clone_keeps_its_noise_when_the_scan_is_denoised_again(scan):
    output = store(scan)
    clone = cloneOf(output)
    other = job_result(denoised=(HU // 2).astype(np.int16))
    storeResult(scan, output, ctFromNode(scan), other, Outputs())
    applyStrength(clone, 0)
    applyStrength(clone, 100)
    assert np.array_equal(voxels(clone), CLEAN)
    assert np.array_equal(voxels(output), HU // 2)


@pytest.fixture
def cleanup(slicerApp, scene):
    cleanup = ResultCleanup()
    yield cleanup
    cleanup.stop()
    slicerApp.processEvents()


def removedNoise():
    """Return the names of the volumes of removed noise in the scene."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node.GetName() for node in volumes if node.GetName().endswith("removed noise")]


def test_the_hidden_removed_noise_goes_with_its_result(slicerApp, scan, scene, cleanup):
    output = store(scan)
    noise = output.GetNodeReference(provenance.NOISE_MAP)
    assert removedNoise() == ["scan removed noise"]
    scene.RemoveNode(output)
    slicerApp.processEvents()
    assert removedNoise() == []
    assert scene.IsNodePresent(noise) and scene.IsNodePresent(scan)


def test_removed_noise_that_the_user_asked_for_stays(slicerApp, scan, scene, cleanup):
    scene.RemoveNode(store(scan, Outputs(removedNoise=True)))
    slicerApp.processEvents()
    assert removedNoise() == ["scan removed noise"]


def test_removed_noise_goes_with_the_last_result_that_refers_to_it(slicerApp, scan, scene, cleanup):
    output = store(scan)
    clone = cloneOf(output)
    scene.RemoveNode(output)
    slicerApp.processEvents()
    applyStrength(clone, 50)
    scene.RemoveNode(clone)
    slicerApp.processEvents()
    assert removedNoise() == []


def test_no_other_node_goes_while_slicer_removes_a_result(slicerApp, scan, scene, cleanup):
    """Slicer removes a list of nodes in a loop, and reports an error for each that has gone."""
    output = store(scan)
    parts = [
        output.GetNodeReference(role) for role in (provenance.PROVENANCE, provenance.REMOVED_NOISE)
    ]
    scene.RemoveNode(output)
    assert all(map(scene.IsNodePresent, parts))
    slicerApp.processEvents()
    assert not any(map(scene.IsNodePresent, parts))


def test_parts_stay_while_slicer_asks_about_the_next_item(slicerApp, scan, scene, cleanup):
    import qt
    from SlicerHarness import user

    question = qt.QDialog()
    question.setModal(True)
    scene.RemoveNode(store(scan))
    question.show()
    slicerApp.processEvents()
    assert removedNoise()
    question.close()
    user.waitUntil(lambda: not removedNoise(), 10, "the removal")


def test_parts_that_another_result_uses_by_then_stay(slicerApp, scan, scene, cleanup):
    output = store(scan)
    removed = output.GetNodeReferenceID(provenance.REMOVED_NOISE)
    other = store(scan)
    scene.RemoveNode(output)
    other.SetNodeReferenceID(provenance.REMOVED_NOISE, removed)
    slicerApp.processEvents()
    assert scene.GetNodeByID(removed) is not None


def test_parts_go_although_the_panel_is_closed_before(slicerApp, scan, scene):
    cleanup = ResultCleanup()
    scene.RemoveNode(store(scan))
    cleanup.stop()
    del cleanup
    gc.collect()
    slicerApp.processEvents()
    assert removedNoise() == []


def test_nodes_of_the_next_scene_stay_even_with_equal_ids(slicerApp, scan, scene, cleanup):
    output = store(scan)
    before = output.GetNodeReferenceID(provenance.REMOVED_NOISE)
    scene.RemoveNode(output)
    scene.Clear(0)
    while scene.GetNodeByID(before) is None:
        scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    slicerApp.processEvents()
    assert scene.GetNodeByID(before) is not None


def test_the_result_of_another_scan_replaces_the_hidden_noise_too(scan):
    output = store(scan)
    other = slicer.util.addVolumeFromArray(HU, name="other")
    for _ in range(2):
        store(other, to=output)
        assert removedNoise() == ["other removed noise"]


def test_the_end_of_a_scene_is_left_to_slicer(scan, scene, cleanup):
    store(scan)
    scene.Clear(0)
    assert removedNoise() == [] and not cleanup._parts and not cleanup._orphans


def test_volumes_that_are_not_created_again_leave_the_result(scan):
    output = store(scan, Outputs(modelMaps=True))
    noise = output.GetNodeReference(provenance.NOISE_MAP)
    voxels(noise)[0] = 5  # a user has painted in it
    store(scan, Outputs(noiseMap=False, pseudoLdct=False), to=output)
    for role in (provenance.NOISE_MAP, provenance.PSEUDO_LDCT, "PseudoCTDenoise.NoiseMap.noise-a"):
        assert output.GetNodeReference(role) is None
    names = [n.GetName() for n in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
    kept = ["scan", "scan denoised", "scan noise (earlier result)", "scan removed noise"]
    assert sorted(names) == kept


def test_the_maps_of_another_scan_go_unless_a_clone_has_them(scan):
    output = store(scan)
    noise, pseudoLdct = map(output.GetNodeReference, (provenance.NOISE_MAP, provenance.PSEUDO_LDCT))
    clone = cloneOf(output)
    clone.RemoveNodeReferenceIDs(provenance.PSEUDO_LDCT)
    other = slicer.util.addVolumeFromArray(HU, name="other")
    store(other, to=output)
    assert slicer.mrmlScene.IsNodePresent(noise)
    assert not slicer.mrmlScene.IsNodePresent(pseudoLdct)


def test_a_map_that_replaces_its_own_result_is_kept_as_its_input(scan):
    output = store(scan)
    pseudoLdct = output.GetNodeReference(provenance.PSEUDO_LDCT)
    store(pseudoLdct, to=output)
    assert output.GetNodeReference(provenance.INPUT) is pseudoLdct


def test_nodes_of_another_scan_are_not_reused(scan, scene):
    output = store(scan)
    removed = output.GetNodeReference(provenance.REMOVED_NOISE)
    other = slicer.util.addVolumeFromArray(HU + 1, name="other")
    storeResult(other, output, ctFromNode(other), job_result(), Outputs())
    again = output.GetNodeReference(provenance.REMOVED_NOISE)
    assert again is not removed and again.GetName() == "other removed noise"


def test_another_strength_does_not_undo_a_change_of_the_result(scan):
    output = store(scan)
    applyStrength(output, 60)
    applyStrength(output, 40)
    voxels(output)[0] = 5
    slicer.util.arrayFromVolumeModified(output)
    with pytest.raises(BadInputError, match="scan denoised was changed since it was made"):
        applyStrength(output, 80)
    assert (voxels(output)[0] == 5).all()
    assert output.GetAttribute(provenance.STRENGTH) == "40"


@pytest.mark.parametrize("name, later", [(None, "other denoised"), ("mine", "mine")])
def test_the_result_of_another_scan_does_not_keep_its_automatic_name(scan, name, later):
    output = store(scan)
    output.SetName(name or output.GetName())
    other = slicer.util.addVolumeFromArray(HU + 1, name="other")
    assert store(other, to=output) is output
    assert output.GetName() == later
    assert store(other, to=output).GetName() == later


def test_after_an_error_the_old_image_has_no_new_removed_noise(scan, monkeypatch):
    output = store(scan)
    before = voxels(output).copy()

    def full(*arguments):
        raise MemoryError("no memory")

    monkeypatch.setattr(results, "_fillCt", full)
    with pytest.raises(MemoryError):
        storeResult(
            scan, output, ctFromNode(scan), job_result(CLEAN // 3), Outputs(pseudoLdct=False)
        )
    assert np.array_equal(voxels(output), before)
    with pytest.raises(BadInputError, match="removed noise .* is no longer in the scene"):
        applyStrength(output, 50)


def test_a_table_of_measurements_says_that_it_is_outdated(scan, scene):
    output = store(scan, strength=60)
    region = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "all")
    bounds = [0.0] * 6
    scan.GetRASBounds(bounds)
    region.SetCenter(np.add(bounds[::2], bounds[1::2]) / 2)
    region.SetSize(20, 20, 8)

    def columns(table):
        return [table.GetColumnName(i) for i in range(table.GetNumberOfColumns())]

    table = measure(scan, output, region)
    last = table.GetNumberOfRows() - 1
    assert [table.GetCellText(last, i) for i in range(5)] == [
        "Strength shown",
        "0",
        "60",
        "60",
        "%",
    ]
    for change in (lambda: applyStrength(output, 80), lambda: store(scan, to=output)):
        before = columns(table)
        change()
        change()
        assert columns(table)[2:4] == ["Denoised (outdated)", "Change (outdated)"]
        assert measure(scan, output, region) is table and columns(table) == before


def test_the_window_is_that_of_the_scan_also_if_it_was_automatic(scan):
    display = scan.GetDisplayNode()
    display.AutoWindowLevelOn()
    shown = store(scan).GetDisplayNode()
    assert (shown.GetWindow(), shown.GetLevel()) == (display.GetWindow(), display.GetLevel())
    assert not shown.GetAutoWindowLevel()
