"""Kinds of images that are derived from a CT, as files or as DICOM series."""

from __future__ import annotations

from typing import NamedTuple

from . import derived_note


class DerivedKind(NamedTuple):
    """A kind of image that is derived from a CT.

    Attributes
    ----------
    suffix : last words of the Series Description.
    number_offset : added to the source's Series Number.
    note : first words of the note in the file, by which it is recognised as an input.
    noise : True for an image of noise around 0 HU instead of a CT.
    """

    suffix: str
    number_offset: int
    note: str
    noise: bool = False


DENOISED = DerivedKind("denoised", 1000, derived_note.NOTE_START)
NOISE_ENSEMBLE = DerivedKind("noise map", 2000, derived_note.NOISE, noise=True)
PSEUDO_LDCT = DerivedKind("pseudo-LDCT", 3000, derived_note.PSEUDO_LDCT)
REMOVED_NOISE = DerivedKind("removed noise", 4000, derived_note.NOISE, noise=True)


def noise_of_model(name: str, number: int) -> DerivedKind:
    """Return the kind of the noise map of a model, counted from 0."""
    return DerivedKind(f"noise map {name}", 5000 + 1000 * number, derived_note.NOISE, noise=True)
