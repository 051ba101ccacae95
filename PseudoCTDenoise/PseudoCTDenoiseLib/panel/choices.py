"""What the panel's lists offer; the values are the engine's, the labels are for people."""

from __future__ import annotations

import enum

from slicer.i18n import tr as _


class Choice(enum.Enum):
    """A value of the engine's settings with the text that the panel shows for it."""

    def label(self) -> str:
        return _LABELS[self]()


class Preset(Choice):
    """Sets the advanced options."""

    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"
    PAPER = "paper"


class NoiseSource(Choice):
    """Where the noise of the training pairs comes from."""

    SIMULATOR = "simulator"
    RESIDUAL = "residual"
    MODELS = "models"
    BOTH = "both"


class Ensemble(Choice):
    """How the noise maps are mixed."""

    PIXEL = "pixel"
    REGION = "region"


class NoiseSign(Choice):
    """Sign with which the noise is added back."""

    AS_IS = "as-is"
    MIRRORED = "mirrored"
    RANDOM = "random"


class Device(Choice):
    """What the network runs on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


_LABELS = {  # translated when shown, as the language may change
    Preset.QUICK: lambda: _("Quick: pre-trained network"),
    Preset.STANDARD: lambda: _("Standard: tuned on this scan"),
    Preset.THOROUGH: lambda: _("Thorough: tuned longer, 8 orientations"),
    Preset.PAPER: lambda: _("Paper: the published loop"),
    NoiseSource.SIMULATOR: lambda: _("Simulated, like the scan's"),
    NoiseSource.RESIDUAL: lambda: _("The scan's own residual"),
    NoiseSource.MODELS: lambda: _("Noise models (paper)"),
    NoiseSource.BOTH: lambda: _("Both"),
    Ensemble.PIXEL: lambda: _("Each pixel (paper)"),
    Ensemble.REGION: lambda: _("Smooth regions"),
    NoiseSign.AS_IS: lambda: _("As it is"),
    NoiseSign.MIRRORED: lambda: _("Mirrored"),
    NoiseSign.RANDOM: lambda: _("Random"),
    Device.AUTO: lambda: _("Automatic"),
    Device.CPU: lambda: _("CPU"),
    Device.CUDA: lambda: _("NVIDIA GPU (CUDA)"),
    Device.MPS: lambda: _("Apple GPU (MPS)"),
}
