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
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    volume.SetHideFromEditors(True)
    assert selector.nodeCount() == 0
    selector.showHidden = True
    assert selector.nodeCount() == 1


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


def test_first_node_is_chosen_where_none_is_not_enabled(selector, slicer):
    selector.noneEnabled = False
    first = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert selector.currentNode() is first
    assert "None" not in entries(selector)


def test_text_of_none(selector):
    selector.noneDisplay = "Select a CT volume"
    assert entries(selector)[0] == "Select a CT volume"


def test_new_name_is_shown(selector, slicer):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    selector.setCurrentNode(volume)
    volume.SetName("CT low dose")
    assert selector._q._combo.currentText() == "CT low dose"
    assert selector.currentNode() is volume


def test_change_is_told_once(selector, slicer):
    told = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    selector.setCurrentNode(volume)
    selector.setCurrentNode(volume)
    volume.SetName("renamed")
    slicer.mrmlScene.RemoveNode(volume)
    assert told == [volume, None]


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
    user.choose(selector, "Create new ScalarVolume")
    user.choose(selector, "Create new ScalarVolume")
    assert [node.GetName() for node in added] == ["Denoised", "Denoised_1"]
    assert selector.currentNode() is added[1]
    selector.addEnabled = False
    assert "Create new ScalarVolume" not in entries(selector)


def test_user_creates_a_node_of_each_type(selector, user):
    selector.nodeTypes = ["vtkMRMLMarkupsROINode", "vtkMRMLMarkupsClosedCurveNode"]
    user.choose(selector, "Create new MarkupsClosedCurve")
    assert selector.currentNode().IsA("vtkMRMLMarkupsClosedCurveNode")


def test_user_deletes_and_renames_a_node(selector, slicer, slicerApp, user):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    selector.setCurrentNode(volume)
    assert "Rename current ScalarVolume" not in entries(selector)
    selector.renameEnabled = True
    slicerApp.dialogs.answerWith("CT low dose")
    user.choose(selector, "Rename current ScalarVolume")
    assert volume.GetName() == "CT low dose"
    user.choose(selector, "Delete current ScalarVolume")
    assert not slicer.mrmlScene.IsNodePresent(volume)
    selector.removeEnabled = False
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert "Delete current ScalarVolume" not in entries(selector)


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
