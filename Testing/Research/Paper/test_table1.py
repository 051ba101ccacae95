"""Rows of the table: the paper's rows, and the settings of each."""

from dataclasses import replace

import numpy as np
import pytest
from pseudoct_research.paper import table1
from pseudoct_research.paper.noise_sources import DRAWS, GaussianNoise
from pseudoct_research.paper.pretrained import subject_models
from pseudoct_research.paper.table1 import (
    FAST_MODELS,
    METHOD,
    N2C_ROWS,
    ROWS,
    WITHOUT_UPDATE,
    denoise_row,
    matched_sigma,
    needed_models,
    noise_of,
)
from pseudoct_research.paper.trained_networks import load_networks
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU

BY_NAME = {row.name: row for row in ROWS}


@pytest.fixture(scope="module")
def networks(trained, data):
    starts = list(dict.fromkeys(row.start for row in ROWS if row.start))
    return load_networks(trained, "red-cnn-32", starts, subject_models(data))


def test_names_are_unique_and_thirteen_rows_have_printed_figures():
    assert len(BY_NAME) == len(ROWS)
    printed = {name: row.printed for name, row in BY_NAME.items() if row.printed}
    assert list(printed) == [
        "LDCT",
        *(
            f"{start}{tuning}"
            for start in ("N2V", "N2N", "N2C")
            for tuning in ("", " + method without update", " + method")
        ),
        "N2C + Hist",
        "N2C + Gaussian",
        "N2C + Model+Hist",
    ]
    assert printed["N2C + method"] == (50.50, 0.9922)


def test_the_method_is_the_papers_loop():
    assert (METHOD.teacher, METHOD.noise_source) == ("network", "models")
    assert (METHOD.learning_rate, METHOD.rescale, METHOD.loss) == (1e-4, (0.5, 2.0), "mse")
    assert METHOD.update_period < METHOD.steps
    assert replace(METHOD, update_period=None) == WITHOUT_UPDATE
    assert BY_NAME["N2C + parent method"].settings == WITHOUT_UPDATE


def test_each_row_has_its_noise_source(networks, data):
    ldct = data.measured[0].ldct

    def of(name):
        return noise_of(BY_NAME[name], ldct, networks)

    assert of("N2C + method") == list(networks.noise_models) and len(networks.noise_models) == 3
    assert of("N2C") == []
    row_of_fast = replace(BY_NAME["N2C + method"], noise=FAST_MODELS)
    of_fast = noise_of(row_of_fast, ldct, networks)
    assert len(of_fast) == 3 and not set(of_fast) & set(networks.noise_models)
    assert needed_models(row_of_fast, "red-cnn-32", ["A"]) == [
        *("red-cnn-32", "noise-acrin-flt-49f", "noise-lidc-idri-0001", "noise-tcga-de-a4ma")
    ]
    assert of("N2C + Hist") == [networks.histogram] * DRAWS
    model_and_hist = of("N2C + Model+Hist")
    assert model_and_hist[:DRAWS] == [networks.noise_model_of_all] * DRAWS
    assert model_and_hist[DRAWS:] == [networks.histogram] * DRAWS
    printed = of("N2C + Gaussian")
    assert len(printed) == DRAWS and printed[0].deviation_hu == pytest.approx(81.92)
    matched = of("N2C + Gaussian matched to the scan")[0]
    assert isinstance(matched, GaussianNoise)
    assert matched.deviation_hu == matched_sigma(ldct, networks.starts["n2c"], METHOD)


def test_the_matched_deviation_is_that_of_the_removed_noise(data):
    from torch import nn

    class Offset(nn.Module):
        """Network that subtracts 10 HU from one half of a slice and adds them to the other."""

        def forward(self, x):
            y = x.clone()
            half = x.shape[-1] // 2
            y[..., :half] -= 10 / RANGE_HU
            y[..., half:] += 10 / RANGE_HU
            return y

    assert matched_sigma(data.measured[0].ldct, Offset(), METHOD) == pytest.approx(10, abs=0.1)


def test_two_denoisers_without_tuning_are_averaged(networks, data):
    ldct = data.measured[1].ldct
    n2c, control, mean = (
        denoise_row(BY_NAME[name], ldct, networks).astype(float)
        for name in ("N2C", "X − mean Z (control)", "Mean of N2C and X − mean Z")
    )
    assert np.abs(mean - (n2c + control) / 2).max() < 0.01 and not np.array_equal(n2c, control)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.slow
def test_every_row_gives_a_reproducible_image(networks, data, name, monkeypatch):
    row = BY_NAME[name]
    row = replace(row, settings=replace(row.settings, steps=min(row.settings.steps, 2)))
    ldct = data.measured[1].ldct
    image = denoise_row(row, ldct, networks)
    assert image.shape == ldct.shape and np.isfinite(image).all()
    assert np.array_equal(image, denoise_row(row, ldct, networks))
    if name == "LDCT":
        assert image is ldct
    else:
        assert not np.array_equal(image, ldct)


def test_the_n2c_rows_need_no_other_denoiser():
    assert {row.start for row in N2C_ROWS} == {None, "n2c"}
    assert table1.ROWS[0] in N2C_ROWS
