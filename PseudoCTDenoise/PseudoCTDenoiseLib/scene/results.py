"""Nodes of a result: their creation from a finished job, and the strength of the display."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import slicer

from ..ct.display_window import noise_limit
from ..ct.hounsfield import to_int16
from ..ct.pseudo_ldct import pseudo_ldct
from ..ct.strength import apply_strength, voxel_type
from ..denoising.map_choice import ALL_MAPS, ENSEMBLE, NO_MAPS
from ..errors import BadInputError
from . import provenance
from .ct_input import CtInput, exactSlices, sliceAxis
from .geometry import geometryOf
from .measurements import markOutdated
from .noise_colors import noiseColors
from .plots import createPlots
from .result_cleanup import hiddenParts, plotsAndTables, referredNodes, removeNodes
from .sequence_item import itemOf, nameWithItem

VOLUMES = (provenance.NOISE_MAP, provenance.PSEUDO_LDCT)
"""Prefixes of the reference roles of optional volumes."""


@dataclass(frozen=True)
class Outputs:
    """Additional volumes that a job creates."""

    noiseMap: bool = True
    pseudoLdct: bool = True
    modelMaps: bool = False
    removedNoise: bool = False

    @property
    def maps(self) -> str:
        """The noise maps of the job that the volumes need."""
        if self.modelMaps:
            return ALL_MAPS
        return ENSEMBLE if self.noiseMap or self.pseudoLdct else NO_MAPS


def storeResult(
    inputVolume,
    outputVolume,
    ct: CtInput,
    result,
    outputs: Outputs,
    strength: float = 100.0,
    sliceRange: tuple[int, int] | None = None,
):
    """Add a job's result to the scene and return the node of the denoised volume.

    If an error occurs, all new nodes are removed again.

    Parameters
    ----------
    inputVolume : the node that was denoised; it is not modified.
    outputVolume : node to fill, or None for a new one. The result of an earlier run is replaced.
    ct : the CT that was denoised.
    result : :class:`.worker.denoising_process.JobResult` of the slices in ``sliceRange``.
    outputs : additional volumes to create.
    strength : 0 to 100 %.
    sliceRange : first and last denoised slice, counted from 0; other slices equal the input.
    """
    first, last = sliceRange or (0, len(ct.hu) - 1)
    here = slice(first, last + 1)

    def whole(part: np.ndarray, background: np.ndarray | None = None) -> np.ndarray:
        full = np.zeros_like(ct.hu) if background is None else background.copy()
        full[here] = part
        return ct.toNodeOrder(full)

    name = nameWithItem(inputVolume)
    slicer.mrmlScene.SaveStateForUndo()
    with newNodesOnlyOnSuccess():
        output = outputVolume or _newVolume(f"{name} denoised")
        _renameResultOfAnother(output, inputVolume, f"{name} denoised")
        earlier = _volumesOf(output)
        before = hiddenParts(output)
        if _isOfAnotherScan(output, inputVolume):
            before += plotsAndTables(output)
        _releaseForeignNodes(output, inputVolume)
        made: dict[str, object] = {}

        def companion(role: str, suffix: str, hidden: bool = False):
            node = output.GetNodeReference(role)
            if node is None or node.GetID() in (inputVolume.GetID(), output.GetID()):
                node = _newVolume(f"{name} {suffix}", hidden)
            node.SetHideFromEditors(hidden)
            node.SetAttribute(provenance.DERIVED, "1")
            # Set again with the new image: after an error the old image must not get new parts.
            output.RemoveNodeReferenceIDs(role)
            made[role] = node
            return node

        removed = ct.hu[here].astype(np.int32) - result.denoised
        if removed.min() >= -(2**15) and removed.max() < 2**15:
            removed = removed.astype(np.int16)
        full = np.zeros(ct.hu.shape, removed.dtype)
        full[here] = removed
        node = companion(provenance.REMOVED_NOISE, "removed noise", not outputs.removedNoise)
        _fillNoise(node, inputVolume, ct.toNodeOrder(full))

        if outputs.noiseMap:
            node = companion(provenance.NOISE_MAP, "noise")
            _fillNoise(node, inputVolume, whole(result.noise))
        if outputs.pseudoLdct:
            node = companion(provenance.PSEUDO_LDCT, "pseudo-LDCT")
            _fillCt(node, inputVolume, whole(pseudo_ldct(ct.hu[here], result.noise), ct.hu))
        if outputs.modelMaps:
            for model, hu in result.noise_maps.items():
                node = companion(f"{provenance.NOISE_MAP}.{model}", model)
                _fillNoise(node, inputVolume, whole(hu))

        for role in provenance.roles(output):
            if role.startswith(VOLUMES) and role not in made:  # left from an earlier run
                output.RemoveNodeReferenceIDs(role)
        output.SetNodeReferenceID(provenance.INPUT, inputVolume.GetID())
        output.SetAttribute(provenance.INPUT_CRC32, checksum(inputVolume))
        original = exactSlices(inputVolume, ct)
        denoised = apply_strength(original[here], result.denoised, strength)
        with slicer.util.NodeModify(output):  # observers see the image as a result
            _fillCt(output, inputVolume, whole(denoised, original))
            for role, node in made.items():
                output.SetNodeReferenceID(role, node.GetID())
            provenance.recordProvenance(output, result.report, strength, (first, last))
        losses = result.report["tuning_loss"]
        createPlots(output, ct.hu[here], result.denoised, ct.pixelSizeMm, losses)
    kept = {node.GetID() for node in made.values()}
    removeNodes(nodeID for nodeID in before if nodeID not in kept)  # of another scan
    _removeUnused(earlier)
    markOutdated(output)
    return output


def applyStrength(outputVolume, strength: float) -> None:
    """Show a finished result at another strength, without denoising again.

    Parameters
    ----------
    strength : 0 (the input, voxel by voxel) to 100 % (the network's output).

    Raises
    ------
    BadInputError
        If the input or the removed noise of this result is no longer in the scene, or the voxels
        of the input or of the result have changed.
    """
    checkStrength(strength)
    inputVolume, removedNoise = originalOf(outputVolume), removedNoiseOf(outputVolume)
    checkInputUnchanged(inputVolume, outputVolume)
    if wasEdited(outputVolume):
        raise BadInputError(
            f"{outputVolume.GetName()} was changed since it was made, and another strength would "
            "undo the changes. Choose 'Create a new volume' under 'Denoised', and denoise again."
        )
    axis = 2 - sliceAxis(inputVolume)
    original, removed, shown = (
        np.moveaxis(slicer.util.arrayFromVolume(node), axis, 0)
        for node in (inputVolume, removedNoise, outputVolume)
    )
    if not original.shape == removed.shape == shown.shape:
        raise BadInputError(
            f"{outputVolume.GetName()} no longer has the size of its input. Denoise it again."
        )
    if shown.dtype != voxel_type(original):  # the result of an earlier version
        blank = np.empty(slicer.util.arrayFromVolume(outputVolume).shape, voxel_type(original))
        slicer.util.updateVolumeFromArray(outputVolume, blank)
        shown = np.moveaxis(slicer.util.arrayFromVolume(outputVolume), axis, 0)
    for out, x, noise in zip(shown, original, removed, strict=True):
        if noise.any():
            denoised = to_int16(x).astype(np.int32) - noise
            apply_strength(x[None], denoised[None], strength, out=out[None])
        else:  # the slice was not denoised
            out[...] = x
    outputVolume.SetAttribute(provenance.SHOWN_CRC32, checksum(outputVolume))
    provenance.recordStrength(outputVolume, strength)  # before the observers of the voxels run
    slicer.util.arrayFromVolumeModified(outputVolume)
    markOutdated(outputVolume)


def checkInputUnchanged(inputVolume, outputVolume) -> None:
    """Raise BadInputError if the voxels of a result's input have changed since."""
    known = outputVolume.GetAttribute(provenance.INPUT_CRC32)
    if known is not None and known != checksum(inputVolume):
        raise BadInputError(
            f"{inputVolume.GetName()} was changed since {outputVolume.GetName()} was made. "
            "Denoise it again."
        )


def wasEdited(volume) -> bool:
    """Return True if another module has changed the voxels of a result or of its other volumes."""
    known = volume.GetAttribute(provenance.SHOWN_CRC32)
    return known is not None and known != checksum(volume)


def checkStrength(strength: float) -> None:
    """Raise BadInputError if a strength is outside 0 to 100 %."""
    if not 0 <= strength <= 100:
        raise BadInputError(f"The strength is {strength:g} %. Choose a value between 0 and 100 %.")


def originalOf(outputVolume):
    """Return the input of a result.

    Raises
    ------
    BadInputError
        If the input is no longer in the scene, or shows another item of its sequence.
    """
    original = _part(outputVolume, provenance.INPUT, "input")
    if provenance.showsOtherItem(original, outputVolume):
        denoised = outputVolume.GetAttribute(provenance.ITEM)
        raise BadInputError(
            f"{original.GetName()} shows {itemOf(original)} of its sequence, but "
            f"{outputVolume.GetName()} was made from {denoised}. Show {denoised} in the sequence "
            "browser."
        )
    return original


def removedNoiseOf(outputVolume):
    """Return the noise removed at full strength; BadInputError if it is not in the scene."""
    return _part(outputVolume, provenance.REMOVED_NOISE, "removed noise")


def _part(outputVolume, role: str, what: str):
    node = outputVolume.GetNodeReference(role)
    if node is None or node.GetImageData() is None:
        raise BadInputError(
            f"The {what} of {outputVolume.GetName()} is no longer in the scene, or "
            f"{outputVolume.GetName()} is a clone, which has none. Denoise the scan again."
        )
    return node


def _renameResultOfAnother(output, inputVolume, name: str) -> None:
    """Rename the result of another scan, whose name would be that of the wrong scan."""
    another = provenance.isResult(output) and not provenance.isResultOf(output, inputVolume)
    if another and " denoised" in output.GetName():  # not a name of the user
        output.SetName(slicer.mrmlScene.GenerateUniqueName(name))


def _isOfAnotherScan(output, inputVolume) -> bool:
    source = output.GetNodeReference(provenance.INPUT)
    return source is not None and source.GetID() != inputVolume.GetID()


def _volumesOf(output) -> list:
    """Return the optional volumes and the removed noise of a result."""
    kinds = (*VOLUMES, provenance.REMOVED_NOISE)
    found = [output.GetNodeReference(r) for r in provenance.roles(output) if r.startswith(kinds)]
    return [node for node in found if node is not None]


def _removeUnused(volumes) -> None:
    """Remove the volumes that no result has any more, or rename them if they were changed."""
    used = {nodeID for result in provenance.results() for nodeID in referredNodes(result)}
    for volume in volumes:
        if volume.GetScene() is None or volume.GetID() in used:
            continue
        if volume.GetAttribute(provenance.SHOWN_CRC32) is None or wasEdited(volume):
            name = f"{volume.GetName()} (earlier result)"
            volume.SetName(slicer.mrmlScene.GenerateUniqueName(name))
        else:
            removeNodes([volume.GetID()])


def _releaseForeignNodes(output, inputVolume) -> None:
    """Remove references to the nodes of another scan, or that a clone shares."""
    foreign = _isOfAnotherScan(output, inputVolume)
    others = provenance.otherResults(output)
    for role in provenance.roles(output):
        first = output.GetNthNodeReferenceID(role, 0)
        shared = any(other.GetNthNodeReferenceID(role, 0) == first for other in others)
        if role != provenance.INPUT and (foreign or shared):
            output.RemoveNodeReferenceIDs(role)


def checksum(volume) -> str:
    """Return the CRC-32 of a volume's voxels as text."""
    return f"{zlib.crc32(np.ascontiguousarray(slicer.util.arrayFromVolume(volume))):08x}"


def contentOf(volume) -> tuple[str, bytes] | None:
    """Return the checksum and the geometry of a volume; None if it has no voxels."""
    if volume.GetImageData() is None:
        return None
    return checksum(volume), geometryOf(volume).tobytes()


@contextmanager
def newNodesOnlyOnSuccess() -> Iterator[None]:
    """Remove the nodes that were added to the scene if an error occurs."""
    scene = slicer.mrmlScene
    before = _nodeIDs(scene)
    try:
        yield
    except BaseException:
        removeNodes(_nodeIDs(scene) - before)
        raise


def _nodeIDs(scene) -> set[str]:
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def _newVolume(name: str, hidden: bool = False):
    """Return a new volume of the scene. Selectors keep a node that is hidden after its addition."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(slicer.mrmlScene.GenerateUniqueName(name))
    node.SetHideFromEditors(hidden)
    return slicer.mrmlScene.AddNode(node)


def _fillCt(node, inputVolume, voxels: np.ndarray) -> None:
    _createDisplay(node)
    showLike(inputVolume, node)
    _fill(node, inputVolume, voxels)


def showLike(inputVolume, node) -> None:
    """Display a volume as the input is displayed, with the same window."""
    source, display = inputVolume.GetDisplayNode(), node.GetDisplayNode()
    if source is not None:
        display.CopyContent(source)
        # An automatic window would be another one for this volume once the scene is loaded.
        display.AutoWindowLevelOff()
        display.SetWindowLevel(source.GetWindow(), source.GetLevel())


def _fillNoise(node, inputVolume, voxels: np.ndarray) -> None:
    _createDisplay(node)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(noiseColors().GetID())
    display.SetWindowLevel(2 * noise_limit(voxels), 0.0)
    _fill(node, inputVolume, voxels)


def _createDisplay(node) -> None:
    """Create the display of a volume before it has voxels.

    Otherwise Slicer would compute an automatic window from them, which takes seconds.
    """
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().AutoWindowLevelOff()


def _fill(node, inputVolume, voxels: np.ndarray) -> None:
    """Set the voxels (k, j, i), and copy geometry, transform, patient and study of the input."""
    slicer.util.updateVolumeFromArray(node, voxels)
    node.SetAttribute(provenance.SHOWN_CRC32, checksum(node))
    node.CopyOrientation(inputVolume)
    node.SetAndObserveTransformNodeID(inputVolume.GetTransformNodeID())
    _copyUnits(node, inputVolume)
    placeInStudy(node, inputVolume)


def _copyUnits(node, inputVolume) -> None:
    """Copy quantity and units of the voxels, which DICOM import sets to attenuation in HU."""
    for name in ("VoxelValueQuantity", "VoxelValueUnits"):
        source = getattr(inputVolume, f"Get{name}")()
        if source is not None:
            entry = slicer.vtkCodedEntry()
            entry.Copy(source)
            getattr(node, f"Set{name}")(entry)


def placeInStudy(node, inputVolume) -> None:
    """Place the node beside the input in the subject hierarchy, which DICOM export reads.

    A hidden node has no item: the export of a study takes every item of the study.
    """
    if node.GetHideFromEditors():
        removeHierarchyItem(node)
        return
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    invalid = slicer.vtkMRMLSubjectHierarchyNode.GetInvalidItemID()
    source, item = map(hierarchy.GetItemByDataNode, (inputVolume, node))
    if source != invalid:
        parent = hierarchy.GetItemParent(source)
        if item == invalid:
            hierarchy.CreateItem(parent, node)
        else:
            hierarchy.SetItemParent(item, parent)


def removeHierarchyItem(node) -> None:
    """Remove a node from the subject hierarchy; it stays in the scene."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node)
    if item != slicer.vtkMRMLSubjectHierarchyNode.GetInvalidItemID():
        hierarchy.RemoveItem(item, False, False)
