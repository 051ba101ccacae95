"""The background process that denoises, and what is said between it and Slicer."""
