"""Note in the header of files that this project writes."""

MADE_BY = "by PseudoCTDenoise"
"""Part of the note in every volume that this project writes."""
SOFTWARE = "PseudoCTDenoise"
"""Software that a PNG of this project states."""
DERIVED = f"Derived {MADE_BY}"
"""First words of the note in denoised files. A file that begins with them is denoised already."""
ALREADY_DENOISED = "The scan is denoised already: use the original, or expect little change."
