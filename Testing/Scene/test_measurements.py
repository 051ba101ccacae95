"""Values of a region are those of exactly the voxels inside it, for any orientation."""

from __future__ import annotations

import numpy as np
import pytest
from PseudoCTDenoiseLib.errors import BadInputError

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
import vtk  # noqa: E402
from PseudoCTDenoiseLib.scene.measurements import BACKGROUND, REGION, measure  # noqa: E402
from PseudoCTDenoiseLib.scene.region_mask import regionMask  # noqa: E402

SHAPE = (9, 24, 30)
SPACING = (0.7, 0.9, 2.5)
ORIGIN = (-40.0, 25.0, 100.0)


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """3×3 from angles in degrees."""
    transform = vtk.vtkTransform()
    transform.RotateX(x)
    transform.RotateY(y)
    transform.RotateZ(z)
    return slicer.util.arrayFromVTKMatrix(transform.GetMatrix())[:3, :3]


STRAIGHT = np.eye(3)
LPS = np.diag([-1.0, -1.0, 1.0])
OBLIQUE = rotation(20, -30, 50)


def volume(hu: np.ndarray | None = None, directions=STRAIGHT, name="scan"):
    hu = np.zeros(SHAPE, np.int16) if hu is None else hu
    node = slicer.util.addVolumeFromArray(hu, name=name)
    node.SetIJKToRASDirections(*directions.ravel())
    node.SetSpacing(*SPACING)
    node.SetOrigin(*ORIGIN)
    return node


def world(node, ijk) -> np.ndarray:
    """RAS in mm of (n, 3) indices, with the node's linear transforms."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    full = slicer.util.arrayFromVTKMatrix(matrix)
    if node.GetParentTransformNode():
        node.GetParentTransformNode().GetMatrixTransformToWorld(matrix)
        full = slicer.util.arrayFromVTKMatrix(matrix) @ full
    ijk = np.atleast_2d(ijk)
    return (full @ np.column_stack([ijk, np.ones(len(ijk))]).T)[:3].T


def centres(node) -> np.ndarray:
    """RAS of all voxel centres, (slices, rows, columns, 3)."""
    shape = slicer.util.arrayFromVolume(node).shape
    ijk = np.stack(np.indices(shape)[::-1], axis=-1).reshape(-1, 3)
    return world(node, ijk).reshape(*shape, 3)


def under(node, matrix: np.ndarray):
    """Put a node under a linear transform; returns it."""
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return node


def affine(linear=STRAIGHT, shift=(0.0, 0.0, 0.0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, shift
    return matrix


def box(centre, size, axes=STRAIGHT, name="R"):
    """ROI; the columns of ``axes`` are its axes."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
    node.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(affine(axes, centre)))
    node.SetSize(*size)
    return node


def boxOfVoxels(node, low, high, name="R"):
    """An ROI around the voxels from ``low`` to ``high`` (i, j, k), along the volume's axes."""
    low, high = np.array(low), np.array(high)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASDirectionMatrix(matrix)
    axes = slicer.util.arrayFromVTKMatrix(matrix)[:3, :3]
    if np.linalg.det(axes) < 0:
        axes = axes * [1, 1, -1]
    size = (high - low + 0.8) * SPACING
    return box(world(node, (low + high) / 2)[0], size, axes, name)


def curve(points, name="C", linear=True):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", name)
    if linear:
        node.SetCurveTypeToLinear()
    for point in points:
        node.AddControlPoint(*map(float, point))
    return node


def voxels(low, high, shape=SHAPE) -> np.ndarray:
    """Mask of the voxels from index ``low`` to ``high`` (i, j, k), both included."""
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b + 1) for a, b in zip(low[::-1], high[::-1], strict=True))] = True
    return mask


