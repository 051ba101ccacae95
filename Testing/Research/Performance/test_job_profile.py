"""Profile of a job: shares of time and the reported stages. Durations are not compared."""

import math

import pytest
import torch
from pseudoct_research.performance.job_profile import seconds_to_start, shares_of_operations
from pseudoct_research.performance.machine_limits import matrix_gflops, memory_gb_per_second


@pytest.mark.parametrize("most", [1, 100])
def test_shares_sum_to_one_in_descending_order(most):
    large, small = torch.ones(400, 400), torch.ones(2)
    shares = shares_of_operations(lambda: (large @ large, small + small), most)
    assert sum(shares.values()) == pytest.approx(1)
    named = [share for name, share in shares.items() if name != "other"]
    assert named == sorted(named, reverse=True) and len(named) <= most
    assert next(iter(shares)) == "aten::mm"


@pytest.mark.slow
def test_the_time_before_a_job_is_reported():
    seconds = seconds_to_start()
    assert list(seconds) == ["process start", "imports"] and min(seconds.values()) >= 0


@pytest.mark.slow
@pytest.mark.parametrize("limit", [matrix_gflops, memory_gb_per_second])
def test_the_limits_of_a_machine_are_finite(limit):
    found = limit(torch.device("cpu"))
    assert found > 0 and math.isfinite(found)
