"""What a physicist asks of a denoiser: noise, resolution, HU and detectability on a phantom."""
