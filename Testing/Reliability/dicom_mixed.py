"""Several stacks in one folder: offered as choices, or read where only one is a CT volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dicom_factory import HEIGHTS, SERIES, body, change, ct_slice, store, write
from pydicom import Dataset
from Reliability.case import Case, Offered, Read, Refused, Writer, reads, refuses
from Reliability.dicom_geometry import COSINES, scan
from Reliability.dicom_inputs import (
    OTHER,
    SIX,
    alternating,
    both,
    inside,
    one,
    slices,
    stack,
)

EVEN, ODD = stack(SIX[::2]), stack(SIX[1::2])
LATER = {"first": 20, "offset": 5}
"""A second series of the same positions, 5 HU brighter."""
PAIR = {"3.1": stack(), "3.2": stack(HEIGHTS, 5)}


def offers(writer: Writer, stacks: Mapping[str, Read], *words: str) -> Case:
    return Case(writer, Offered(stacks, words))


def in_turn(keyword: str, first, second, *words: str, swapped: bool = False) -> Case:
    """Return a series whose slices belong to two stacks in turn; numbered by their values."""
    stacks = {"3.1": ODD, "3.2": EVEN} if swapped else {"3.1": EVEN, "3.2": ODD}
    return offers(alternating(keyword, first, second), stacks, *words)


def again(keyword: str, first, second, *words: str) -> Case:
    """Return two images of the same positions that differ in an attribute."""
    return offers(
        both(slices(**{keyword: first}), slices(**LATER, **{keyword: second})), PAIR, *words
    )


def smaller_slice(folder) -> None:
    image = ct_slice(10.0, 50)
    image.Rows = 18
    store(image, body(10.0)[:18])
    write(image, folder / "x.dcm")


def times(series: Sequence[str], **later) -> Writer:
    first, second = series
    return both(
        slices(SeriesInstanceUID="", SeriesTime=first),
        slices(SIX, first=20, SeriesInstanceUID="", SeriesTime=second, **later),
    )


def new_kernel(index: int, image: Dataset) -> None:
    change(image, "ConvolutionKernel", "AB"[index // 3])


def own(keyword: str, values: Sequence) -> Writer:
    """Return a writer of a series in which each slice has its own value."""
    return slices(edit=lambda i, image: change(image, keyword, values[i]))


TWO_KERNELS = alternating("ConvolutionKernel", "B40f", "B70f")

CASES = (
    reads(
        stack(),
        {
            "an acquisition for each slice": own("AcquisitionNumber", [1, 2, 3, 4]),
            "a time for each slice": own("AcquisitionTime", [f"1200{i:02d}" for i in range(4)]),
            "tube voltage as 120 and 120.0": alternating("KVP", "120", "120.0", heights=HEIGHTS),
            "a tube current for each slice": own("XRayTubeCurrent", [100, 110, 120, 130]),
            "no UID of the series": slices(SeriesInstanceUID=""),
            "no SOP instance UIDs": slices(SOPInstanceUID=""),
            "no patient": slices(PatientID="", PatientName=""),
            "no frame of reference": slices(FrameOfReferenceUID=None),
            "no kernel, voltage or thickness": slices(
                ConvolutionKernel=None, KVP=None, SliceThickness=None
            ),
        },
    )
    | {
        "two patients under one UID": in_turn("PatientID", "P1", "P2", "patient 1", "patient 2"),
        "two patients with one ID": in_turn("PatientName", "A^B", "C^D", "patient 1", "patient 2"),
        "two birth dates": in_turn("PatientBirthDate", "19500101", "19600101", "patient 1"),
        "two studies under one UID": in_turn("StudyInstanceUID", "1.2.1", "1.2.2", "study 1.2.1"),
        "two frames of reference": in_turn(
            "FrameOfReferenceUID", "1.2.1", "1.2.2", "frame of reference"
        ),
        "two kernels": in_turn("ConvolutionKernel", "B40f", "B70f", "kernel B40f", "kernel B70f"),
        "80 and 140 kV": in_turn("KVP", "140", "80", "kV 80", "kV 140", swapped=True),
        "two thicknesses": in_turn("SliceThickness", "5", "1.0", "thickness 1,", swapped=True),
        "two descriptions": in_turn("SeriesDescription", "Abdomen", "Thorax", "3.1: 'Abdomen'"),
        "two image types": in_turn(
            "ImageType",
            ["ORIGINAL", "PRIMARY", "AXIAL"],
            ["DERIVED", "PRIMARY", "MPR"],
            "image type",
            swapped=True,
        ),
        "two acquisitions, interleaved": in_turn("AcquisitionNumber", 1, 2, "acquisition 1"),
        "two times, interleaved": in_turn("AcquisitionTime", "101500", "102000", "time 101500"),
        "a kernel change in the middle": offers(
            slices(SIX, edit=new_kernel),
            {"3.1": stack(SIX[:3]), "3.2": stack(SIX[3:])},
            "kernel A",
            "kernel B",
        ),
        "one slice without kernel": offers(
            one(3, ConvolutionKernel=None),
            {"3.1": stack(HEIGHTS[3:]), "3.2": stack(HEIGHTS[:3])},
            "1 slice, kernel -",
        ),
        "one slice of another patient at the end": offers(
            one(3, PatientID="P2"),
            {"3.1": stack(HEIGHTS[:3]), "3.2": stack(HEIGHTS[3:])},
            "patient 2",
        ),
        "one slice without the UID of the series": offers(
            one(3, SeriesInstanceUID=""), {SERIES: stack(HEIGHTS[:3])}, "UID none"
        ),
        "one slice that is not HU": offers(
            one(3, RescaleType="MGML"), {"3.1": stack(HEIGHTS[:3])}, "unit HU", "unit MGML"
        ),
        "two acquisitions": again("AcquisitionNumber", 1, 2, "acquisition 1", "acquisition 2"),
        "two temporal positions": again("TemporalPositionIdentifier", 1, 2, "phase 1", "phase 2"),
        "two cardiac phases": again("NominalPercentageOfCardiacPhase", 40.0, 75.0, "phase 75"),
        "two trigger times": again("TriggerTime", "100", "400", "trigger time 100"),
        "two times": again("AcquisitionTime", "101500", "101530", "acquisition time 101500"),
        "two contents": again("ContentTime", "101500", "101530", "content time 101500"),
        "two ranges": offers(
            both(slices(), slices([100, 102.5, 105], first=20, AcquisitionNumber=2)),
            {"3.1": stack(), "3.2": stack((100, 102.5, 105))},
            "acquisition 2",
        ),
        "ten acquisitions and a second": offers(
            both(slices(AcquisitionNumber=10), slices(**LATER, AcquisitionNumber=2)),
            {"3.1": stack(HEIGHTS, 5), "3.2": stack()},
            "3.1: 'Thorax', CT, 4 slices, acquisition 2",
        ),
        "two folders": offers(
            both(inside("early", slices()), inside("late", slices(**LATER))),
            PAIR,
            "folder early",
            "folder late",
        ),
        "two folders of one name": offers(
            both(inside("a/CT", slices()), inside("b/CT", slices(**LATER))),
            PAIR,
            "folder a/CT",
            "folder b/CT",
        ),
        "two folders of one name, without UIDs": offers(
            both(
                inside("a/CT", slices(SeriesInstanceUID="")),
                inside("b/CT", slices(SIX, first=20, SeriesInstanceUID="")),
            ),
            {"3.1": stack(), "3.2": stack(SIX)},
            "folder a/CT",
            "folder b/CT",
        ),
        "a folder and its sub-folder": offers(
            both(slices(), inside("late", slices(**LATER))), PAIR, "folder .,", "folder late"
        ),
        "two sizes": offers(
            both(slices(), smaller_slice), {"3.2": stack()}, "size 20×24", "size 18×24"
        ),
        "two directions": offers(
            both(slices(), slices(SIX, first=20, ImageOrientationPatient=[0, 1, 0, -1, 0, 0])),
            {"3.2": stack(), "3.1": scan((0, 1, 0, -1, 0, 0), (0, 0, 2.5), 6)},
            "rows 1.000 0.000 0.000",
            "rows 0.000 1.000 0.000",
        ),
        "axial and tilted": offers(
            both(slices(), slices(first=20, ImageOrientationPatient=[1, 0, 0, 0, 0.8, 0.6])),
            {"3.2": scan(COSINES, (0, 0, 2.5))},
            "geometry 0.8×0.7 mm along 0.000 -0.600 0.800",
        ),
        "two spacings": offers(
            both(slices(), slices(SIX, first=20, PixelSpacing=[0.9, 0.9])),
            {"3.1": stack(), "3.2": stack(SIX, spacing=(0.9, 0.9))},
            "0.9×0.9 mm",
        ),
        "two series": offers(
            both(slices(), slices(SIX, first=20, SeriesInstanceUID=OTHER, SeriesNumber=12)),
            {"3": stack(), "12": stack(SIX), SERIES: stack(), OTHER: stack(SIX)},
            "contains 2 DICOM series",
            "--series NUMBER|UID:",
        ),
        "two series of one number": offers(
            both(slices(), slices(SIX, first=20, SeriesInstanceUID=OTHER)),
            {SERIES: stack(), OTHER: stack(SIX)},
            "contains 2 DICOM series",
        ),
        "two series without numbers": offers(
            both(
                slices(SeriesNumber=None),
                slices(SIX, first=20, SeriesInstanceUID=OTHER, SeriesNumber=None),
            ),
            {SERIES: stack(), OTHER: stack(SIX)},
        ),
        "two scans without UIDs at two times": offers(
            times(("101500", "111500")),
            {"3.1": stack(), "3.2": stack(SIX)},
            "series time 101500",
            "UID none",
        ),
    }
    | refuses(
        {
            "two scans without UIDs": (
                both(
                    slices(SeriesInstanceUID="", suffix=".a.dcm"),
                    slices([10, 12.5, 15, 17.5], SeriesInstanceUID="", suffix=".b.dcm"),
                ),
                "Series Instance UID",
                "instance numbers",
            ),
            "two times with a gap between them": (
                slices(
                    [0, 2.5, 7.5, 10],
                    edit=lambda i, image: change(image, "AcquisitionTime", f"1015{i // 2:02}"),
                ),
                "lacks slices",
            ),
            "no UID and no instance numbers": (
                slices(SeriesInstanceUID="", InstanceNumber=None),
                "Series Instance UID",
                "instance numbers",
            ),
        }
    )
    | {
        f"a choice, {name}": Case(TWO_KERNELS, Refused(words), options={"series": choice})
        for name, choice, words in (
            ("unknown series", "7", ("has no series 7",)),
            ("unknown stack", "3.3", ("has no series 3.3",)),
            ("series of two stacks", "3", ("holds 2 stacks in series 3", "NUMBER.k: 3.1: ")),
        )
    }
)
