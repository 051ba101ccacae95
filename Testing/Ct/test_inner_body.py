"""The interior of the body is away from its edge."""

import torch
from PseudoCTDenoiseLib.ct.inner_body import inner_body


def body(side: int) -> torch.Tensor:
    """Return one slice of 64×64 HU in air with a square of soft tissue."""
    hu = torch.full((1, 64, 64), -1000.0)
    hu[:, 20 : 20 + side, 20 : 20 + side] = 50
    return hu


def test_the_interior_is_four_pixels_away_from_the_edge_of_the_body():
    expected = torch.zeros(1, 64, 64, dtype=torch.bool)
    expected[:, 24:36, 24:36] = True
    assert torch.equal(inner_body(body(20)), expected)


def test_without_a_body_the_whole_image_counts():
    for hu in (body(0), body(12)):  # the interior of the latter has 4×4 of 64×64 pixels
        assert inner_body(hu).all()
