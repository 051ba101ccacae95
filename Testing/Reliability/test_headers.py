"""Random headers are read as they were made; hostile ones are refused in plain words."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from Reliability.headers import FORMATS, profile
from Reliability.outcome import problem_of_reading

EXAMPLES = 12
"""Number of headers of each kind in this suite; ``make reliability`` tries many more."""


@pytest.mark.parametrize("hostile", [False, True], ids=["valid", "hostile"])
@pytest.mark.parametrize("name", FORMATS)
@profile(EXAMPLES)
@given(data=st.data())
def test_a_header_is_read_as_it_was_made_or_refused(name: str, hostile: bool, data):
    case = data.draw(FORMATS[name](hostile))
    with tempfile.TemporaryDirectory() as folder:
        assert problem_of_reading(case, Path(folder)) == ""