def refusal(*arguments, function=regionMask) -> str:
    with pytest.raises(BadInputError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------- boxes


@pytest.mark.parametrize("directions", [STRAIGHT, LPS, OBLIQUE], ids=["RAS", "LPS", "oblique"])
def test_a_box_along_the_volumes_axes_takes_just_its_voxels(scene, directions):
    node = volume(directions=directions)
    mask = regionMask(node, boxOfVoxels(node, (3, 5, 2), (10, 8, 4)))
    assert np.array_equal(mask, voxels((3, 5, 2), (10, 8, 4)))


def test_a_turned_box_in_an_oblique_volume_takes_the_centres_within(scene):
    node = volume(directions=OBLIQUE)
    axes, size = rotation(-40, 15, 70), np.array([9.0, 6.0, 11.0])
    centre = world(node, (14, 12, 4))[0]
    mask = regionMask(node, box(centre, size, axes))
    own = (centres(node) - centre) @ axes
    assert np.array_equal(mask, (np.abs(own) <= size / 2).all(axis=-1))
    assert 100 < mask.sum() < mask.size / 4


def test_centres_on_the_faces_belong_to_a_box(scene):
    node = volume()
    roi = box(world(node, (10, 10, 4))[0], np.array([4, 6, 2]) * SPACING)
    assert np.array_equal(regionMask(node, roi), voxels((8, 7, 3), (12, 13, 5)))


def test_transforms_of_volume_and_box_both_count(scene):
    moved = affine(rotation(2, 1, 3), (2.0, -3.0, 1.0))
    node = under(volume(directions=OBLIQUE), moved)
    plain = volume(directions=OBLIQUE)
    roi = boxOfVoxels(plain, (3, 5, 2), (10, 8, 4))
    wanted = voxels((3, 5, 2), (10, 8, 4))
    assert not np.array_equal(regionMask(node, roi), wanted)
    under(roi, moved)
    assert np.array_equal(regionMask(node, roi), wanted)
    # Now only the region has a transform.
    back = under(box([0.0, 0, 0], [4.0, 4, 4]), affine(shift=world(plain, (15, 12, 4))[0]))
    offset = np.abs(centres(plain) - world(plain, (15, 12, 4))[0])
    assert np.array_equal(regionMask(plain, back), (offset <= 2).all(axis=-1))


def test_a_transform_that_scales_a_box_makes_it_larger(scene):
    node = volume()
    centre = world(node, (15, 12, 4))[0]
    roi = under(box([0.0, 0, 0], [2.0, 2, 2]), affine(np.diag([2.0, 3.0, 4.0]), centre))
    offset = np.abs(centres(node) - centre)
    assert np.array_equal(regionMask(node, roi), (offset <= [2, 3, 4]).all(axis=-1))


def test_a_mirrored_volume_is_measured_where_it_is_shown(scene):
    node = under(volume(), affine(np.diag([-1.0, 1.0, 1.0])))
    roi = box(world(node, (5, 6, 3))[0], (3.0, 3.0, 3.0))
    offset = np.abs(centres(node) - world(node, (5, 6, 3))[0])
    assert np.array_equal(regionMask(node, roi), (offset <= 1.5).all(axis=-1))


def test_parts_outside_the_volume_are_ignored(scene):
    node = volume(directions=OBLIQUE)
    mask = regionMask(node, boxOfVoxels(node, (-5, 20, -3), (4, 90, 1)))
    assert np.array_equal(mask, voxels((0, 20, 0), (4, 23, 1)))
    assert regionMask(node, boxOfVoxels(node, (-9, -9, -9), (99, 99, 99))).all()


def test_boxes_that_hold_nothing_are_refused_with_the_reason(scene):
    node = volume()
    assert "outside scan" in refusal(node, boxOfVoxels(node, (40, 5, 2), (50, 8, 4)))
    between = box(world(node, (10, 10, 4.5))[0], (5.0, 5.0, 1.0))
    assert "no voxel centre" in refusal(node, between)
    unplaced = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "new")
    assert "new is not placed yet" in refusal(node, unplaced)
    flat = under(box([0.0, 0, 0], [5.0, 5, 5]), affine(np.diag([1.0, 1.0, 0.0])))
    assert " flat" in refusal(node, flat)


# ---------------------------------------------------------------- curves


def square(node, low, high, k, margin=0.4) -> np.ndarray:
    """Corners in RAS around the voxels from ``low`` to ``high`` (i, j) in the plane of slice k."""
    (a, b), (c, d) = np.array(low) - margin, np.array(high) + margin
    return world(node, [(a, b, k), (c, b, k), (c, d, k), (a, d, k)])


@pytest.mark.parametrize("directions", [STRAIGHT, LPS, OBLIQUE], ids=["RAS", "LPS", "oblique"])
def test_a_curve_in_a_slice_takes_the_voxels_of_that_slice(scene, directions):
    node = volume(directions=directions)
    mask = regionMask(node, curve(square(node, (4, 6), (9, 15), 3)))
    assert np.array_equal(mask, voxels((4, 6, 3), (9, 15, 3)))


def test_centres_on_a_curve_belong_to_it_whichever_way_it_was_drawn(scene):
    node = volume(directions=OBLIQUE)
    points = square(node, (4, 6), (9, 15), 3, margin=0)
    wanted = voxels((4, 6, 3), (9, 15, 3))
    assert np.array_equal(regionMask(node, curve(points)), wanted)
    assert np.array_equal(regionMask(node, curve(points[::-1])), wanted)


