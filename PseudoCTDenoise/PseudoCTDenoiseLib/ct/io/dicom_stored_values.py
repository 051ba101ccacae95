"""Storage of HU as DICOM pixels, in the format of the source or in 16 bits if that is too small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset

from .dicom_content import rescale_type
from .dicom_slices import Slice
from .dicom_voxels import padding_values


@dataclass(frozen=True)
class StoredFormat:
    """Format of the stored values, the same in all slices of a series.

    Attributes
    ----------
    bits : number of bits of a value.
    signed : True for two's complement.
    own_rescale : True if each slice keeps the slope and the intercept of its source. False if the
        values are HU.
    """

    bits: int
    signed: bool
    own_rescale: bool = True

    def holds(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return True if all integers from low to high can be stored, also of arrays."""
        return (self._lowest <= low) & (high < self._lowest + (1 << self.bits))

    def stored(self, hu: np.ndarray, source: Slice) -> np.ndarray:
        """Return HU, (rows, columns), as stored values, 16-bit integers in little endian."""
        values = _stored(hu, source) if self.own_rescale else hu
        return values.astype("<i2" if self.signed else "<u2")

    def padding(self, stored: np.ndarray, source: Slice) -> np.ndarray:
        """Return padding values of the source, as it stores them, as they are stored here.

        HU that do not fit become the lowest number, which is darker than any tissue.
        """
        if self.own_rescale:
            return stored
        hu = np.rint(np.asarray(stored) * source.slope + source.intercept)
        return np.where(self.holds(hu, hu), hu, self._lowest).astype(int)

    def describe(self, image: Dataset, source: Slice) -> None:
        """Set the attributes of the stored values in a copy of the source's header."""
        if self != _source_format(source):
            for keyword, value in padding_values(source.frame.header).items():
                value = int(self.padding(value, source))
                image.add_new(keyword, "SS" if self.signed else "US", value)
        image.SamplesPerPixel, image.PixelRepresentation = 1, int(self.signed)
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, self.bits, self.bits - 1
        image.RescaleType = rescale_type(source.frame)
        if not self.own_rescale:
            image.RescaleSlope, image.RescaleIntercept = "1", "0"
        multi_energy = image.get("MultienergyCTAcquisition") == "YES"
        if multi_energy and image.RescaleType == "HU":  # requires the mapping (PS3.3 C.7.6.1)
            image.RealWorldValueMappingSequence = [self._mapping(image)]

    def _mapping(self, image: Dataset) -> Dataset:
        """Return the item that maps the stored values of an image to HU."""
        item, unit, vr = Dataset(), Dataset(), "SS" if self.signed else "US"
        item.LUTLabel, item.LUTExplanation = "HU", "CT values in HU"
        item.add_new("RealWorldValueFirstValueMapped", vr, self._lowest)
        item.add_new("RealWorldValueLastValueMapped", vr, self._lowest + (1 << self.bits) - 1)
        item.RealWorldValueSlope = float(image.RescaleSlope)
        item.RealWorldValueIntercept = float(image.RescaleIntercept)
        unit.CodeValue, unit.CodingSchemeDesignator = "[hnsf'U]", "UCUM"
        unit.CodeMeaning = "Hounsfield unit"
        item.MeasurementUnitsCodeSequence = [unit]
        return item

    @property
    def _lowest(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0


HU_FORMAT = StoredFormat(16, signed=True, own_rescale=False)
"""Holds the HU of all results, which are int16."""


def format_for(hu: Iterable[np.ndarray], sources: Sequence[Slice]) -> StoredFormat:
    """Return the format of the sources if it holds the HU and padding of all slices.

    Otherwise 16 bits are used, signed if necessary. If the rescale of a slice cannot represent its
    whole HU, or 16 bits are not enough, the format is :data:`HU_FORMAT`.

    Parameters
    ----------
    hu : (rows, columns) int16 of each slice.
    """
    extremes = []
    for part, source in zip(hu, sources, strict=True):
        stored = _stored(part, source)
        if not np.array_equal(np.rint(stored * source.slope + source.intercept), part):
            return HU_FORMAT
        extremes += [stored.min(), stored.max(), *padding_values(source.frame.header).values()]
    found = {_source_format(source) for source in sources}
    signed = any(source.signed for source in found)
    same = found if len(found) == 1 else set()
    for candidate in (*same, StoredFormat(16, signed), StoredFormat(16, signed=True)):
        if candidate.bits <= 16 and candidate.holds(min(extremes), max(extremes)):
            return candidate
    return HU_FORMAT


def _source_format(source: Slice) -> StoredFormat:
    header = source.frame.header
    bits = int(header.get("BitsStored") or header.BitsAllocated)  # floats have only the latter
    return StoredFormat(bits, bool(int(header.get("PixelRepresentation") or 0)))


def _stored(hu: np.ndarray, source: Slice) -> np.ndarray:
    """Return HU as stored values with the source's rescale, (rows, columns) float64."""
    return np.rint((hu - source.intercept) / source.slope)
