"""Fraction of the noise that a denoiser leaves, and the training targets that determine it."""

RESIDUAL_NOISE_FRACTION = 0.25
"""Fraction r of the noise's standard deviation that the shipped denoisers leave. At 25 % dose the
output is the optimal estimate of the normal-dose reference, with half of the reference's noise."""


def target_noise_fraction(
    dose: float, residual_noise_fraction: float = RESIDUAL_NOISE_FRACTION
) -> float:
    """Return the factor c: the training target contains c times the added noise.

    The image that noise is added to is noisy itself. At a dose fraction a, the noise N of the
    low-dose image is the sum of the image's own noise and the added noise, which have the same
    statistics. The optimal estimate of the image's own noise is therefore a·N, and a network that
    is trained to return the image leaves the fraction a of the noise's standard deviation. With
    c = (r − a) / (1 − a) times the added noise in the target, the optimal estimate is r·N at every
    dose. c is negative for a > r: |c| times the added noise is then subtracted from the image. The
    network thus learns from noisy targets (as in Noisier2Noise, Moran et al., CVPR 2020,
    arXiv:1910.11908), and r is chosen.

    Parameters
    ----------
    dose : a, between 0 and 1.
    residual_noise_fraction : r.
    """
    return (residual_noise_fraction - dose) / (1 - dose)