@pytest.mark.parametrize(("drawn", "taken"), [(3.3, 3), (3.7, 4), (3.5, 4), (-0.3, 0), (8.4, 8)])
def test_a_curve_between_slices_takes_the_nearest(scene, drawn, taken):
    node = volume(directions=OBLIQUE)
    points = square(node, (4, 6), (9, 15), drawn)
    for drawn_either_way in (points, points[::-1]):
        mask = regionMask(node, curve(drawn_either_way))
        assert np.array_equal(mask, voxels((4, 6, taken), (9, 15, taken)))


def test_a_curve_in_a_coronal_view_takes_one_row_of_every_slice(scene):
    node = volume(directions=OBLIQUE)
    corners = [(3.6, 7.2, 1.6), (8.4, 7.2, 1.6), (8.4, 7.2, 6.4), (3.6, 7.2, 6.4)]
    mask = regionMask(node, curve(world(node, corners)))
    assert np.array_equal(mask, voxels((4, 7, 2), (8, 7, 6)))


def test_a_curve_across_all_axes_takes_a_layer_one_voxel_thick(scene):
    hu = np.zeros((40, 40, 40), np.int16)
    node = slicer.util.addVolumeFromArray(hu, name="cube")
    axes, centre = rotation(35, 25, 40), np.array([20.2, 19.7, 20.1])
    radius = 12.0
    angles = np.radians(np.arange(0, 360, 6))
    circle = centre + radius * (
        np.cos(angles)[:, None] * axes[:, 0] + np.sin(angles)[:, None] * axes[:, 1]
    )
    mask = regionMask(node, curve(circle))
    own = (centres(node) - centre) @ axes
    away = np.hypot(own[..., 0], own[..., 1])
    inner = (away < radius * np.cos(np.radians(3))) & (np.abs(own[..., 2]) < 0.499)
    outer = (away <= radius) & (np.abs(own[..., 2]) <= 0.501)
    assert not (inner & ~mask).any() and not (mask & ~outer).any()
    assert mask.sum() == pytest.approx(np.pi * radius**2, rel=0.03)  # its area in voxels


def test_curves_may_be_hollow_or_cross_themselves(scene):
    node = volume()
    horseshoe = [(2, 2), (20, 2), (20, 18), (14, 18), (14, 8), (8, 8), (8, 18), (2, 18)]
    corners = [(i - 0.5, j - 0.5, 4) for i, j in horseshoe]
    wanted = voxels((2, 2, 4), (19, 17, 4)) & ~voxels((8, 8, 4), (13, 17, 4))
    assert np.array_equal(regionMask(node, curve(world(node, corners))), wanted)

    # A pentagram: the pentagon in its middle is enclosed twice.
    angles = np.radians(90 + 144 * np.arange(5))
    star = np.column_stack([14.6 + 9 * np.cos(angles), 12.3 + 9 * np.sin(angles), np.full(5, 4)])
    mask = regionMask(node, curve(world(node, star)))
    assert mask.any() and not mask[4, 12, 14]


def test_a_smooth_curve_agrees_with_vtks_polygon(scene):
    node = volume()
    corners = [(5, 4, 4), (20, 6, 4), (24, 15, 4), (12, 12, 4), (8, 20, 4)]
    spline = curve(world(node, corners), linear=False)
    mask = regionMask(node, spline)
    points = slicer.util.arrayFromMarkupsCurvePoints(spline, world=True).astype(float)[:-1]
    loop = vtk.vtkPoints()
    for point in points:
        loop.InsertNextPoint(point)
    bounds, normal = loop.GetBounds(), [0.0, 0.0, 1.0]
    inside = [
        vtk.vtkPolygon.PointInPolygon(
            [*centre[:2], points[0, 2]], len(points), points.ravel(), bounds, normal
        )
        == 1
        for centre in centres(node)[4].reshape(-1, 3)
    ]
    assert np.array_equal(mask[4].ravel(), inside)
    assert mask[4].sum() == mask.sum() > 50


def test_a_curves_transform_and_the_volumes_both_count(scene):
    moved = affine(rotation(10, 20, 30), (5.0, -7.0, 3.0))
    plain = volume(directions=OBLIQUE)
    points = square(plain, (4, 6), (9, 15), 3)
    node = under(volume(directions=OBLIQUE), moved)
    assert np.array_equal(
        regionMask(node, under(curve(points), moved)), voxels((4, 6, 3), (9, 15, 3))
    )


