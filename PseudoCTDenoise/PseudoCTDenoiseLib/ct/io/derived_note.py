"""Note in the header of files that this project writes."""

DERIVED = "Derived by PseudoCTDenoise"
"""First words of the note in denoised files. A file that begins with them is denoised already."""
ALREADY_DENOISED = "The scan is denoised already: use the original, or expect little change."
