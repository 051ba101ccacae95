"""The body mask contains the patient without the table."""

import numpy as np
from PseudoCTDenoiseLib.ct.body_mask import body_mask


def test_the_body_includes_the_lungs_and_excludes_the_table():
    hu = np.full((2, 80, 100), -1000, np.int16)
    hu[:, 10:60, 10:90] = 40
    hu[:, 20:40, 30:60] = -850
    hu[:, 70:72, :] = 100
    mask = body_mask(hu)
    assert mask[:, 12:58, 12:88].all()
    assert not mask[:, 61:].any() and not mask[:, :10].any()
    assert body_mask(hu[0]).shape == (80, 100)


def test_padding_of_one_value_around_the_body_is_not_part_of_it():
    hu = np.random.default_rng(0).normal(40, 20, (60, 80)).astype(np.int16)
    hu[:20] = hu[50:] = 0
    mask = body_mask(hu)
    assert mask[22:48].all() and not mask[:20].any() and not mask[50:].any()


def test_a_body_that_fills_the_image_fills_the_mask():
    assert body_mask(np.full((1, 20, 20), 30, np.int16)).all()
    assert not body_mask(np.full((1, 20, 20), -1000, np.int16)).any()