def test_a_curve_partly_outside_is_cut_off(scene):
    node = volume(directions=LPS)
    mask = regionMask(node, curve(square(node, (-7, 20), (3, 50), 8)))
    assert np.array_equal(mask, voxels((0, 20, 8), (3, 23, 8)))


def test_curves_that_enclose_nothing_are_refused_with_the_reason(scene):
    node = volume()
    assert "too few points" in refusal(node, curve(world(node, [(3, 3, 3), (5, 5, 3)])))
    line = curve(world(node, [(3, 3, 3), (5, 5, 3), (9, 9, 3)]))
    assert "encloses no area" in refusal(node, line)
    bent = curve(world(node, [(3, 3, 1), (15, 3, 7), (15, 15, 1), (3, 15, 7)]))
    assert "not flat" in refusal(node, bent)
    assert "outside scan" in refusal(node, curve(square(node, (4, 6), (9, 15), 20)))
    assert "outside scan" in refusal(node, curve(square(node, (4, 6), (9, 15), -0.6)))
    small = curve(square(node, (4.5, 6.5), (4.5, 6.5), 3))
    assert "no voxel centre" in refusal(node, small)


def test_a_node_that_is_not_a_region_is_refused(scene):
    node = volume()
    assert "No region" in refusal(node, None)
    line = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "ruler")
    assert "ruler is not a region" in refusal(node, line)


def test_a_deformed_volume_is_refused(scene):
    node = volume()
    deformation = scene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    landmarks = [vtk.vtkPoints(), vtk.vtkPoints()]
    for point in ((0, 0, 0), (50, 0, 0), (0, 50, 0), (0, 0, 50)):
        landmarks[0].InsertNextPoint(point)
        landmarks[1].InsertNextPoint(np.multiply(point, 1.1) ** 1.01)
    spline.SetSourceLandmarks(landmarks[0])
    spline.SetTargetLandmarks(landmarks[1])
    deformation.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(deformation.GetID())
    assert "deformed by warp" in refusal(node, box((0, 0, 100), (9, 9, 9)))


@pytest.mark.slow
def test_a_large_volume_is_searched_where_the_region_is(scene):
    """Half an hour of a loop over its voxels: this fails by never ending."""
    node = slicer.util.addVolumeFromArray(np.zeros((100, 512, 512), np.int8), name="large")
    angles = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    points = np.column_stack(
        [256 + 90 * np.cos(angles), 256 + 90 * np.sin(angles), angles * 0 + 50]
    )
    mask = regionMask(node, curve(points))
    assert mask.sum() == pytest.approx(np.pi * 90**2, rel=0.01)
    assert regionMask(node, box((256, 256, 50), (200, 200, 20))).sum() == 201 * 201 * 21


# ---------------------------------------------------------------- values


def table(node) -> dict[str, tuple]:
    """Quantity -> original, denoised, change, unit."""
    columns = [node.GetTable().GetColumn(c) for c in range(node.GetNumberOfColumns())]
    return {
        columns[0].GetValue(r): tuple(column.GetValue(r) for column in columns[1:])
        for r in range(node.GetNumberOfRows())
    }


def pair():
    """A checkered region of 100 ± 10 HU, denoised to 102 ± 5, in a background of 40 ± 4."""
    signs = np.where(np.indices(SHAPE).sum(axis=0) % 2, 1, -1)
    inside = voxels((4, 4, 2), (11, 11, 5))
    before = np.where(inside, 100 + 10 * signs, 40 + 4 * signs).astype(np.int16)
    after = np.where(inside, 102 + 5 * signs, 40 + 2 * signs).astype(np.int16)
    return volume(before, OBLIQUE), volume(after, OBLIQUE, "scan denoised")


def sample(deviation: float, count: int) -> float:
    """Sample standard deviation of as many values above as below the mean."""
    return deviation * np.sqrt(count / (count - 1))


def test_mean_noise_and_contrast_are_exact(scene):
    original, denoised = pair()
    region = boxOfVoxels(original, (4, 4, 2), (11, 11, 5))
    background = boxOfVoxels(original, (15, 4, 2), (22, 11, 5), "B")
    values = table(measure(original, denoised, region, background))
    assert list(values) == [
        "Mean",
        "Standard deviation",
        "Voxels",
        "Contrast to background",
        "Contrast-to-noise ratio",
    ]
    assert values["Mean"] == (100, 102, 2, "HU")
    noise = [round(sample(deviation, 256), 3) for deviation in (10, 5)]
    assert values["Standard deviation"] == (*noise, pytest.approx(noise[1] - noise[0]), "HU")
    assert values["Voxels"] == (256, 256, 0, "")
    assert values["Contrast to background"] == (60, 62, 2, "HU")
    ratios = 60 / sample(4, 256), 62 / sample(2, 256)
    expected = pytest.approx((*ratios, ratios[1] - ratios[0]), abs=5.1e-4)
    assert values["Contrast-to-noise ratio"][:3] == expected


