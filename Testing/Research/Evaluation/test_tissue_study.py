"""The study of tissues finds known shifts of single tissues."""

import numpy as np
import pytest
from pseudoct_research.evaluation.comparison import LDCT, CtPair
from pseudoct_research.evaluation.method_study import NO_TUNING, WITH_METHOD
from pseudoct_research.evaluation.study_tables import tissues_table
from pseudoct_research.evaluation.tissue_study import measure_tissues


@pytest.fixture
def pair():
    """Soft tissue beside fat; bone is too small to be measured."""
    ndct = np.full((1, 200, 300), 60.0)
    ndct[:, :, 100:] = -100
    ndct[:, :20, :20] = 700
    ndct = np.rint(ndct + np.random.default_rng(0).normal(0, 5, ndct.shape)).astype(np.int16)
    return CtPair("one", ndct - np.int16(1), ndct, 0.8)


def test_the_shift_of_a_tissue_is_found_in_it_alone(pair):
    shifts_fat = pair.ldct + 3 * (pair.ldct < 0)
    images = {LDCT: pair.ldct, NO_TUNING: shifts_fat, WITH_METHOD: shifts_fat}
    rows = {row["tissue"]: row for row in measure_tissues(pair, images)}
    assert rows.keys() == {"fat", "soft tissue"}
    assert 38000 < rows["fat"]["voxels"] < 40000
    for tissue, shifted in (("fat", 2), ("soft tissue", -1)):
        found = [rows[tissue][name] for name in (LDCT, NO_TUNING, WITH_METHOD)]
        assert found == pytest.approx([-1, shifted, shifted], abs=0.01)


def test_the_table_has_means_and_the_largest_bias():
    rows = [
        {"kernel": "soft", "patient": name, "tissue": "soft tissue", LDCT: ldct}
        | {NO_TUNING: untuned, WITH_METHOD: method}
        for name, ldct, untuned, method in (("a", 0.1, 1, 0.5), ("b", 0.3, 2, -0.75))
    ]
    (line,) = tissues_table(rows).splitlines()[2:]
    assert line == "| soft | soft tissue | 2 | +0.20 | +1.50 | −0.12 | −0.75 | +0.30 | b |"


def test_noise_of_the_reference_causes_little_bias():
    noise = np.random.default_rng(2).normal(0, 30, (1, 200, 300))
    flat = np.full(noise.shape, 20, np.int16)  # where soft tissue begins
    pair = CtPair("one", flat, np.rint(flat + noise).astype(np.int16), 0.8)
    (row,) = measure_tissues(pair, {LDCT: pair.ldct})
    # With means of 5×5 voxels it would be 5 HU.
    assert row["tissue"] == "soft tissue" and abs(row[LDCT]) < 2


def test_where_the_scan_is_clipped_nothing_is_measured(pair):
    low = pair.ldct.copy()
    low[:, ::10, 100::10] = -1024
    rows = measure_tissues(CtPair("one", low, pair.ndct, 0.8), {LDCT: low})
    assert [row["tissue"] for row in rows] == ["soft tissue"]
