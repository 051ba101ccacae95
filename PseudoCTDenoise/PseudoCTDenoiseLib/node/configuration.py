"""Configuration of the DICOM node, read from a JSON file and checked."""

from __future__ import annotations

import math
import re
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

from ..errors import BadInputError
from ..input_file import read_json
from .denoise_options import denoise_options, with_paths_from

LOOPBACK = "127.0.0.1"
AE_TITLE = re.compile(r"(?! )[ -\[\]-~]{1,16}(?<! )")
"""1 to 16 printable characters without a backslash, and no space at the ends (PS3.5 6.2, AE)."""
LIMITS = {
    "port": (1, 65535),
    "quiet_seconds": (0.1, 3600),
    "idle_seconds": (1, 3600),
    "retry_seconds": (0.1, 86400),
    "time_limit_minutes": (0.01, 10080),
    "disk_gib": (0.001, 1e6),
    "image_mib": (0.01, 1e6),
    "keep_hours": (0, 8760),
    "associations": (1, 64),
}
"""Smallest and largest value of each number."""
WHOLE = ("port", "associations")


@dataclass(frozen=True)
class Destination:
    """The DICOM node that gets the derived series."""

    ae_title: str
    address: str
    port: int


@dataclass(frozen=True)
class NodeConfiguration:
    """Senders that the node accepts, how it denoises and where it sends.

    Attributes
    ----------
    folder : the queue, the log and the status page.
    accept : AE titles that may send.
    address : network address to listen on; the default is reachable from this machine only.
    denoise : options of ``pseudoct denoise`` by name, without the dashes.
    quiet_seconds : time without a new image after which a series is complete.
    idle_seconds : time after which a connection without traffic is closed.
    retry_seconds : time between two attempts to send.
    time_limit_minutes : time after which the denoising of a series is stopped.
    disk_gib : size of the queue above which images are refused.
    image_mib : size above which an image is refused.
    keep_hours : time for which the images of a finished series are kept.
    associations : number of senders at a time.
    """

    ae_title: str
    port: int
    folder: Path
    accept: tuple[str, ...]
    send_to: Destination
    address: str = LOOPBACK
    denoise: dict[str, str | int | float] = field(default_factory=dict)
    quiet_seconds: float = 20
    idle_seconds: float = 60
    retry_seconds: float = 60
    time_limit_minutes: float = 60
    disk_gib: float = 20
    image_mib: float = 1024
    keep_hours: float = 24
    associations: int = 4


def read_configuration(path: Path) -> NodeConfiguration:
    """Read the configuration of a node.

    Relative paths count from the folder of the file: ``folder``, and ``models`` and ``settings`` of
    ``denoise``.

    Raises
    ------
    BadInputError
        If the file cannot be read, is not JSON, lacks a value, or has a wrong or unknown one.
    """
    values = read_json(path)
    try:
        return _configuration(values, path.resolve().parent)
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error


def _configuration(values: object, parent: Path) -> NodeConfiguration:
    values = dict(_known(values, NodeConfiguration, "the configuration"))
    for name in LIMITS.keys() & values.keys():
        values[name] = _number(name, values[name])
    values["ae_title"] = _ae_title("ae_title", values["ae_title"])
    values["folder"] = parent / _text("folder", values["folder"])
    accept = values["accept"]
    if not isinstance(accept, list) or not accept:
        raise BadInputError("accept must list the AE titles that may send, at least one.")
    values["accept"] = tuple(_ae_title("accept", title) for title in accept)
    send_to = _known(values["send_to"], Destination, "send_to")
    values["send_to"] = Destination(
        _ae_title("send_to.ae_title", send_to["ae_title"]),
        _text("send_to.address", send_to["address"]),
        _number("port", send_to["port"]),
    )
    if "address" in values:
        values["address"] = _text("address", values["address"])
    options = values.get("denoise", {})
    denoise_options(options)
    values["denoise"] = with_paths_from(parent, options)
    return NodeConfiguration(**values)


def _known(values: object, kind: type, name: str) -> dict:
    """Return a JSON object after a check that it has the fields of a dataclass."""
    if not isinstance(values, dict):
        raise BadInputError(f"{name} must be a JSON object.")
    names = {entry.name for entry in fields(kind)}
    if unknown := sorted(values.keys() - names):
        raise BadInputError(
            f"{name} has no value '{unknown[0]}': choose from {', '.join(sorted(names))}."
        )
    for entry in fields(kind):
        optional = entry.default is not MISSING or entry.default_factory is not MISSING
        if entry.name not in values and not optional:
            raise BadInputError(f"{name} lacks '{entry.name}'.")
    return values


def _number(name: str, value: object) -> int | float:
    low, high = LIMITS[name]
    right = isinstance(value, int if name in WHOLE else (int, float))
    if not right or isinstance(value, bool) or not math.isfinite(value):
        raise BadInputError(f"{name} must be a {'whole ' * (name in WHOLE)}number.")
    if not low <= value <= high:
        raise BadInputError(f"{name} must lie between {low:g} and {high:g}.")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadInputError(f"{name} must be a text in quotation marks.")
    return value


def _ae_title(name: str, value: object) -> str:
    if not isinstance(value, str) or not AE_TITLE.fullmatch(value):
        raise BadInputError(
            f"{name} must be an AE title of 1 to 16 characters without backslash and accents."
        )
    return value