def test_the_ratio_has_no_sign_but_the_contrast_has(scene):
    original, denoised = pair()
    dark = boxOfVoxels(original, (15, 4, 2), (22, 11, 5))
    bright = boxOfVoxels(original, (4, 4, 2), (11, 11, 5), "B")
    values = table(measure(original, denoised, dark, bright))
    assert values["Contrast to background"][0] == -60
    assert values["Contrast-to-noise ratio"][0] == pytest.approx(60 / sample(10, 256), abs=5e-4)


def test_without_a_background_there_is_no_contrast(scene):
    original, denoised = pair()
    outline = curve(square(original, (4, 4), (11, 11), 3))
    values = table(measure(original, denoised, outline))
    assert list(values) == ["Mean", "Standard deviation", "Voxels"]
    assert values["Voxels"][0] == 64


def test_undefined_figures_are_nan(scene):
    flat = volume(np.full(SHAPE, 7, np.int16))
    one = boxOfVoxels(flat, (4, 4, 2), (4, 4, 2))
    background = boxOfVoxels(flat, (9, 4, 2), (12, 9, 3), "B")
    values = table(measure(flat, flat, one, background))
    assert values["Mean"][0] == 7 and values["Voxels"][0] == 1
    assert np.isnan(values["Standard deviation"][0])
    assert np.isnan(values["Contrast-to-noise ratio"][0])


def test_large_values_lose_nothing(scene):
    hu = np.full(SHAPE, 30000, np.int16)
    hu[..., ::2] += 1
    node = volume(hu)
    values = table(measure(node, node, boxOfVoxels(node, (0, 0, 0), (29, 23, 8))))
    assert values["Mean"][0] == 30000.5
    assert values["Standard deviation"][0] == round(sample(0.5, hu.size), 3)


def test_the_table_names_the_measured_nodes(scene):
    original, denoised = pair()
    region = boxOfVoxels(original, (4, 4, 2), (11, 11, 5), "liver")
    background = boxOfVoxels(original, (15, 4, 2), (22, 11, 5), "fat")
    node = measure(original, denoised, region, background)
    names = [node.GetColumnName(column) for column in range(node.GetNumberOfColumns())]
    assert names == ["Quantity", "Original", "Denoised", "Change", "Unit"]
    assert node.GetName() == "scan denoised in liver against fat"
    assert node.GetNodeReference(REGION) is region
    assert node.GetNodeReference(BACKGROUND) is background


def test_a_table_can_be_filled_again(scene):
    original, denoised = pair()
    region = boxOfVoxels(original, (4, 4, 2), (11, 11, 5), "liver")
    background = boxOfVoxels(original, (15, 4, 2), (22, 11, 5), "fat")
    node = measure(original, denoised, region, background)
    again = measure(original, denoised, background, tableNode=node)
    assert again is node and scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 1
    assert table(node)["Mean"][0] == 40 and len(table(node)) == 3
    assert node.GetName() == "scan denoised in fat" and node.GetNodeReference(BACKGROUND) is None

    scene.RemoveNode(node)
    fresh = measure(original, denoised, region, tableNode=node)
    assert fresh is not node and fresh.GetScene() is scene


def test_a_refused_measurement_leaves_no_table(scene):
    original, denoised = pair()
    outside = boxOfVoxels(original, (60, 4, 2), (70, 11, 5))
    refusal(original, denoised, outside, function=measure)
    assert scene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 0


def test_volumes_at_different_places_are_not_compared(scene):
    original, denoised = pair()
    region = boxOfVoxels(original, (4, 4, 2), (11, 11, 5))
    denoised.SetOrigin(*np.add(ORIGIN, [1e-4, 0, 0]))  # as a file may round it
    measure(original, denoised, region)
    under(denoised, affine(shift=(0, 0, 2.0)))
    assert "not at the same position" in refusal(original, denoised, region, function=measure)
    other = volume(np.zeros((3, 4, 5), np.int16), OBLIQUE, "small")
    assert "not at the same position" in refusal(original, other, region, function=measure)
