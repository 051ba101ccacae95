"""A long scan goes up and down through its slices."""

import numpy as np
import pytest
from pseudoct_research.performance.bench_setup import FIELD_MM, quarter_dose_scan
from pseudoct_research.performance.long_scan import long_scan
from PseudoCTDenoiseLib.denoising.neighbours import OFFSETS, similar_neighbours


@pytest.mark.parametrize("count", [1, 2, 4])
def test_slices_next_to_each_other_are_neighbours(count):
    few = np.arange(count)[:, None, None]
    order = long_scan(few, 9).ravel()
    assert len(order) == 9 and set(order) == set(range(count))
    assert (abs(np.diff(order)) == min(1, count - 1)).all()


@pytest.mark.slow
def test_all_slices_of_the_timed_scans_correct_each_other():
    scan = long_scan(quarter_dose_scan(FIELD_MM / 256, 256).ldct, 8)
    inner = similar_neighbours(scan)[2:-2]
    assert all(len(offsets) >= len(OFFSETS) - 1 for offsets in inner)
