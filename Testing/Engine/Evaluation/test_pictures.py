"""What the pictures promise."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from PseudoCTDenoiseLib.engine.errors import BadInputError
from PseudoCTDenoiseLib.engine.evaluation import pictures


@pytest.fixture
def scan():
    """Two slices of 64 x 64 with a block of tissue; the second has more of it."""
    hu = np.full((2, 64, 64), -1000, np.int16)
    hu[0, 30:34, 30:34] = 60
    hu[1, 16:48, 10:42] = 60
    return hu


def shown(path):
    """The picture as (rows, columns, 3) of 0 to 255."""
    return np.rint(imread(path)[..., :3] * 255).astype(int)


def test_the_slice_with_the_most_organ_tissue_is_chosen(scan):
    assert pictures.most_informative_slice(scan) == 1


def test_the_enlarged_part_lies_where_the_tissue_is(scan):
    assert pictures.organ_box(scan[1], 32, 32) == (16, 10)


def test_every_pixel_becomes_the_same_whole_number_of_pixels(tmp_path):
    hu = np.random.default_rng(1).integers(-160, 240, (128, 128)).astype(np.int16)
    pictures.side_by_side(tmp_path / "a.png", hu, hu)
    found = shown(tmp_path / "a.png")
    scale = 512 // 128
    expected = np.repeat(np.repeat((hu + 160) / 400 * 255, scale, 0), scale, 1)
    # Away from the labels at the panel's edges and from the outline of the enlarged part.
    top, left = pictures.organ_box(hu, 32, 32)
    outlined = np.zeros((128, 128), bool)
    outlined[max(top - 2, 0) : top + 34, max(left - 2, 0) : left + 34] = True
    outlined[:16], outlined[-16:] = True, True
    free = ~np.repeat(np.repeat(outlined, scale, 0), scale, 1)
    panel = found[8 : 8 + 512, 8 : 8 + 512]
    assert (panel[..., 0] == panel[..., 1]).mean() > 0.95
    assert np.abs(panel[..., 0] - expected)[free].max() < 2  # 256 levels


def test_a_picture_at_native_size_has_a_pixel_for_each_pixel(tmp_path):
    hu = np.zeros((400, 500), np.int16)
    pictures.side_by_side(tmp_path / "a.png", hu, hu, title="Title")
    rows, columns, _ = shown(tmp_path / "a.png").shape
    assert (rows, columns) == (36 + 400 + 8 + 400 + 8, 3 * (500 + 8) + 8 + 92)


def test_no_difference_is_black_and_removed_noise_is_warm_above_zero(tmp_path):
    hu = np.full((64, 64), 60, np.int16)
    denoised = hu.copy()
    denoised[:, :32] -= 20
    pictures.side_by_side(tmp_path / "a.png", hu, denoised, difference_hu=40)
    panel = shown(tmp_path / "a.png")[8 + 100 : 8 + 400, 8 + 2 * 520 : 8 + 2 * 520 + 512]
    red, _, blue = panel[150, 200]
    assert red > blue + 20
    assert panel[150, 450].max() == 0


def test_a_reference_adds_a_panel(tmp_path, scan):
    pictures.side_by_side(tmp_path / "a.png", scan, scan)
    pictures.side_by_side(tmp_path / "b.png", scan, scan, reference=scan, pixel_mm=0.8)
    assert shown(tmp_path / "b.png").shape[1] - shown(tmp_path / "a.png").shape[1] == 520


def test_the_scale_bar_is_five_centimetres_long(tmp_path):
    hu = np.full((512, 512), -1000, np.int16)
    pictures.side_by_side(tmp_path / "a.png", hu, hu, pixel_mm=0.8)
    panel = shown(tmp_path / "a.png")[8 : 8 + 512, 8 : 8 + 512, 0]
    bar = max((np.count_nonzero(row[300:] == 255) for row in panel[480:510]), default=0)
    assert bar == pytest.approx(50 / 0.8, abs=2)


def test_images_of_different_shapes_are_refused_by_name(tmp_path):
    with pytest.raises(BadInputError, match=r"\(2, 64, 64\), \(64, 64\)"):
        pictures.side_by_side(tmp_path / "a.png", np.zeros((2, 64, 64)), np.zeros((64, 64)))
    assert not list(tmp_path.iterdir())


def test_a_picture_is_whole_or_not_there(tmp_path, scan, monkeypatch):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = tmp_path / "a.png"
    pictures.side_by_side(path, scan, scan)
    before = path.read_bytes()

    def disk_full(self, file, **_):
        with open(file, "wb") as half:
            half.write(b"half a picture")
        raise OSError("disk full")

    monkeypatch.setattr(FigureCanvasAgg, "print_png", disk_full)
    with pytest.raises(OSError, match="disk full"):
        pictures.side_by_side(path, scan[:, ::-1], scan)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_coronal_views_have_the_proportions_of_the_body_with_the_head_up(tmp_path):
    hu = np.full((10, 64, 100), -1000, np.int16)
    hu[7:, 32] = 1000  # in the middle coronal plane, near to the head
    pictures.coronal_picture(tmp_path / "a.png", {"a": hu, "b": hu}, (0.5, 3.0))
    picture = shown(tmp_path / "a.png")
    gap, height = pictures.GAP_PX, 2 * 10 * 6
    assert picture.shape[:2] == (2 * height + 3 * gap, 2 * 100 + 2 * gap)
    right = picture[:, -20, 0]  # the labels are on the left
    assert (right[gap + 2 : gap + 34] == 255).all() and (right[gap + 40 : gap + height] == 0).all()


def test_noise_maps_share_one_scale(tmp_path):
    maps = np.zeros((3, 64, 64))
    maps[0, 20:40, 20:40], maps[2, 20:40, 20:40] = 10, -10
    pictures.noise_maps_picture(
        tmp_path / "a.png", maps, ["1", "2", "3"], limit_hu=20, pixel_mm=0.8
    )
    picture = shown(tmp_path / "a.png")
    middle = [picture[8 + 240, 8 + i * 520 + 240] for i in range(3)]
    assert middle[0][0] > middle[0][2] and middle[2][2] > middle[2][0]
    assert middle[1].max() == 0


def test_curves_skip_empty_cells(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    rows = [
        {"step": "0", "a": "46.5", "b": ""},
        {"step": "10", "a": "47", "b": "46"},
        {"step": "20", "a": "48"},
    ]
    pictures.curve_picture(tmp_path / "a.png", rows, {"fast": "a", "paper": "b"})
    fast, paper = drawn[0].axes[0].get_lines()
    assert fast.get_xydata().tolist() == [[0, 46.5], [10, 47], [20, 48]]
    assert paper.get_xydata().tolist() == [[10, 46]]


def test_curves_without_a_single_value_are_drawn_empty(tmp_path):
    pictures.curve_picture(tmp_path / "a.png", [{"step": "0", "a": ""}], {"fast": "a"})
    assert (tmp_path / "a.png").exists()


def test_spectra_keep_real_scanners_grey_and_measured_ones_in_colour(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    curve = ([0.125, 0.375], [0.4, 0.6])
    pictures.spectra_picture(tmp_path / "a.png", {"simulated": curve}, {"B30f": curve})
    real, measured = drawn[0].axes[0].get_lines()
    to_rgb = matplotlib.colors.to_rgb
    assert len(set(to_rgb(real.get_color()))) == 1
    assert len(set(to_rgb(measured.get_color()))) > 1


def test_drawing_loads_no_pyplot_and_leaves_the_settings_alone(tmp_path):
    code = (
        "import sys, numpy as np; from PseudoCTDenoiseLib.engine.evaluation import pictures; "
        "assert 'matplotlib' not in sys.modules; "
        "import matplotlib; before = matplotlib.rcParams.copy(); "
        f"pictures.side_by_side({str(tmp_path / 'a.png')!r}, *np.zeros((2, 64, 64))); "
        "assert 'matplotlib.pyplot' not in sys.modules; "
        "assert matplotlib.rcParams.copy() == before"
    )
    library = str(Path(pictures.__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": library}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
