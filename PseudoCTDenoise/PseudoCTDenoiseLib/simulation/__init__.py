"""Low-dose CT from normal-dose images: scanner, kernels, noise."""
