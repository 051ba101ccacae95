"""Settings of another system become flags of `pseudoct denoise`."""

import pytest
from PseudoCTDenoiseLib.cli.denoise import parse_arguments
from PseudoCTDenoiseLib.node.denoise_options import ALLOWED, denoise_options


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({"method": "pretrained", "strength": 70}, ["--method=pretrained", "--strength=70"]),
        ({"device": "cuda:1"}, ["--device=cuda:1"]),
    ],
)
def test_values_become_flags(values, flags):
    assert denoise_options(values) == flags


def test_every_allowed_option_is_an_option_of_denoise():
    assert set(ALLOWED) <= vars(parse_arguments(["scan.nrrd", "out.nrrd"])).keys()
