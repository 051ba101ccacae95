"""The module's parameter node: the user's choices, saved with the scene."""

import enum
from typing import Annotated

import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Minimum, WithinRange, parameterNodeWrapper

from ..denoising.presets import PRESETS, preset_settings
from ..models.catalog import DEFAULT_MODEL


class Choice(enum.Enum):
    """A value of the engine's settings and the label that the panel shows for it."""

    def label(self) -> str:
        """Return the translated label."""
        return _LABELS[self]()


class Preset(Choice):
    """Named set of advanced options, see :data:`.denoising.presets.PRESETS`."""

    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"
    PAPER = "paper"


class Device(Choice):
    """Device that runs the network."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


_LABELS = {  # functions, because the language may change while Slicer runs
    Preset.QUICK: lambda: _("Quick: pre-trained network"),
    Preset.STANDARD: lambda: _("Standard: tuned on this scan"),
    Preset.THOROUGH: lambda: _("Thorough: tuned longer, 8 orientations"),
    Preset.PAPER: lambda: _("Paper: the published loop"),
    Device.AUTO: lambda: _("Automatic"),
    Device.CPU: lambda: _("CPU"),
    Device.CUDA: lambda: _("NVIDIA GPU (CUDA)"),
    Device.MPS: lambda: _("Apple GPU (MPS)"),
}

DEFAULT = PRESETS["standard"]
"""Settings that a new scene starts with."""
DISPLAY_STRENGTH = 80.0
"""Strength in percent at which a new scene shows results. Full strength is closest to the normal
dose; this costs little of it, and edges of low contrast and the noise look more like a scanner's,
see Docs/research/quality.md."""

Region = slicer.vtkMRMLMarkupsROINode | slicer.vtkMRMLMarkupsClosedCurveNode | None


@parameterNodeWrapper
class PseudoCTDenoiseParameterNode:
    """The user's choices; the state of a running job is never stored here.

    Scenes of earlier versions also hold ``noiseSource``, ``ensemble`` and ``noiseSign``, which the
    preset determines, and ``useNeighbours``: slices are denoised on their own. They are ignored.
    """

    inputVolume: slicer.vtkMRMLScalarVolumeNode
    outputVolume: slicer.vtkMRMLScalarVolumeNode
    makeNoiseMap: bool = True
    makePseudoLdct: bool = True
    makeModelMaps: bool = False
    makeRemovedNoise: bool = False
    preset: Preset = Preset.STANDARD
    model: str = DEFAULT_MODEL
    strength: Annotated[float, WithinRange(0, 100)] = DISPLAY_STRENGTH
    steps: Annotated[int, WithinRange(0, 5000)] = DEFAULT.steps
    averageOrientations: bool = DEFAULT.orientations != 1
    updatePeriod: Annotated[int, WithinRange(0, 5000)] = DEFAULT.update_period or 0
    seed: Annotated[int, Minimum(0)] = DEFAULT.seed
    firstSlice: Annotated[int, Minimum(1)] = 1
    lastSlice: Annotated[int, Minimum(0)] = 0
    allItems: bool = False
    device: Device = Device(DEFAULT.device)
    gpu: Annotated[int, WithinRange(0, 99)] = 0
    region: Region
    background: Region


def applyPreset(node) -> None:
    """Set the advanced options of the parameter node to those of its preset."""
    preset = preset_settings(node.preset.value)
    node.steps = preset.steps
    node.averageOrientations = preset.orientations != 1
    node.updatePeriod = preset.update_period or 0
