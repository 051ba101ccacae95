"""PseudoCTDenoise: self-supervised denoising of low-dose CT with pseudo-CT image pairs."""

__version__ = "0.1.0"
