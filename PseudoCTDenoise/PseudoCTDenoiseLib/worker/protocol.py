"""What the worker and its parent say to each other, a line a message.

The worker writes one JSON object a line on its standard output; its ``type`` is one of the keys
of :data:`MESSAGES` and the rest are the fields of that class. What is no such line was printed by
some library and is a :class:`Log`. The parent writes commands, plain words, to the worker's
standard input. Files are named relative to the job's folder.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from types import NoneType, UnionType
from typing import get_args, get_type_hints

PROTOCOL_VERSION = 1
"""Raised with every change: after an update a window that is still open may be older."""

DONE, FAULT, BAD_INPUT, CANCELLED = 0, 1, 2, 3
"""Exit codes of the worker."""

CANCEL = "cancel"
_PREVIEW = "preview"


@dataclass(frozen=True)
class Hello:
    """The first message, before anything large is loaded; ``pid`` is the worker's own."""

    protocol: int
    pid: int
    python: str = ""


@dataclass(frozen=True)
class Device:
    """torch is loaded: what computes, in words, and why that; ``name`` is cpu, cuda or mps."""

    name: str
    description: str
    reason: str
    torch: str


@dataclass(frozen=True)
class Log:
    text: str


@dataclass(frozen=True)
class ProgressMessage:
    """``step`` of ``total`` within ``stage``; ``seconds_left`` and ``share`` (0 to 1) of all.

    ``loss`` is in HU or HU², and None outside of the tuning. The share never falls.
    """

    stage: str
    step: int
    total: int
    seconds_left: float
    share: float
    loss: float | None = None


@dataclass(frozen=True)
class Preview:
    """A file with one denoised slice at full strength, (rows, columns) int16 HU."""

    slice: int
    file: str


@dataclass(frozen=True)
class Result:
    """Files with (slices, rows, columns) int16 HU, and the engine's report.

    ``noise_maps`` has a file for each noise model by the model's name.
    """

    denoised: str
    report: dict
    noise: str | None = None
    pseudo_ldct: str | None = None
    noise_maps: dict | None = None


@dataclass(frozen=True)
class CheckResult:
    """Seconds to start and of the parts of a job, see :class:`.PartSeconds`; a job's defaults."""

    seconds_to_start: float
    seconds_per_slice: float
    seconds_per_update: float
    seconds_per_noise: float
    seconds_per_tuning_slice: float
    default_settings: dict


@dataclass(frozen=True)
class Failure:
    """Why there is no result; ``kind`` is for the program, the other two are for the user."""

    kind: str
    message: str
    what_to_do: str = ""


MESSAGES = {
    "hello": Hello,
    "device": Device,
    "log": Log,
    "progress": ProgressMessage,
    "preview": Preview,
    "result": Result,
    "check": CheckResult,
    "error": Failure,
}
Message = Hello | Device | Log | ProgressMessage | Preview | Result | CheckResult | Failure
_TYPES = {kind: name for name, kind in MESSAGES.items()}
_FIELDS = {
    kind: [(field.name, get_type_hints(kind)[field.name]) for field in fields(kind)]
    for kind in MESSAGES.values()
}


def encode(message: Message) -> str:
    """A message as a line of ASCII with its end; numbers that JSON lacks become null."""
    content = {"type": _TYPES[type(message)], **asdict(message)}
    return json.dumps(_finite(content), allow_nan=False) + "\n"


def decode(line: str) -> Message:
    """The message in a line; a line that holds none is a :class:`Log` of itself."""
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
    """The command that asks for previews of a slice, the one that the user looks at."""
    return f"{_PREVIEW} {slice_index:d}"


def wanted_slice(command: str) -> int | None:
    """The slice in a :func:`preview_command`; None for any other command."""
    word, _, number = command.strip().partition(" ")
    return int(number) if word == _PREVIEW and number.isascii() and number.isdigit() else None


def _fits(value: object, type_: object) -> bool:
    types = get_args(type_) if isinstance(type_, UnionType) else (type_,)
    if isinstance(value, bool):
        return bool in types
    if float in types and isinstance(value, int):
        return True
    return isinstance(value, tuple(types)) if value is not None else NoneType in types


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
