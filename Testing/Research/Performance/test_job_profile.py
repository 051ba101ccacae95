"""Where the time goes: shares of the whole, and the parts that are told. Nothing is timed."""

import math

import pytest
import torch
from pseudoct_research.performance.job_profile import seconds_to_start, shares_of_operations
from pseudoct_research.performance.machine_limits import matrix_gflops, memory_gb_per_second


@pytest.mark.parametrize("most", [1, 100])
def test_shares_are_of_the_whole_and_the_largest_come_first(most):
    large, small = torch.ones(400, 400), torch.ones(2)
    shares = shares_of_operations(lambda: (large @ large, small + small), most)
    assert sum(shares.values()) == pytest.approx(1)
    named = [share for name, share in shares.items() if name != "other"]
    assert named == sorted(named, reverse=True) and len(named) <= most
    assert next(iter(shares)) == "aten::mm"


def test_what_comes_before_a_job_is_told():
    seconds = seconds_to_start()
    assert list(seconds) == ["process start", "imports"] and min(seconds.values()) >= 0


@pytest.mark.parametrize("limit", [matrix_gflops, memory_gb_per_second])
def test_a_machines_limits_are_numbers(limit):
    found = limit(torch.device("cpu"), runs=1)
    assert found > 0 and math.isfinite(found)
