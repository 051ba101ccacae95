"""Settings of another system become flags of `pseudoct denoise`."""

import pytest
from PseudoCTDenoiseLib.node.denoise_options import denoise_options


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"neighbours": False, "strength": 70}, ["--no-neighbours", "--strength=70"]),
        ({"neighbours": True}, ["--neighbours"]),
        ({"device": "cuda:1"}, ["--device=cuda:1"]),
    ],
)
def test_values_and_switches_become_flags(values, flags):
    assert denoise_options(values) == flags
