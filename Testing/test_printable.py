"""Texts from headers and names that are printed on a terminal."""

import pytest
from PseudoCTDenoiseLib.errors import BadInputError, printable


@pytest.mark.parametrize("text", ["山田\u3000太郎", "3.15\u202fPM.nrrd", "Müller  2"])
def test_names_keep_their_spaces(text):
    assert printable(text) == str(BadInputError(text)) == text


@pytest.mark.parametrize("text", ["a\x1b[2Kb", "a\x07b", "a\u202eb", "a\u200bb", "a\tb"])
def test_characters_that_control_the_terminal_become_question_marks(text):
    assert printable(text).startswith("a?") and printable(text).endswith("b")


def test_lines_become_one():
    assert printable("one\ntwo\u2028three") == "one two three"
