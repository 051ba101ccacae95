"""The protocol between the worker and its parent: one message per line.

The worker writes one JSON object per line to its standard output. ``type`` is a key of
:data:`MESSAGES`; the other members are the fields of that class. Every other line comes from a
library and becomes a :class:`Log`. The parent writes commands as plain words to the worker's
standard input. File names are relative to the job folder.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from types import NoneType, UnionType
from typing import get_args, get_type_hints

from ..json_text import json_text

PROTOCOL_VERSION = 5
"""Increased with every change, because an open window may be older than an updated worker."""

LARGEST_NUMBER = 2**31 - 1
"""Largest whole number in a message; Qt and the system accept no larger process id or step."""

CANCEL = "cancel"
_PREVIEW = "preview"


@dataclass(frozen=True)
class Hello:
    """The first message, sent before large libraries load; ``pid`` is the worker's process id."""

    protocol: int
    pid: int


@dataclass(frozen=True)
class Device:
    """The device and the reason for it, sent once torch is loaded."""

    description: str
    reason: str


@dataclass(frozen=True)
class Alive:
    """Sent every few seconds, to show that the process runs while it has no progress to report."""


@dataclass(frozen=True)
class Log:
    """A line of text for the log."""

    text: str


@dataclass(frozen=True)
class ProgressMessage:
    """Progress: ``step`` of ``total`` in a stage, remaining seconds, finished fraction of the job.

    ``share`` never decreases.
    """

    stage: str
    step: int
    total: int
    seconds_left: float
    share: float


@dataclass(frozen=True)
class Preview:
    """File of one denoised slice at full strength, (rows, columns) int16 HU."""

    slice: int
    file: str


@dataclass(frozen=True)
class Result:
    """Files of the results, (slices, rows, columns) int16 HU, and the report of the job.

    ``noise_maps`` maps the name of each noise model to a file.
    """

    denoised: str
    report: dict
    noise: str | None = None
    noise_maps: dict | None = None


@dataclass(frozen=True)
class CheckResult:
    """Seconds of the start and of the parts of a job, see :class:`.PartSeconds`.

    ``have_one_trunk`` is True if denoiser and noise models share a trunk.
    """

    seconds_to_start: float
    seconds_per_slice: float
    seconds_per_update: float
    seconds_per_noise: float
    seconds_per_tuning_slice: float
    have_one_trunk: bool
    default_settings: dict


@dataclass(frozen=True)
class Failure:
    """Reason for a missing result: ``kind`` is for the program, the two texts are for the user."""

    kind: str
    message: str
    what_to_do: str = ""


MESSAGES = {
    "hello": Hello,
    "device": Device,
    "alive": Alive,
    "log": Log,
    "progress": ProgressMessage,
    "preview": Preview,
    "result": Result,
    "check": CheckResult,
    "error": Failure,
}
Message = Hello | Device | Alive | Log | ProgressMessage | Preview | Result | CheckResult | Failure
_TYPES = {kind: name for name, kind in MESSAGES.items()}
_FIELDS = {
    kind: [(field.name, get_type_hints(kind)[field.name]) for field in fields(kind)]
    for kind in MESSAGES.values()
}


def encode(message: Message) -> str:
    """Return a message as one ASCII line; infinite numbers and NaN become null."""
    content = {"type": _TYPES[type(message)], **asdict(message)}
    return json_text(content) + "\n"


def decode(line: str) -> Message:
    """Return the message in a line, or the line as a :class:`Log` if it holds no message."""
    try:
        content = json.loads(line)
        kind = MESSAGES[content.pop("type")]
        values = {name: content[name] for name, _ in _FIELDS[kind] if name in content}
        message = kind(**values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Log(line.rstrip("\r\n"))
    fit = all(_fits(getattr(message, name), type_) for name, type_ in _FIELDS[kind])
    return message if fit else Log(line.rstrip("\r\n"))


def preview_command(slice_index: int) -> str:
    """Return the command that requests previews of a slice."""
    return f"{_PREVIEW} {slice_index:d}"


def wanted_slice(command: str) -> int | None:
    """Return the slice in a :func:`preview_command`, or None for any other command."""
    word, _, number = command.strip().partition(" ")
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    return int(number) if word == _PREVIEW and is_number else None


def _fits(value: object, type_: object) -> bool:
    types = get_args(type_) if isinstance(type_, UnionType) else (type_,)
    if isinstance(value, bool):
        return bool in types
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if float in types and isinstance(value, int):
        return True
    return isinstance(value, tuple(types)) if value is not None else NoneType in types
