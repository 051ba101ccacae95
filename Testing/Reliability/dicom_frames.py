"""Multi-frame (enhanced) CT: order of the frames, groups, rescale, spacing and damage."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from dicom_factory import HEIGHTS, add_group, bodies, change, group_of, set_pixels
from pydicom import Dataset
from pydicom.uid import RLELossless
from Reliability.case import Case, Offered, Read, reads, refuses
from Reliability.dicom_geometry import ALLOWED, TILT, TILTED_STEPS, UNEVEN, UNEVEN_READ
from Reliability.dicom_inputs import ORIGIN, both, cut, enhanced, on_file, slices, stack

RESCALE = "PixelValueTransformationSequence"
LEGACY = "1.2.840.10008.5.1.4.1.1.2.2"


def reordered(image: Dataset, order: list[int]) -> None:
    """Store descriptions and pixels of the frames in another order."""
    frames = list(image.PerFrameFunctionalGroupsSequence)
    image.PerFrameFunctionalGroupsSequence = [frames[i] for i in order]
    set_pixels(image, np.frombuffer(image.PixelData, "<u2").reshape(len(order), -1)[order])


def to_shared(image: Dataset, sequence: str = RESCALE) -> None:
    group = group_of(image, 0, sequence)
    for frame in image.PerFrameFunctionalGroupsSequence:
        del frame[sequence]
    setattr(image.SharedFunctionalGroupsSequence[0], sequence, [group])


def to_frames(image: Dataset, sequence: str) -> None:
    shared = image.SharedFunctionalGroupsSequence[0]
    for frame in image.PerFrameFunctionalGroupsSequence:
        setattr(frame, sequence, list(shared[sequence].value))
    del shared[sequence]


def all_in_frames(image: Dataset) -> None:
    for sequence in ("PlaneOrientationSequence", "PixelMeasuresSequence"):
        to_frames(image, sequence)


def contradicting_top(image: Dataset) -> None:
    """State another geometry and rescale at the top, where a multi-frame file has none."""
    image.RescaleSlope, image.RescaleIntercept = "2", "0"
    image.PixelSpacing, image.ImagePositionPatient = [5, 5], [1, 2, 3]
    image.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]


def tilted(image: Dataset) -> None:
    shared = image.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = list(TILT)


def without_group(sequence: str, frame: int | None = None) -> Callable[[Dataset], None]:
    def edit(image: Dataset) -> None:
        frames = image.PerFrameFunctionalGroupsSequence
        item = image.SharedFunctionalGroupsSequence[0] if frame is None else frames[frame]
        del item[sequence]

    return edit


def two_frame_spacings(image: Dataset) -> None:
    to_frames(image, "PixelMeasuresSequence")
    for frame in list(image.PerFrameFunctionalGroupsSequence)[2:]:
        add_group(frame, "PixelMeasuresSequence", PixelSpacing=[0.9, 0.9], SliceThickness="2.5")


def frame_content(keyword: str, *values) -> Callable[[Dataset], None]:
    def edit(image: Dataset) -> None:
        for frame, value in zip(image.PerFrameFunctionalGroupsSequence, values, strict=True):
            add_group(frame, "FrameContentSequence", **{keyword: value})

    return edit


def twice(keyword: str) -> Callable[[Dataset], None]:
    """Return an edit that makes the last two frames a second image, 5 HU brighter."""

    def edit(image: Dataset) -> None:
        frame_content(keyword, 1, 1, 2, 2)(image)
        hu = np.concatenate([bodies(HEIGHTS[:2]), bodies(HEIGHTS[:2], 5)])
        set_pixels(image, (hu + 1024).astype("<u2"))

    return edit


def frame_type(*values: str) -> Callable[[Dataset], None]:
    def edit(image: Dataset) -> None:
        shared = image.SharedFunctionalGroupsSequence[0]
        add_group(shared, "CTImageFrameTypeSequence", FrameType=list(values))

    return edit


def rescale_type(unit: str, *frames: int) -> Callable[[Dataset], None]:
    def edit(image: Dataset) -> None:
        for frame in frames:
            group_of(image, frame, RESCALE).RescaleType = unit

    return edit


def fewer_descriptions(image: Dataset) -> None:
    image.PerFrameFunctionalGroupsSequence = list(image.PerFrameFunctionalGroupsSequence)[:3]


def without_one_frame(image: Dataset) -> None:
    """Drop the pixels of the last frame and reduce the number of frames, but nothing else."""
    set_pixels(image, np.frombuffer(image.PixelData, "<u2").reshape(4, -1)[:3])


def rescale_at_the_top(image: Dataset) -> None:
    to_shared(image)
    without_group(RESCALE)(image)
    image.RescaleSlope, image.RescaleIntercept = "1", "-1024"


def offered(stacks: dict[str, Read], edit=None, heights=HEIGHTS, words=()) -> Case:
    return Case(enhanced(heights, edit=edit), Offered(stacks, tuple(words)))


TWO_TIMES = (0, 2.5, 0, 2.5)

CASES = (
    reads(
        stack(),
        {
            "plain": enhanced(),
            "unsorted frames": enhanced(edit=lambda image: reordered(image, [2, 0, 3, 1])),
            "frames from head to feet": enhanced(edit=lambda image: reordered(image, [3, 2, 1, 0])),
            "a rescale of its own for each frame": enhanced(
                rescales=[(1, -1024), (0.5, -1000), (1, -1100), (0.25, -1024)]
            ),
            "shared rescale": enhanced(edit=to_shared),
            "all groups in the frames": enhanced(edit=all_in_frames),
            "another geometry at the top": enhanced(edit=contradicting_top),
            "run lengths": enhanced(edit=lambda image: image.compress(RLELossless)),
            "two files of one series": both(
                enhanced(HEIGHTS[:2], name="1.dcm"), enhanced(HEIGHTS[2:], 2, name="2.dcm")
            ),
            "two files that alternate": both(
                enhanced(HEIGHTS[::2], name="1.dcm"), enhanced(HEIGHTS[1::2], 2, name="2.dcm")
            ),
            "legacy conversion": enhanced(edit=lambda image: change(image, "SOPClassUID", LEGACY)),
            "the same stack for all frames": enhanced(edit=frame_content("StackID", *"1111")),
            "a time for each frame": enhanced(
                edit=frame_content(
                    "FrameAcquisitionDateTime", *(f"2020010112000{i}" for i in range(4))
                )
            ),
        },
    )
    | {
        "uneven frames, allowed": Case(enhanced(UNEVEN), UNEVEN_READ, options=ALLOWED),
        "one frame": Case(enhanced([5.0]), stack([5.0])),
        "tilted gantry": Case(
            enhanced(edit=tilted), Read(stack().values, (*ORIGIN, 0.0), TILTED_STEPS, 2)
        ),
        "two spacings": offered(
            {
                "3.1": stack(HEIGHTS[:2]),
                "3.2": stack(HEIGHTS[2:], spacing=(0.9, 0.9)),
            },
            two_frame_spacings,
            words=["0.9×0.9 mm"],
        ),
        "two stacks": offered(
            {"3.1": stack(HEIGHTS[:2]), "3.2": stack((40, 42.5))},
            frame_content("StackID", *"1122"),
            (0, 2.5, 40, 42.5),
            ["stack 2"],
        ),
    }
    | {
        f"two {name}": offered(
            {"3.1": stack(HEIGHTS[:2]), "3.2": stack(HEIGHTS[:2], 5)},
            twice(keyword),
            TWO_TIMES,
            words,
        )
        for name, keyword, words in (
            ("time points", "TemporalPositionIndex", ["phase 1", "phase 2"]),
            ("acquisitions", "FrameAcquisitionNumber", ["acquisition 1"]),
        )
    }
    | {
        "two files of one position": Case(
            both(enhanced(name="1.dcm"), enhanced(instance=2, name="2.dcm")),
            Offered({"3.1": stack(), "3.2": stack()}, ("file 1.dcm", "file 2.dcm")),
        ),
    }
    | refuses(
        {
            "a gap": (enhanced([0, 2.5, 7.5, 10]), "lacks slices"),
            "repeats": (enhanced([0, 0, 2.5, 2.5]), "at one position"),
            "a frame without position": (
                enhanced(edit=without_group("PlanePositionSequence", 1)),
                "enhanced.dcm, frame 2 has no position",
            ),
            "a frame without rescale": (
                enhanced(edit=without_group(RESCALE, 3)),
                "frame 4 has no rescale slope",
            ),
            "rescale at the top only": (
                enhanced(edit=rescale_at_the_top),
                "frame 1 has no rescale slope",
            ),
            "no spacing": (
                enhanced(edit=without_group("PixelMeasuresSequence")),
                "has no pixel spacing",
            ),
            "no direction": (
                enhanced(edit=without_group("PlaneOrientationSequence")),
                "has no direction",
            ),
            "a frame that is not described": (
                enhanced(edit=fewer_descriptions),
                "describes 3 of its 4 frames",
            ),
            "a described frame without pixels": (
                enhanced(edit=without_one_frame),
                "enhanced.dcm cannot be read",
            ),
            "cut in the pixels": (
                both(enhanced(), on_file(cut(0.8))),
                "enhanced.dcm cannot be read",
            ),
            "frames without descriptions": (
                slices([0.0], NumberOfFrames=4),
                "frame 1 has no position",
            ),
            "a MIP by its technique": (
                enhanced(edit=lambda i: change(i, "VolumeBasedCalculationTechnique", "MAX_IP")),
                "projection",
                "MAX_IP",
            ),
            "a MIP by its frame type": (
                enhanced(edit=frame_type("DERIVED", "PRIMARY", "VOLUME", "MAXIMUM", "MIP")),
                "projection",
            ),
            "an iodine map": (enhanced(edit=rescale_type("MGML", 0, 1, 2, 3)), "values in MGML"),
            "PET": (
                enhanced(edit=lambda image: change(image, "Modality", "PT")),
                "has the modality PT",
            ),
        }
    )
    | {
        "one frame that is not HU": offered(
            {"3.1": stack(HEIGHTS[:3])}, rescale_type("MGML", 3), words=["unit HU", "unit MGML"]
        ),
    }
    | refuses(
        {
            "two stacks in a single file": (
                enhanced(edit=two_frame_spacings),
                "holds 2 stacks of slices: put it into a folder",
            ),
        },
        "enhanced.dcm",
    )
)
