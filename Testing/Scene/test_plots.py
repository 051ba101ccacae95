"""The plots of a result show what was removed and how the tuning went, in their units."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
from PseudoCTDenoiseLib.scene.plots import createPlots  # noqa: E402
from PseudoCTDenoiseLib.scene.provenance import CHARTS, SETTINGS  # noqa: E402

PIXEL_MM = 0.8
LOSSES = [float(100 - step) for step in range(40)]
NODES = ("vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode", "vtkMRMLTableNode")
RNG = np.random.default_rng(5)
NOISE = np.rint(RNG.normal(0, 12, (3, 128, 160))).astype(np.int16)
CLEAN = np.full(NOISE.shape, 50, np.int16)
CLEAN[:, :20] = -1000
CLEAN[:, :, -40:] = 50 + 100 * (np.arange(40) % 2)
"""Air above, flat tissue, and at the right tissue that is not flat."""
NOISY = CLEAN + NOISE


@pytest.fixture
def output(scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan denoised")
    node.SetAttribute(SETTINGS, '{"loss": "mse"}')
    return node


def column(chart, index: int, curve: int = 0) -> np.ndarray:
    """Return the values of a chart's series: column 0 for x, 1 for y."""
    series = chart.GetNthPlotSeriesNode(curve)
    name = (series.GetXColumnName(), series.GetYColumnName())[index]
    values = slicer.util.arrayFromTableColumn(series.GetTableNode(), name)
    return np.array(values)


def byName(charts) -> dict:
    return {chart.GetName().removeprefix("scan denoised "): chart for chart in charts}


def counts(scene) -> list[int]:
    return [scene.GetNumberOfNodesByClass(name) for name in NODES]


def test_a_result_has_three_plots_with_titles_and_units(output):
    charts = byName(createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES))
    axes = {name: (c.GetXAxisTitle(), c.GetYAxisTitle()) for name, c in charts.items()}
    assert axes == {
        "noise histogram": ("Removed noise (HU)", "Voxels (% per HU)"),
        "noise power spectrum": ("Spatial frequency (1/cm)", "NPS (HU² mm²)"),
        "tuning loss": ("Step", "Loss (HU²)"),
    }
    assert all(chart.GetTitle() for chart in charts.values())


def test_curves_are_plain_lines(output):
    for chart in createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES):
        for index in range(chart.GetNumberOfPlotSeriesNodes()):
            series = chart.GetNthPlotSeriesNode(index)
            assert series.GetMarkerStyle() == series.MarkerStyleNone
            assert series.GetPlotType() == series.PlotTypeScatter
            assert series.GetLineStyle() == series.LineStyleSolid
        # A legend only where there is something to tell apart.
        assert bool(chart.GetLegendVisibility()) == (chart.GetNumberOfPlotSeriesNodes() > 1)


def test_the_histogram_is_that_of_tissue_in_percent_per_hu(output):
    chart = byName(createPlots(output, NOISY, CLEAN, PIXEL_MM, []))["noise histogram"]
    noise, percent = column(chart, 0), column(chart, 1)
    assert np.array_equal(noise, np.arange(noise[0], -noise[0] + 1))
    tissue = NOISE[NOISY > -500]
    wanted = [100 * np.mean(tissue == hu) for hu in noise]
    assert percent == pytest.approx(wanted)
    assert 99.8 <= percent.sum() <= 100


def test_a_wide_histogram_has_wide_bins_of_the_same_unit(output):
    chart = byName(createPlots(output, CLEAN + 20 * NOISE, CLEAN, PIXEL_MM, []))["noise histogram"]
    noise, percent = column(chart, 0), column(chart, 1)
    width = noise[1] - noise[0]
    assert width % 2 == 1 and len(noise) <= 121 and 0 in noise
    assert np.array_equal(noise, -noise[::-1])
    assert 99.8 <= percent.sum() * width <= 100.0001


def test_a_scan_without_tissue_or_without_change_has_a_histogram(output):
    air = np.full((2, 40, 40), -1000, np.int16)
    (chart,) = createPlots(output, air, air, PIXEL_MM, [])
    assert np.array_equal(column(chart, 0), [-1, 0, 1])
    assert np.array_equal(column(chart, 1), [0, 100, 0])


def test_differences_beyond_int16_do_not_wrap(output):
    low, high = np.full((1, 8, 8), -30000, np.int16), np.full((1, 8, 8), 30000, np.int16)
    (chart,) = createPlots(output, high, low, PIXEL_MM, [])
    peak = column(chart, 0)[column(chart, 1).argmax()]
    assert peak == pytest.approx(60000, abs=500)


def test_the_spectrum_of_white_noise_is_flat_and_holds_its_variance(output):
    chart = byName(createPlots(output, NOISY, CLEAN, PIXEL_MM, []))["noise power spectrum"]
    frequency, power = column(chart, 0), column(chart, 1)
    assert frequency[-1] <= 10 / (2 * PIXEL_MM) < frequency[-1] + 0.25
    assert power[4:].mean() == pytest.approx(NOISE.var() * PIXEL_MM**2, rel=0.1)
    assert power[4:].std() < 0.2 * power[4:].mean()


