"""Image quality of a denoiser on a phantom: noise, resolution, HU bias and detectability."""
