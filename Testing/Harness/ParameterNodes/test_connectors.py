"""Widgets and parameters follow each other."""

import enum
from typing import Annotated, Union

import pytest


class Mode(enum.Enum):
    FAST = 1
    FINE = 2

    def label(self):
        return self.name.capitalize()


@pytest.fixture
def node(slicer):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


@pytest.fixture
def parameters(slicer, node):
    from slicer.parameterNodeWrapper import Choice, Minimum, WithinRange, parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        region: Union[slicer.vtkMRMLMarkupsROINode, slicer.vtkMRMLMarkupsFiducialNode, None]  # noqa: UP007
        strength: Annotated[float, WithinRange(0, 100)] = 50.0
        factor: float = 1.0
        count: Annotated[int, Minimum(1)] = 3
        kernel: Annotated[str, Choice(["soft", "sharp"])] = "sharp"
        mode: Mode = Mode.FINE
        name: str = "any"
        invert: bool = True

    return Parameters(node)


@pytest.fixture
def selector(slicer):
    selector = slicer.qMRMLNodeComboBox()
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


def test_check_box(parameters, qt):
    box = qt.QCheckBox()
    parameters.connectParametersToGui({"invert": box})
    assert box.checked is True
    box.checked = False
    assert parameters.invert is False
    parameters.invert = True
    assert box.checked is True


def test_spin_box_takes_its_range_from_the_annotation(parameters, qt):
    box = qt.QSpinBox()
    parameters.connectParametersToGui({"count": box})
    assert (box.minimum, box.maximum, box.value) == (1, 2**31 - 1, 3)
    box.value = 500
    assert parameters.count == 500
    parameters.count = 7
    assert box.value == 7


def test_slider_takes_its_range_from_the_annotation(parameters, ctk):
    slider = ctk.ctkSliderWidget()
    slider.maximum = 10
    parameters.connectParametersToGui({"strength": slider})
    assert (slider.minimum, slider.maximum, slider.value) == (0, 100, 50)
    slider.value = 75
    assert parameters.strength == 75
    parameters.strength = 20
    assert slider.value == 20


def test_slider_without_a_range_is_refused_but_a_spin_box_is_not(parameters, ctk, qt):
    with pytest.raises(RuntimeError, match="[Ss]lider"):
        parameters.connectParametersToGui({"factor": ctk.ctkSliderWidget()})
    box = qt.QDoubleSpinBox()
    parameters.connectParametersToGui({"factor": box})
    box.value = 1e6
    assert parameters.factor == 1e6


def test_combo_box_lists_an_enum_by_its_labels(parameters, qt):
    box = qt.QComboBox()
    box.addItem("of the .ui file")
    parameters.connectParametersToGui({"mode": box})
    assert [box.itemText(i) for i in range(box.count)] == ["Fast", "Fine"]
    assert box.currentText == "Fine"
    box.currentIndex = 0
    assert parameters.mode is Mode.FAST
    parameters.mode = Mode.FINE
    assert box.currentIndex == 1


def test_combo_box_lists_the_choices_of_a_text(parameters, qt):
    box = qt.QComboBox()
    parameters.connectParametersToGui({"kernel": box})
    assert (box.count, box.currentText) == (2, "sharp")
    box.currentIndex = 0
    assert parameters.kernel == "soft"
    with pytest.raises(RuntimeError, match="Choice"):
        parameters.connectParametersToGui({"name": qt.QComboBox()})


def test_line_edit(parameters, qt):
    edit = qt.QLineEdit()
    parameters.connectParametersToGui({"name": edit})
    edit.text = "typed"
    assert parameters.name == "typed"
    parameters.name = "set"
    assert edit.text == "set"


def test_node_selector(parameters, selector, slicer):
    parameters.connectParametersToGui({"volume": selector})
    assert selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
    first = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    second = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert parameters.volume is None
    selector.setCurrentNode(first)
    assert parameters.volume is first
    parameters.volume = second
    assert selector.currentNode() is second
    slicer.mrmlScene.RemoveNode(second)
    assert selector.currentNode() is first
    assert parameters.volume is first


def test_node_selector_of_a_union_lists_every_type(parameters, selector, slicer):
    parameters.connectParametersToGui({"region": selector})
    assert selector.nodeTypes == ("vtkMRMLMarkupsROINode", "vtkMRMLMarkupsFiducialNode")
    for kind in selector.nodeTypes:
        node = slicer.mrmlScene.AddNewNodeByClass(kind)
        selector.setCurrentNode(node)
        assert parameters.region is node


def test_widget_of_another_kind_is_refused(parameters, qt):
    with pytest.raises(RuntimeError, match="QSpinBox"):
        parameters.connectParametersToGui({"invert": qt.QSpinBox()})
    with pytest.raises(ValueError, match="inverted"):
        parameters.connectParametersToGui({"inverted": qt.QCheckBox()})


def test_change_of_the_node_itself_reaches_the_widget(parameters, node, qt):
    box = qt.QSpinBox()
    parameters.connectParametersToGui({"count": box})
    node.SetParameter("count", "8")
    assert box.value == 8


def test_disconnected_widget_is_left_alone(parameters, qt):
    box = qt.QSpinBox()
    tag = parameters.connectParametersToGui({"count": box})
    parameters.disconnectGui(tag)
    box.value = 8
    assert parameters.count == 3
    parameters.count = 5
    assert box.value == 8


def test_a_disconnected_wrapper_does_not_write_to_other_widgets(parameters, qt):
    first, second = qt.QSpinBox(), qt.QSpinBox()
    tag = parameters.connectParametersToGui({"count": first})
    parameters.connectParametersToGui({"count": second})
    parameters.disconnectGui(tag)
    second.value = 8
    assert (parameters.count, first.value) == (8, 3)
    parameters.disconnectGui(tag)  # changes nothing
    parameters.count = 9
    assert second.value == 9


@pytest.mark.parametrize("loaded", [False, True])
def test_connect_gui_finds_widgets_by_their_property(parameters, qt, slicer, loaded):
    panel = qt.QWidget()
    box = qt.QSpinBox(panel)
    box.objectName = "countSpinBox"
    box.setProperty("SlicerParameterName", "count")
    tag = parameters.connectGui(slicer.util.childWidgetVariables(panel) if loaded else panel)
    box.value = 8
    assert parameters.count == 8
    parameters.disconnectGui(tag)
    box.value = 9
    assert parameters.count == 8
    parameters.count = 5
    assert box.value == 9
