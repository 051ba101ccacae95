"""A parameter node keeps typed values in the scene."""

import enum
import gc
import weakref
from typing import Annotated, Optional, Union

import pytest
from SlicerHarness.fixtures import standInOnly


class Mode(enum.Enum):
    FAST = 1
    FINE = 2


@pytest.fixture
def wrapperClass(slicer):
    from slicer.parameterNodeWrapper import (
        Choice,
        Default,
        Maximum,
        Minimum,
        WithinRange,
        parameterNodeWrapper,
    )

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        region: Union[slicer.vtkMRMLMarkupsROINode, slicer.vtkMRMLMarkupsFiducialNode, None]  # noqa: UP007
        strength: Annotated[float, WithinRange(0, 100)] = 50.0
        count: Annotated[int, Minimum(1), Maximum(9)] = 3
        kernel: Annotated[str, Choice(["soft", "sharp"]), Default("sharp")]
        limit: Optional[int]  # noqa: UP045
        mode: Mode = Mode.FINE
        name: str
        invert: bool

    return Parameters


@pytest.fixture
def node(slicer):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


@pytest.fixture
def parameters(wrapperClass, node):
    return wrapperClass(node)


def test_defaults(parameters):
    assert parameters.volume is None
    assert parameters.region is None
    assert parameters.strength == 50.0
    assert parameters.count == 3
    assert parameters.kernel == "sharp"
    assert parameters.limit is None
    assert parameters.mode is Mode.FINE
    assert parameters.name == ""
    assert parameters.invert is False


def test_values_survive_the_wrapper(parameters, wrapperClass, node, slicer):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    region = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    parameters.volume, parameters.region = volume, region
    parameters.strength, parameters.count, parameters.limit = 12.5, 7, 4
    parameters.kernel, parameters.name = "soft", "any text"
    parameters.mode, parameters.invert = Mode.FAST, True
    again = wrapperClass(node)
    assert again.volume is volume
    assert again.region is region
    assert (again.strength, again.count, again.limit) == (12.5, 7, 4)
    assert (again.kernel, again.name) == ("soft", "any text")
    assert (again.mode, again.invert) == (Mode.FAST, True)


def test_an_enum_is_kept_by_its_name(parameters, node):
    assert node.GetParameter("mode") == "FINE"
    node.SetParameter("mode", "FAST")
    assert parameters.mode is Mode.FAST


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("strength", 100.1, ValueError),
        ("strength", "50", TypeError),
        ("strength", None, ValueError),
        ("count", 0, ValueError),
        ("count", 10, ValueError),
        ("count", 2.5, TypeError),
        ("kernel", "medium", ValueError),
        ("mode", "FAST", TypeError),
        ("invert", 1, TypeError),
        ("limit", "4", TypeError),
    ],
)
def test_wrong_value_is_refused_and_the_former_stays(parameters, name, value, error):
    former = parameters.getValue(name)
    with pytest.raises(error):
        setattr(parameters, name, value)
    assert parameters.getValue(name) == former


def test_node_of_another_type_is_refused(parameters, slicer):
    region = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    with pytest.raises(TypeError):
        parameters.volume = region
    parameters.region = region
    with pytest.raises(TypeError):
        parameters.region = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert parameters.region is region


def test_removed_node_reads_as_none(parameters, slicer):
    parameters.volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    parameters.region = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    slicer.mrmlScene.RemoveNode(parameters.volume)
    slicer.mrmlScene.RemoveNode(parameters.region)
    assert parameters.volume is None
    assert parameters.region is None


def test_union_of_nodes_without_none_has_no_default(node, slicer):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        region: Union[slicer.vtkMRMLMarkupsROINode, slicer.vtkMRMLMarkupsFiducialNode]  # noqa: UP007

    with pytest.raises(TypeError, match="None"):
        Parameters(node)


def test_type_without_a_storage_is_refused(slicer):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    class Parameters:
        value: bytes

    with pytest.raises(Exception, match="Parameters.*value"):
        parameterNodeWrapper(Parameters)


@standInOnly
@pytest.mark.parametrize("kind", [list[int], dict])
def test_type_that_the_stand_in_cannot_store_is_refused(slicer, kind):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    class Parameters:
        pass

    Parameters.__annotations__ = {"value": kind}
    with pytest.raises(Exception, match="cannot store Parameters.value"):
        parameterNodeWrapper(Parameters)


def test_union_with_a_bar_is_a_union(node, slicer):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        limit: int | None
        region: slicer.vtkMRMLMarkupsROINode | slicer.vtkMRMLMarkupsFiducialNode | None

    parameters = Parameters(node)
    assert (parameters.limit, parameters.region) == (None, None)
    parameters.limit = 4
    parameters.region = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    selector = slicer.qMRMLNodeComboBox()
    selector.setMRMLScene(slicer.mrmlScene)
    parameters.connectParametersToGui({"region": selector})
    assert selector.nodeTypes == ("vtkMRMLMarkupsROINode", "vtkMRMLMarkupsFiducialNode")
    assert selector.currentNode() is parameters.region
    assert Parameters(node).limit == 4


def test_reserved_name_is_refused(slicer):
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    class Parameters:
        setValue: int

    with pytest.raises(ValueError, match="reserved"):
        parameterNodeWrapper(Parameters)


def test_observers_see_the_new_value_once(parameters):
    seen = []
    tag = parameters.AddObserver("ModifiedEvent", lambda *unused: seen.append(parameters.count))
    parameters.count = 5
    assert seen == [5]
    parameters.RemoveObserver(tag)
    parameters.count = 6
    assert seen == [5]


def test_modified_tells_the_observers(parameters):
    calls = []
    parameters.AddObserver("ModifiedEvent", lambda *unused: calls.append(1))
    parameters.Modified()
    assert calls == [1]


def test_wrapper_knows_its_parameters(wrapperClass, parameters):
    from slicer.parameterNodeWrapper import isParameterNodeWrapper

    assert isParameterNodeWrapper(wrapperClass)
    assert isParameterNodeWrapper(parameters)
    assert not isParameterNodeWrapper(Mode)
    assert parameters.default("count").value == 3
    with pytest.raises(ValueError, match="counts"):
        parameters.getValue("counts")


def test_values_are_saved_in_the_scene(wrapperClass, parameters, node, slicer, tmp_path):
    node.SetSingletonTag("Saved")
    parameters.region = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Lung")
    parameters.mode, parameters.strength = Mode.FAST, 25.0
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    loaded = wrapperClass(slicer.mrmlScene.GetSingletonNode("Saved", "vtkMRMLScriptedModuleNode"))
    assert (loaded.mode, loaded.strength) == (Mode.FAST, 25.0)
    assert loaded.region.GetName() == "Lung"


@pytest.mark.parametrize("bound", [False, True])
def test_observers_of_the_node_do_not_keep_a_wrapper(wrapperClass, node, qt, bound):
    parameters = wrapperClass(node)
    if bound:
        parameters.disconnectGui(parameters.connectParametersToGui({"count": qt.QSpinBox()}))
    alive = weakref.ref(parameters)
    del parameters
    gc.collect()
    assert alive() is None
    node.SetParameter("count", "4")  # calls no observer of the deleted wrapper
    assert wrapperClass(node).count == 4


def test_the_controls_of_a_deleted_wrapper_still_follow_the_node(wrapperClass, slicer, qt):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    box = qt.QSpinBox()
    wrapperClass(node).connectParametersToGui({"count": box})
    nodeID = node.GetID()
    del node
    gc.collect()
    wrapperClass(slicer.mrmlScene.GetNodeByID(nodeID)).count = 7
    assert box.value == 7
