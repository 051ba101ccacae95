"""Measurement of mean, noise and contrast in regions of the original and the denoised volume."""

from __future__ import annotations

import numpy as np
import slicer
from vtk.util.numpy_support import numpy_to_vtk

from ..errors import BadInputError
from .provenance import provenanceOf
from .region_mask import boxCorners, linearIndexToWorld, regionMask
from .table_columns import textColumn

ORIGINAL = "PseudoCTDenoise.Original"
DENOISED = "PseudoCTDenoise.Denoised"
REGION = "PseudoCTDenoise.Region"
BACKGROUND = "PseudoCTDenoise.Background"
"""Roles of a table's references to the measured nodes."""

COLUMNS = ("Quantity", "Original", "Denoised", "Change", "Unit")
MEAN, DEVIATION, VOXELS = "Mean", "Standard deviation", "Voxels"
CONTRAST, CNR = "Contrast to background", "Contrast-to-noise ratio"
STRENGTH = "Strength shown"
OUTDATED = " (outdated)"
"""End of the names of the columns whose values have changed since."""

SAME_PLACE = 0.01
"""Tolerance of the volumes' corners, as a fraction of a voxel."""


def measure(original, denoised, region, background=None, tableNode=None):
    """Measure a region in two volumes of the same geometry.

    Parameters
    ----------
    original, denoised : volume nodes in HU.
    region, background : markups ROI or closed-curve nodes; without a background there is neither
        contrast nor contrast-to-noise ratio.
    tableNode : table to fill and rename; None takes the table of an earlier measurement of the
        same volume and regions, or creates one.

    Returns
    -------
    The table node "<denoised> in <region>"
        Quantity, Original, Denoised, Change (denoised minus original), Unit. The rows are the
        mean, the sample standard deviation (over n - 1; NaN for one voxel) and the number of
        voxels of the region, then its mean minus that of the background, and the absolute value of
        this contrast over the background's standard deviation (NaN where that is 0), and the
        strength at which a result was shown. Values are rounded to 0.001. The measured nodes are
        stored as node references.

    Raises
    ------
    BadInputError
        If the volumes do not lie at the same position, or a region holds no voxel
        (:func:`regionMask`).
    """
    _checkSamePlace(original, denoised)
    mask = regionMask(original, region)
    outside = None if background is None else regionMask(original, background)
    before, after = (
        _values(voxels[mask], None if outside is None else voxels[outside])
        for voxels in map(slicer.util.arrayFromVolume, (original, denoised))
    )
    strength = provenanceOf(denoised).get("Strength")
    if strength is not None:
        before[STRENGTH], after[STRENGTH] = 0.0, strength
    nodes = {ORIGINAL: original, DENOISED: denoised, REGION: region, BACKGROUND: background}
    if tableNode is None or tableNode.GetScene() is None:
        tableNode = _earlierTable(nodes) or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    wasModifying = tableNode.StartModify()
    # The name of an existing table may mention another region.
    against = f" against {background.GetName()}" if background else ""
    tableNode.SetName(f"{denoised.GetName()} in {region.GetName()}{against}")
    _fill(tableNode, before, after)
    for role, node in nodes.items():
        tableNode.SetNodeReferenceID(role, node.GetID() if node else None)
    tableNode.EndModify(wasModifying)
    return tableNode


def markOutdated(denoised) -> None:
    """Mark the tables of a result in the names of two columns, until it is measured again."""
    for table in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        if table.GetNodeReference(DENOISED) is denoised:
            for name in COLUMNS[2:4]:
                index = table.GetColumnIndex(name)
                if index >= 0:
                    table.RenameColumn(index, f"{name}{OUTDATED}")


def _earlierTable(nodes: dict):
    for table in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        if all(table.GetNodeReference(role) is node for role, node in nodes.items()):
            return table
    return None


def _checkSamePlace(original, denoised) -> None:
    shapes = [node.GetImageData().GetDimensions() for node in (original, denoised)]
    if shapes[0] == shapes[1]:
        corners = boxCorners(np.zeros(3), np.array(shapes[0]) - 1.0)
        matrices = [linearIndexToWorld(node) for node in (original, denoised)]
        apart = np.abs((matrices[0] - matrices[1])[:3] @ corners).max()
        if apart <= SAME_PLACE * np.linalg.norm(matrices[0][:3, :3], axis=0).min():
            return
    raise BadInputError(
        f"{original.GetName()} and {denoised.GetName()} are not at the same position. "
        "Put both under the same transform, or denoise again."
    )


def _values(voxels: np.ndarray, background: np.ndarray | None) -> dict[str, float]:
    """Return the measured values of one volume by quantity."""
    mean, deviation = _meanAndDeviation(voxels)
    values = {MEAN: mean, DEVIATION: deviation, VOXELS: float(voxels.size)}
    if background is not None:
        backgroundMean, noise = _meanAndDeviation(background)
        values[CONTRAST] = mean - backgroundMean
        values[CNR] = abs(mean - backgroundMean) / noise if noise > 0 else np.nan
    return values


def _meanAndDeviation(voxels: np.ndarray) -> tuple[float, float]:
    mean = voxels.mean(dtype=np.float64)
    if voxels.size < 2:
        return float(mean), np.nan
    return float(mean), float(voxels.std(dtype=np.float64, ddof=1))


_UNITS = {MEAN: "HU", DEVIATION: "HU", VOXELS: "", CONTRAST: "HU", CNR: "", STRENGTH: "%"}


def _fill(tableNode, before: dict[str, float], after: dict[str, float]) -> None:
    change = [after[name] - before[name] for name in before]
    columns = [list(before.values()), list(after.values()), change]
    first, *middle, last = COLUMNS
    tableNode.RemoveAllColumns()
    tableNode.AddColumn(textColumn(first, before))
    for name, values in zip(middle, columns, strict=True):
        column = numpy_to_vtk(np.round(values, 3), deep=True)
        column.SetName(name)
        tableNode.AddColumn(column)
    tableNode.AddColumn(textColumn(last, (_UNITS[name] for name in before)))
    tableNode.SetUseColumnTitleAsColumnHeader(True)
