"""Figures of coronal views, curves and spectra."""

import matplotlib
import numpy as np
from matplotlib.image import imread
from pseudoct_research.results import pictures


def shown(path):
    """Read an image as (rows, columns, 3) of 0 to 255."""
    return np.rint(imread(path)[..., :3] * 255).astype(int)


def test_coronal_views_have_body_proportions_and_the_head_at_the_top(tmp_path):
    hu = np.full((10, 64, 100), -1000, np.int16)
    hu[7:, 32] = 1000  # in the middle coronal plane, near the head
    pictures.coronal_picture(tmp_path / "a.png", {"a": hu, "b": hu}, (0.5, 3.0))
    picture = shown(tmp_path / "a.png")
    gap, height = pictures.GAP_PX, 2 * 10 * 6
    assert picture.shape[:2] == (2 * height + 3 * gap, 2 * 100 + 2 * gap)
    right = picture[:, -20, 0]  # the labels are on the left
    assert (right[gap + 2 : gap + 34] == 255).all() and (right[gap + 40 : gap + height] == 0).all()


def test_curves_skip_empty_cells(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    rows = [
        {"step": "0", "a": "46.5", "b": ""},
        {"step": "10", "a": "47", "b": "46"},
        {"step": "20", "a": "48"},
    ]
    pictures.curve_picture(tmp_path / "a.png", rows, {"fast": "a", "paper": "b"}, y_label="dB")
    fast, paper = drawn[0].axes[0].get_lines()
    assert fast.get_xydata().tolist() == [[0, 46.5], [10, 47], [20, 48]]
    assert paper.get_xydata().tolist() == [[10, 46]]
    assert drawn[0].axes[0].get_xscale() == "linear"


def test_the_steps_of_a_curve_may_be_logarithmic(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    rows = [{"step": step, "a": 1} for step in (0, 5, 640)]
    pictures.curve_picture(tmp_path / "a.png", rows, {"fast": "a"}, y_label="dB", linear_to=5)
    axes = drawn[0].axes[0]
    assert axes.get_xscale() == "symlog" and axes.xaxis.get_transform().linthresh == 5


def test_curves_without_values_are_drawn_empty(tmp_path):
    pictures.curve_picture(
        tmp_path / "a.png", [{"step": "0", "a": ""}], {"fast": "a"}, y_label="dB"
    )
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
