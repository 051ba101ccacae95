"""A real DICOM series, from the click to a result with the geometry of the scan."""

import numpy as np
import pytest

from .conftest import denoise, voxels

user = pytest.importorskip("SlicerHarness.user", reason="PySide6 is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("series", ["lungdx-a0002_b40f", "totalseg-example_jpeg2000"])
def test_a_dicom_series_comes_back_denoised_in_its_own_place(shared, scene, panel, series):
    import SimpleITK as sitk
    from PseudoCTDenoiseLib.ct.noise_level import soft_tissue_noise
    from PseudoCTDenoiseLib.scene.geometry import geometryOf
    from SlicerHarness.sitk_volumes import addVolume

    files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(shared / "data" / "dicom" / series))
    image = sitk.ReadImage(files)
    scan = addVolume(image, series)
    corner = geometryOf(scan) @ [*(n - 1 for n in image.GetSize()), 1]
    x, y, z = image.TransformIndexToPhysicalPoint([n - 1 for n in image.GetSize()])
    assert np.allclose(corner[:3], (-x, -y, z), atol=1e-9)  # LPS to RAS

    before = voxels(scan).copy()
    output = denoise(panel, scan)
    assert np.array_equal(geometryOf(output), geometryOf(scan))
    for role in ("NoiseMap", "PseudoLdct", "FullStrengthRemoved"):
        part = output.GetNodeReference(f"PseudoCTDenoise.{role}")
        assert np.array_equal(geometryOf(part), geometryOf(scan))
    assert np.array_equal(voxels(scan), before)
    assert soft_tissue_noise(voxels(output)) < 0.9 * soft_tissue_noise(before)
