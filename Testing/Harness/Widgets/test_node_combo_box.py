"""qMRMLNodeComboBox: which nodes it lists, and what the user can do with it."""

import pytest


@pytest.fixture
def selector(slicer):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    selector.show()
    return selector


def entries(selector):
    combo = selector._q._combo
    return [combo.itemText(i) for i in range(combo.count())]


def test_lists_the_nodes_of_its_type(selector, slicer):
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    assert selector.nodeCount() == 1
    assert selector.nodeFromIndex(0) is volume
    assert entries(selector)[:2] == ["None", "CT"]


@pytest.mark.parametrize(
    ("show", "hide", "count"),
    [(True, [], 3), (True, ["vtkMRMLLabelMapVolumeNode"], 2), (False, [], 1)],
)
def test_derived_types(selector, slicer, show, hide, count):
    for kind in ("ScalarVolume", "LabelMapVolume", "DiffusionTensorVolume"):
        slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}Node")
    selector.showChildNodeTypes = show
    selector.hideChildNodeTypes = hide
    assert selector.nodeCount() == count


def test_hidden_nodes_are_listed_on_demand(selector, slicer):
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(volume)
    assert selector.nodeCount() == 0
    selector.showHidden = True
    assert selector.nodeCount() == 1


def test_a_listed_node_that_is_hidden_stays_until_the_list_is_filtered_again(selector, slicer):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    volume.SetHideFromEditors(True)
    assert selector.nodeCount() == 1
    selector.sortFilterProxyModel().hiddenNodeIDs = ["another"]
    assert selector.nodeCount() == 0


def test_attribute_filters(selector, slicer):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    selector.addAttribute("vtkMRMLScalarVolumeNode", "Denoised", "1")
    assert selector.nodeCount() == 0
    volume.SetAttribute("Denoised", "1")
    assert selector.nodeCount() == 1
    volume.SetAttribute("Denoised", "0")
    assert selector.nodeCount() == 0


def test_none_is_chosen_at_first_where_it_is_enabled(selector, slicer):
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert selector.currentNode() is None
    assert selector.currentNodeID == ""


@pytest.fixture
def addVolumes(slicer):
    """A function that adds volumes with the given names."""
    return lambda *names: [
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name) for name in names
    ]


def test_without_none_the_first_node_of_the_scene_is_chosen(slicer, addVolumes):
    first, _second = addVolumes("first", "second")
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is first
    assert "None" not in entries(selector)


def test_a_node_can_be_chosen_before_there_is_a_scene(slicer, addVolumes):
    _first, second = addVolumes("first", "second")
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setCurrentNode(second)
    assert selector.currentNode() is None and not selector.enabled
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is second and selector.enabled


def test_removed_node_is_followed_by_the_next(selector, slicer, addVolumes):
    first, second, third = addVolumes("first", "second", "third")
    selector.setCurrentNode(second)
    told = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    slicer.mrmlScene.RemoveNode(second)
    assert selector.currentNode() is third
    slicer.mrmlScene.RemoveNode(third)
    assert selector.currentNode() is first  # the last one is followed by the one before
    slicer.mrmlScene.RemoveNode(first)
    assert selector.currentNode() is None
    assert told == [third, first, None]


def test_node_that_is_hidden_by_its_id_is_followed_by_the_next(selector, addVolumes):
    first, second = addVolumes("first", "second")
    selector.setCurrentNode(first)
    selector.sortFilterProxyModel().hiddenNodeIDs = [first.GetID()]
    assert selector.currentNode() is second
    assert entries(selector)[:2] == ["None", "second"]


def test_node_that_loses_its_attribute_is_not_followed(selector, addVolumes):
    first, second = addVolumes("first", "second")
    for volume in (first, second):
        volume.SetAttribute("Denoised", "1")
    selector.addAttribute("vtkMRMLScalarVolumeNode", "Denoised", "1")
    selector.setCurrentNode(first)
    first.SetAttribute("Denoised", None)
    assert selector.currentNode() is None
    assert selector.nodeCount() == 1


def test_created_node_has_the_attribute_of_the_filter(selector, user):
    selector.addAttribute("vtkMRMLScalarVolumeNode", "Denoised", "1")
    user.choose(selector, "Create new Volume")
    assert selector.currentNode().GetAttribute("Denoised") == "1"


