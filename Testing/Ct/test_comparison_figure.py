"""The comparison figure: size, colours, scale bar and complete writing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from PseudoCTDenoiseLib.ct import comparison_figure
from PseudoCTDenoiseLib.errors import BadInputError


@pytest.fixture
def scan():
    """HU of two slices of 64 x 64 with a block of tissue, which is larger in the second."""
    hu = np.full((2, 64, 64), -1000, np.int16)
    hu[0, 30:34, 30:34] = 60
    hu[1, 16:48, 10:42] = 60
    return hu


def shown(path):
    """Return the figure as (rows, columns, 3) with values from 0 to 255."""
    return np.rint(imread(path)[..., :3] * 255).astype(int)


def test_the_slice_with_the_most_organ_tissue_is_chosen(scan):
    assert comparison_figure.most_informative_slice(scan) == 1


def test_the_enlarged_part_shows_organ_tissue(scan):
    assert comparison_figure.organ_box(scan[1], 32, 32) == (16, 10)


def test_every_pixel_is_drawn_with_the_same_number_of_pixels(tmp_path):
    hu = np.random.default_rng(1).integers(-160, 240, (128, 128)).astype(np.int16)
    comparison_figure.side_by_side(tmp_path / "a.png", hu, hu)
    found = shown(tmp_path / "a.png")
    scale = 512 // 128
    expected = np.repeat(np.repeat((hu + 160) / 400 * 255, scale, 0), scale, 1)
    # Away from the labels at the panel's edges and from the outline of the enlarged part.
    top, left = comparison_figure.organ_box(hu, 32, 32)
    outlined = np.zeros((128, 128), bool)
    outlined[max(top - 2, 0) : top + 34, max(left - 2, 0) : left + 34] = True
    outlined[:16], outlined[-16:] = True, True
    free = ~np.repeat(np.repeat(outlined, scale, 0), scale, 1)
    panel = found[8 : 8 + 512, 8 : 8 + 512]
    assert (panel[..., 0] == panel[..., 1]).mean() > 0.95
    assert np.abs(panel[..., 0] - expected)[free].max() < 2  # 256 levels


def test_a_figure_at_native_size_has_one_pixel_per_pixel(tmp_path):
    hu = np.zeros((400, 500), np.int16)
    comparison_figure.side_by_side(tmp_path / "a.png", hu, hu, title="Title")
    rows, columns, _ = shown(tmp_path / "a.png").shape
    assert (rows, columns) == (36 + 400 + 8 + 400 + 8, 3 * (500 + 8) + 8 + 92)


def test_zero_difference_is_black_and_positive_differences_are_warm(tmp_path):
    hu = np.full((64, 64), 60, np.int16)
    denoised = hu.copy()
    denoised[:, :32] -= 20
    comparison_figure.side_by_side(tmp_path / "a.png", hu, denoised)
    panel = shown(tmp_path / "a.png")[8 + 100 : 8 + 400, 8 + 2 * 520 : 8 + 2 * 520 + 512]
    red, _, blue = panel[150, 200]
    assert red > blue + 20
    assert panel[150, 450].max() == 0


def test_a_reference_adds_a_panel(tmp_path, scan):
    comparison_figure.side_by_side(tmp_path / "a.png", scan, scan)
    comparison_figure.side_by_side(tmp_path / "b.png", scan, scan, reference=scan, pixel_mm=0.8)
    assert shown(tmp_path / "b.png").shape[1] - shown(tmp_path / "a.png").shape[1] == 520


def test_all_images_but_the_original_are_marked_as_derived(tmp_path):
    air = np.full((64, 64), -1000, np.int16)
    comparison_figure.side_by_side(tmp_path / "a.png", air, air)
    found = shown(tmp_path / "a.png")
    for bottom in (8 + 512, 528 + 512):  # of the image and of its enlarged part
        original, denoised, removed = (
            found[bottom - 32 : bottom, left + 2 : left + 200].max() for left in (8, 528, 1048)
        )
        assert original == 0 and denoised == removed == 255


def test_the_scale_bar_is_five_centimetres_long(tmp_path):
    hu = np.full((512, 512), -1000, np.int16)
    comparison_figure.side_by_side(tmp_path / "a.png", hu, hu, pixel_mm=0.8)
    panel = shown(tmp_path / "a.png")[8 : 8 + 512, 8 : 8 + 512, 0]
    bar = max((np.count_nonzero(row[300:] == 255) for row in panel[480:510]), default=0)
    assert bar == pytest.approx(50 / 0.8, abs=2)


def test_images_of_different_shapes_are_refused_by_name(tmp_path):
    with pytest.raises(BadInputError, match=r"\(2, 64, 64\), \(64, 64\)"):
        comparison_figure.side_by_side(
            tmp_path / "a.png", np.zeros((2, 64, 64)), np.zeros((64, 64))
        )
    assert not list(tmp_path.iterdir())


def test_a_figure_is_written_completely_or_not_at_all(tmp_path, scan, monkeypatch):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = tmp_path / "a.png"
    comparison_figure.side_by_side(path, scan, scan)
    before = path.read_bytes()

    def disk_full(self, file, **_):
        with open(file, "wb") as half:
            half.write(b"half a picture")
        raise OSError("disk full")

    monkeypatch.setattr(FigureCanvasAgg, "print_png", disk_full)
    with pytest.raises(BadInputError, match="disk full"):
        comparison_figure.side_by_side(path, scan[:, ::-1], scan)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_drawing_does_not_load_pyplot_or_change_settings(tmp_path):
    code = (
        "import sys, numpy as np; from PseudoCTDenoiseLib.ct import comparison_figure; "
        "assert 'matplotlib' not in sys.modules; "
        "import matplotlib; before = matplotlib.rcParams.copy(); "
        f"comparison_figure.side_by_side({str(tmp_path / 'a.png')!r}, *np.zeros((2, 64, 64))); "
        "assert 'matplotlib.pyplot' not in sys.modules; "
        "assert matplotlib.rcParams.copy() == before"
    )
    library = str(Path(comparison_figure.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": library}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
