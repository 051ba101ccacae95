"""Input and target of the network for each supervision."""

import pytest
import torch
from pseudoct_research.training.supervision import SUPERVISIONS, supervise
from PseudoCTDenoiseLib.ct.hounsfield import RANGE_HU

LDCT = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(1))
NDCT = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(2))


def lesson(kind, ndct=NDCT, sigma=82.0, seed=0):
    return supervise(kind, LDCT, ndct, torch.Generator().manual_seed(seed), sigma)


def test_n2c_maps_ldct_to_ndct():
    shown, wanted, where = lesson("n2c")
    assert shown is LDCT and wanted is NDCT and where is None


@pytest.mark.parametrize("kind", [kind for kind in SUPERVISIONS if kind != "n2c"])
def test_other_supervisions_do_not_use_the_ndct(kind):
    for one, other in zip(lesson(kind), lesson(kind, NDCT + 5), strict=True):
        assert one is other is None or torch.equal(one, other)


def test_n2n_gaussian_has_independent_noise_in_input_and_target():
    shown, wanted, where = lesson("n2n-gaussian", sigma=40.0)
    noises = torch.stack([shown - LDCT, wanted - LDCT]).flatten(1) * RANGE_HU
    assert where is None
    assert noises.std(dim=1).tolist() == pytest.approx([40, 40], rel=0.02)
    assert noises.mean(dim=1).abs().max() < 1
    assert abs(torch.corrcoef(noises)[0, 1]) < 0.03


def test_only_masked_pixels_count_and_the_target_is_the_ldct():
    shown, wanted, where = lesson("n2v")
    assert wanted is LDCT
    assert torch.equal(shown != LDCT, where)
    assert where.float().mean() < 0.1
