"""The background process that denoises, and its protocol with Slicer."""
