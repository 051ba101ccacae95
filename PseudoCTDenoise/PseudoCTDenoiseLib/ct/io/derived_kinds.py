"""Kinds of images that are derived from a CT, as files or as DICOM series."""

from __future__ import annotations

from typing import NamedTuple

from . import derived_note

SMOOTHING = ("113087", "DCM", "Smoothing")
SUBTRACTION = ("113062", "DCM", "Pixel by pixel subtraction")
"""Codes of derivations (PS3.16 CID 7203): value, scheme and meaning."""


class DerivedKind(NamedTuple):
    """A kind of image that is derived from a CT.

    Attributes
    ----------
    suffix : last words of the Series Description.
    number_offset : added to the source's Series Number.
    note : first words of the note in the file, by which it is recognised as an input.
    contribution : what this project did, for its Contribution Description.
    derivation : code of the derivation; None if the standard has none that fits.
    noise : True for an image of noise around 0 HU instead of a CT.
    noise_model : name of the noise model that made the image, if it was one alone.
    """

    suffix: str
    number_offset: int
    note: str
    contribution: str
    derivation: tuple[str, str, str] | None = None
    noise: bool = False
    noise_model: str | None = None


DENOISED = DerivedKind("denoised", 1000, derived_note.NOTE_START, "Denoising", SMOOTHING)
NOISE_ENSEMBLE = DerivedKind(
    "noise map", 2000, derived_note.NOISE, "Noise estimation by networks", noise=True
)
PSEUDO_LDCT = DerivedKind(
    "pseudo-LDCT",
    3000,
    derived_note.PSEUDO_LDCT,
    "Subtraction of twice the estimated noise",
    SUBTRACTION,
)
REMOVED_NOISE = DerivedKind(
    "removed noise",
    4000,
    derived_note.NOISE,
    "Subtraction of the denoised scan",
    SUBTRACTION,
    noise=True,
)


def noise_of_model(name: str, number: int) -> DerivedKind:
    """Return the kind of the noise map of a model, counted from 0."""
    return NOISE_ENSEMBLE._replace(
        suffix=f"noise map {name}",
        number_offset=5000 + 1000 * number,
        contribution="Noise estimation by a network",
        noise_model=name,
    )
