"""Exit codes of the commands."""

DONE, FAULT, BAD_INPUT, CANCELLED, UNFINISHED, INCOMPLETE, DIFFERENT = range(7)
SUCCESSES = (DONE, INCOMPLETE)
"""Codes of `denoise` after which the denoised scan is complete; a file beside it may be missing."""
