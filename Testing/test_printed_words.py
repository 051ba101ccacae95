"""Warnings, doubts and errors are found among the words that a command prints."""

from __future__ import annotations

import pytest
from PseudoCTDenoiseLib.printed_words import doubts_in, last_words, warnings_in

PRINTED = """series: 4 slices of 512×512, about 3 s on CPU (no GPU).
Warning: the pixels are small.
\r 50 %\r100 %
Warning: a slice is missing.
Check: {}.

"""


def test_warnings_are_found_among_other_lines():
    assert warnings_in(PRINTED) == ["the pixels are small.", "a slice is missing."]


@pytest.mark.parametrize(
    ("check", "is_doubt"),
    [("green. All is well", False), ("red. Compare", True), ("not judged. Look", True)],
)
def test_a_light_that_is_not_green_is_a_doubt(check, is_doubt):
    printed = PRINTED.format(check)
    doubts = [*warnings_in(printed), *([f"Check: {check}."] if is_doubt else [])]
    assert doubts_in(printed) == doubts


def test_the_last_line_tells_why_a_command_failed():
    assert last_words("Warning: x\npseudoct: The scan is odd.\n\n") == "The scan is odd."
    assert last_words("\n") == ""
