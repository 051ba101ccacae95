"""Notes in the header of files that this project writes."""

MADE_BY = "by PseudoCTDenoise"
"""Part of the note in every volume that this project writes."""
SOFTWARE = "PseudoCTDenoise"
"""Software that a PNG of this project states, and manufacturer that a DICOM series states."""
NOTE_START = f"Derived {MADE_BY}"
"""First words of the note in denoised files. A file that begins with them is denoised already, or
an earlier version wrote it, in which noise maps and pseudo-LDCT had the same note."""
NOISE, PSEUDO_LDCT = f"Noise map {MADE_BY}", f"Pseudo-LDCT {MADE_BY}"
"""First words of the notes in noise maps and in pseudo-LDCT."""
RESEARCH_USE = "Research use only, not for primary diagnosis."
NOTICE = f"{NOTE_START}. {RESEARCH_USE}"
NOISE_MAP = "NOISE_MAP"
"""Value of DICOM's Image Type in this project's noise maps."""
ALREADY_DENOISED = "The scan is denoised already: use the original, or expect little change."
IS_PSEUDO_LDCT = "The scan is a pseudo-LDCT, a scan with reversed noise: use the original."


def derivation_note(start: str, version: str, model: str, strength: float | None) -> str:
    """Return the note of a DICOM image, with version, model and strength in percent.

    Parameters
    ----------
    start : first words of the note, see :attr:`.DerivedKind.note`.
    strength : None for an image that does not depend on it.
    """
    of_strength = "" if strength is None else f", strength {strength:g} %"
    return f"{start} {version}: model {model}{of_strength}. {RESEARCH_USE}"


def simulation_note(dose: float, kernel: str, seed: int) -> str:
    """Return the note of a simulated low-dose scan; NIfTI has room for its first 79 characters."""
    about = f"dose {dose:.5g}, {kernel}, seed {seed}"
    return f"Simulated {MADE_BY}: {about}. {RESEARCH_USE}"
