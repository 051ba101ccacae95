"""Where the time goes: shares that add up, and starts of a process that is there."""

import pytest
import torch
from PseudoCTDenoiseLib.engine.performance.job_profile import (
    seconds_to_start,
    shares_of_operations,
)
from PseudoCTDenoiseLib.engine.performance.machine_limits import (
    matrix_gflops,
    memory_gb_per_second,
)


def test_shares_are_of_the_whole_and_the_largest_comes_first():
    large, small = torch.ones(400, 400), torch.ones(2)
    shares = shares_of_operations(lambda: (large @ large, small + small), most=100)
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert shares["aten::mm"] > shares["aten::add"] > 0


def test_starting_python_and_loading_take_time():
    seconds = seconds_to_start()
    assert seconds.keys() == {"process start", "imports"}
    assert 0 < seconds["process start"] < seconds["imports"]


def test_a_machine_multiplies_and_copies():
    assert matrix_gflops(torch.device("cpu"), runs=1) > 0.1
    assert memory_gb_per_second(torch.device("cpu"), runs=1) > 0.1
