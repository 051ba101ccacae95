"""Conversion of the parameter node to the options of a job."""

from __future__ import annotations

from dataclasses import replace

from ..denoising.map_choice import NO_MAPS
from ..denoising.presets import preset_settings
from ..denoising.settings import DenoisingSettings
from ..errors import BadInputError
from ..scene.ct_input import sliceAxis
from ..scene.denoising_run import checkedRange
from ..scene.parameter_node import Device
from ..scene.results import Outputs
from ..scene.sequence_item import browserOf
from .device_panel import JobSize, SpeedKey


def settingsOf(node) -> DenoisingSettings:
    """Return the preset's settings with the advanced options of the parameter node."""
    preset = preset_settings(node.preset.value)
    averaged = None if preset.orientations == 1 else preset.orientations
    return replace(
        preset,
        steps=node.steps,
        orientations=averaged if node.averageOrientations else 1,
        update_period=node.updatePeriod or None,
        seed=node.seed,
        device=deviceOf(node),
    )


def deviceOf(node) -> str:
    """Return the name of the device in the engine's settings."""
    if node.device is Device.CUDA and node.gpu > 0:
        return f"cuda:{node.gpu}"
    return node.device.value


def outputsOf(node) -> Outputs:
    """Return the additional volumes that the user has ticked."""
    return Outputs(
        node.makeNoiseMap, node.makePseudoLdct, node.makeModelMaps, node.makeRemovedNoise
    )


def sliceRangeOf(node) -> tuple[int, int] | None:
    """Return the first and last slice, counted from 0; None for the whole scan."""
    if node.firstSlice == 1 and node.lastSlice == 0:
        return None
    return node.firstSlice - 1, (node.lastSlice or _sliceCount(node)) - 1


def wantsAllItems(node) -> bool:
    """Return True if the user wants all items of the sequence that the input belongs to."""
    return node.allItems and browserOf(node.inputVolume) is not None


def rangeProblem(node) -> str | None:
    """Return an error message if the range contains no slice of the input, otherwise None."""
    try:
        checkedRange(sliceRangeOf(node), _sliceCount(node))
    except BadInputError as error:
        return str(error)
    return None


def speedKeyOf(node) -> SpeedKey:
    """Return the device, the model and the slice size that determine the speed of a job."""
    size = list(node.inputVolume.GetImageData().GetDimensions())
    size.pop(sliceAxis(node.inputVolume))
    columns, rows = size
    return SpeedKey(deviceOf(node), node.model, rows, columns)


def jobSizeOf(node) -> JobSize:
    """Return the options that determine the time of a job at a known speed."""
    first, last = checkedRange(sliceRangeOf(node), _sliceCount(node))
    slices = last - first + 1
    if wantsAllItems(node):
        sequence = browserOf(node.inputVolume).GetSequenceNode(node.inputVolume)
        items = sequence.GetNumberOfDataNodes()
        return JobSize(settingsOf(node), slices, withMaps=False, items=items)
    return JobSize(settingsOf(node), slices, outputsOf(node).maps != NO_MAPS)


def _sliceCount(node) -> int:
    volume = node.inputVolume
    return volume.GetImageData().GetDimensions()[sliceAxis(volume)]
