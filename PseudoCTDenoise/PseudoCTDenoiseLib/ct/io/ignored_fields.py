"""Fields of NRRD and MetaImage headers that ITK ignores although they change what voxels mean.

https://teem.sourceforge.net/nrrd/format.html, https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import BadInputError
from .itk_reading import damaged

FIELD = re.compile(
    rb"^[ \t]*(space ?units|ElementToIntensityFunction(?:Slope|Offset)|Modality)[ \t]*(?:=|:(?!=))"
    rb"[ \t]*(.*?)\s*$",
    re.IGNORECASE | re.MULTILINE,
)
"""A field with its value. NRRD's ``key:=value`` is no field."""
NO_RESCALE = {"elementtointensityfunctionslope": 1.0, "elementtointensityfunctionoffset": 0.0}
MODALITIES = ("MET_MOD_CT", "MET_MOD_UNKNOWN", "MET_MOD_OTHER", "")
HEADER_BYTES = 1 << 16


def check_ignored_fields(path: Path) -> None:
    """Check that a header states no other unit than mm, no rescale and no modality besides CT.

    Raises
    ------
    BadInputError
        If it does, or if it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(HEADER_BYTES).replace(b"\r\n", b"\n")
    except OSError as error:
        raise damaged(path.name) from error
    header = content.partition(b"\n\n")[0].partition(b"ElementDataFile")[0]
    for name, value in FIELD.findall(header):
        _check_field(path.name, name.decode().lower().replace(" ", ""), value.decode("latin-1"))


def _check_field(name: str, field: str, value: str) -> None:
    if field == "spaceunits" and set(re.findall(r'"([^"]*)"', value)) - {"mm", "millimeter", ""}:
        raise BadInputError(
            f"{name} states positions in {value} (space units): convert the file to mm."
        )
    if field == "modality" and value not in MODALITIES:
        raise BadInputError(f"{name} has the modality {value.removeprefix('MET_MOD_')}: give a CT.")
    if field in NO_RESCALE and not _equals(value, NO_RESCALE[field]):
        raise BadInputError(
            f"{name} states a rescale of its values (ElementToIntensityFunction), which is not "
            "applied: save the HU themselves."
        )


def _equals(text: str, number: float) -> bool:
    try:
        return float(text) == number
    except ValueError:
        return False
