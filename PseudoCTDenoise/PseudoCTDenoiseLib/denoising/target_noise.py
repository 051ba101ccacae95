"""The share of the noise that a denoiser leaves, and the targets that teach it just that."""

NOISE_LEFT = 0.25
"""What the shipped denoisers leave, as a factor on the noise. At a quarter of the dose it is the
best guess of the normal-dose twin, and half as strong as that one's noise."""


def target_share(dose: float, noise_left: float = NOISE_LEFT) -> float:
    """The share c of the added noise that the target keeps.

    The image that noise is added to is noisy itself. At a dose fraction a the noise N of the
    result is its own and the added one, which look alike; so the best guess of what the image
    itself had is a·N, and a network that is taught to give the image back leaves the share a of
    the noise, which it would have to guess. With c = (r − a) / (1 − a) of the added noise on the
    target, the best guess is r·N at every dose: the noise is learnt from noisy targets (as in
    Noisier2Noise, Moran et al., CVPR 2020, arXiv:1910.11908), and r is chosen, not guessed.
    """
    return (noise_left - dose) / (1 - dose)
