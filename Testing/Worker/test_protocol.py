"""Messages and commands are decoded; every other line is logged."""

from __future__ import annotations

import json
import math

import pytest
from PseudoCTDenoiseLib.worker.protocol import (
    MESSAGES,
    Alive,
    CheckResult,
    Device,
    Failure,
    Hello,
    Log,
    Preview,
    ProgressMessage,
    Result,
    decode,
    encode,
    preview_command,
    wanted_slice,
)

EXAMPLES = [
    Hello(1, 4711),
    Device("NVIDIA H100, 80 GiB", "found and working"),
    Alive(),
    Log("Größe\nzwei"),
    ProgressMessage("tuning", 3, 100, 12.5, 0.25),
    ProgressMessage("denoising", 0, 3, 1, 0),
    Preview(2, "preview_1.npy"),
    Result("denoised.npy", {"slices": 3, "noise": None}),
    Result("denoised.npy", {}, "noise.npy", {"noise-a": "noise_0.npy"}),
    CheckResult(1.5, 0.25, 0.5, 0.75, 0.2, True, {"steps": 100}),
    Failure("bad-input", "Wörter", "Do this."),
]


PROGRESS = '{"type": "progress", "stage": "a", "step": 1, "total": 2, '


def test_there_is_an_example_of_every_message():
    assert {type(example) for example in EXAMPLES} == set(MESSAGES.values())


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was(message):
    line = encode(message)
    assert line.isascii() and line.endswith("\n") and line.count("\n") == 1
    assert decode(line) == message


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Downloading: 100%",
        "null",
        "[1, 2]",
        '"hello"',
        '{"type": "hello"}',
        '{"type": "nonsense", "text": "a"}',
        '{"type": ["log"], "text": "a"}',
        '{"type": "log", "text": 3}',
        '{"type": "hello", "protocol": "1", "pid": 2}',
        '{"type": "hello", "protocol": 1, "pid": true}',
        '{"type": "preview", "slice": 1.5, "file": "a"}',
        '{"type": "result", "denoised": "a", "report": []}',
        PROGRESS + '"seconds_left": null, "share": 0}',
        '{"type": "log", "text": "a"',
        '{"type": "hello", "protocol": 1, "pid": 1000000000000000000000000000000}',
        '{"type": "preview", "slice": -1000000000000000000000000000000, "file": "a"}',
        PROGRESS + '"seconds_left": 1e999, "share": 0}',
        PROGRESS + '"seconds_left": 1, "share": NaN}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_not_a_message_is_a_log(line):
    assert decode(line + "\r\n") == Log(line)


def test_a_message_may_have_gained_a_field():
    assert decode('{"type": "log", "text": "a", "level": 3}') == Log("a")


def test_numbers_that_json_lacks_become_null():
    line = encode(Result("a", {"losses": [1.0, math.inf, math.nan], "deep": {"x": -math.inf}}))
    report = {"losses": [1.0, None, None], "deep": {"x": None}}
    assert json.loads(line)["report"] == decode(line).report == report


def test_the_command_for_a_preview_is_understood():
    assert wanted_slice(preview_command(17)) == 17
    assert wanted_slice(" preview 0\r\n") == 0


@pytest.mark.parametrize(
    "command",
    ["", "cancel", "preview", "preview -1", "preview x", "preview ²", "preview " + "9" * 5000],
)
def test_another_command_asks_for_no_slice(command):
    assert wanted_slice(command) is None