def test_the_spectrum_is_that_of_flat_tissue(output):
    clean = CLEAN.copy()
    clean[:, :20] = 50
    clean[:, :, 64:] += (40 * (np.arange(96) % 2)).astype(np.int16)
    noisy = clean + NOISE
    noisy[:, :, 64:] += 3 * NOISE[:, :, 64:]  # what is removed beside edges is more than noise
    chart = byName(createPlots(output, noisy, clean, PIXEL_MM, []))["noise power spectrum"]
    assert column(chart, 1)[4:].mean() == pytest.approx(NOISE.var() * PIXEL_MM**2, rel=0.1)


def test_small_or_oblong_pixels_have_no_spectrum(output):
    assert "noise power spectrum" in byName(createPlots(output, NOISY, CLEAN, (0.8, 0.8), []))
    assert "noise power spectrum" not in byName(createPlots(output, NOISY, CLEAN, (0.8, 0.9), []))
    small = np.s_[:, 40:100, :60]
    charts = byName(createPlots(output, NOISY[small], CLEAN[small], 0.8, []))
    assert "noise power spectrum" not in charts


@pytest.mark.parametrize("pixel_mm", [0.0007, 50.0])
def test_pixels_that_no_ct_has_have_no_spectrum(output, pixel_mm):
    charts = byName(createPlots(output, NOISY, CLEAN, pixel_mm, []))
    assert set(charts) == {"noise histogram"}


def test_the_loss_is_shown_step_by_step_and_smoothed(output):
    chart = byName(createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES))["tuning loss"]
    assert np.array_equal(column(chart, 0), np.arange(1, 41))
    assert np.array_equal(column(chart, 1, curve=0), LOSSES)
    smooth = column(chart, 1, curve=1)
    assert smooth[0] == 100
    assert smooth[39] == pytest.approx(np.mean(LOSSES[20:]))
    assert [chart.GetNthPlotSeriesNode(i).GetName() for i in (0, 1)] == [
        "Loss of the step",
        "Mean of 20 steps",
    ]


@pytest.mark.parametrize(
    ("settings", "title"),
    [('{"loss": "l1"}', "Loss (HU)"), ('{"loss": "mse"}', "Loss (HU²)"), (None, "Loss")],
)
def test_the_losss_unit_is_that_of_the_job(output, settings, title):
    output.RemoveAttribute(SETTINGS)
    if settings:
        output.SetAttribute(SETTINGS, settings)
    charts = byName(createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES))
    assert charts["tuning loss"].GetYAxisTitle() == title


def test_the_output_refers_to_its_charts(output):
    charts = createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES)
    count = output.GetNumberOfNodeReferences(CHARTS)
    assert [output.GetNthNodeReference(CHARTS, i) for i in range(count)] == charts


def test_a_second_run_fills_the_same_nodes(scene, output):
    first = createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES)
    assert counts(scene) == [3, 4, 3]
    output.SetName("renamed")
    second = createPlots(output, CLEAN + 2 * NOISE, CLEAN, PIXEL_MM, LOSSES[:5])
    assert second == first and counts(scene) == [3, 4, 3]
    assert [chart.GetName().split()[0] for chart in second] == ["renamed"] * 3
    assert len(column(second[2], 0)) == 5


def test_plots_without_content_now_leave_the_scene(scene, output):
    first = createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES)
    second = createPlots(output, NOISY, CLEAN, PIXEL_MM, [])
    assert second == first[:2] and counts(scene) == [2, 2, 2]
    third = createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES)
    assert third[:2] == second and counts(scene) == [3, 4, 3]


def test_deleted_nodes_are_created_again(scene, output):
    charts = createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES)
    scene.RemoveNode(charts[0].GetNthPlotSeriesNode(0).GetTableNode())
    scene.RemoveNode(charts[2].GetNthPlotSeriesNode(1))
    scene.RemoveNode(charts[1])
    again = createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES)
    assert [len(column(chart, 1)) > 0 for chart in again] == [True] * 3
    assert again[2].GetNumberOfPlotSeriesNodes() == 2
    assert output.GetNumberOfNodeReferences(CHARTS) == 3


def test_two_results_have_plots_of_their_own(scene, output):
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    first = createPlots(output, NOISY, CLEAN, PIXEL_MM, LOSSES)
    second = createPlots(other, NOISY, CLEAN, PIXEL_MM, LOSSES)
    assert not set(first) & set(second) and counts(scene) == [6, 8, 6]


def test_arrays_are_only_read(output):
    noisy, clean = NOISY.copy(), CLEAN.copy()
    createPlots(output, noisy, clean, PIXEL_MM, LOSSES)
    assert np.array_equal(noisy, NOISY) and np.array_equal(clean, CLEAN)