def test_a_node_type_has_one_filter_by_attribute(selector, addVolumes):
    (volume,) = addVolumes("first")
    for name in ("one", "two"):
        selector.addAttribute("vtkMRMLScalarVolumeNode", name)
    volume.SetAttribute("two", "any value")
    assert selector.nodeCount() == 1
    selector.addAttribute("vtkMRMLScalarVolumeNode", "one")
    assert selector.nodeCount() == 0
    selector.removeAttribute("vtkMRMLScalarVolumeNode", "one")
    assert selector.nodeCount() == 1


def test_import_deselects_every_node(selector, slicer, addVolumes, tmp_path):
    path = tmp_path / "other.mrml"
    path.write_text('<MRML><Model id="vtkMRMLModelNode1" name="skull"></Model></MRML>', "utf-8")
    (volume,) = addVolumes("CT")
    selector.setCurrentNode(volume)
    told = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    slicer.mrmlScene.SetURL(str(path))
    assert slicer.mrmlScene.Import()
    assert selector.currentNode() is None and told == [None]
    assert selector.nodeFromIndex(0) is volume


def test_the_current_node_stays_when_its_row_moves(selector, slicer, addVolumes):
    first, second = addVolumes("first", "second")
    selector.setCurrentNode(second)
    slicer.mrmlScene.RemoveNode(first)
    assert selector.currentNode() is second
    assert selector._q._combo.currentText() == "second"


def test_text_of_none(selector):
    selector.noneDisplay = "Select a CT volume"
    assert entries(selector)[0] == "Select a CT volume"


def test_new_name_is_shown(selector, slicer):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    selector.setCurrentNode(volume)
    volume.SetName("CT low dose")
    assert selector._q._combo.currentText() == "CT low dose"
    assert selector.currentNode() is volume


def test_change_and_new_name_are_told_once(selector, slicer):
    told = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    selector.setCurrentNode(volume)
    selector.setCurrentNode(volume)
    volume.SetName("renamed")
    slicer.mrmlScene.RemoveNode(volume)
    assert told == [volume, volume, None]


def test_node_that_is_not_listed_cannot_be_chosen(selector, slicer):
    selector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode"))
    assert selector.currentNode() is None
    with pytest.raises(ValueError, match="wrong arguments"):
        selector.setCurrentNode(5)


def test_user_chooses_a_node(selector, slicer, user):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    activated = []
    selector.connect("nodeActivated(vtkMRMLNode*)", activated.append)
    user.choose(selector, volume)
    assert selector.currentNode() is volume
    user.choose(selector, "None")
    assert selector.currentNode() is None
    assert activated == [volume, None]


def test_user_creates_a_node(selector, slicer, user):
    added = []
    selector.baseName = "Denoised"
    selector.connect("nodeAddedByUser(vtkMRMLNode*)", added.append)
    user.choose(selector, "Create new Volume")
    user.choose(selector, "Create new Volume")
    assert [node.GetName() for node in added] == ["Denoised", "Denoised_1"]
    assert selector.currentNode() is added[1]
    selector.addEnabled = False
    assert "Create new Volume" not in entries(selector)


def test_user_creates_a_node_of_each_type(selector, user):
    selector.nodeTypes = ["vtkMRMLMarkupsROINode", "vtkMRMLMarkupsClosedCurveNode"]
    user.choose(selector, "Create new Closed Curve")
    assert selector.currentNode().IsA("vtkMRMLMarkupsClosedCurveNode")


def test_user_deletes_and_renames_a_node(selector, slicer, slicerApp, user):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    selector.setCurrentNode(volume)
    assert "Rename current Volume" not in entries(selector)
    selector.renameEnabled = True
    slicerApp.dialogs.answerWith("CT low dose")
    user.choose(selector, "Rename current Volume")
    assert volume.GetName() == "CT low dose"
    user.choose(selector, "Delete current Volume")
    assert not slicer.mrmlScene.IsNodePresent(volume)
    selector.removeEnabled = False
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert "Delete current Volume" not in entries(selector)


def test_closed_scene_empties_it(selector, slicer):
    selector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode"))
    slicer.mrmlScene.Clear(0)
    assert selector.currentNode() is None
    assert selector.nodeCount() == 0


def test_without_a_scene_it_is_empty(slicer):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert selector.mrmlScene() is None
    assert selector.nodeCount() == 0
