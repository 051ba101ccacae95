"""Random headers are read as they were made; hostile ones are refused in plain words."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from Reliability.headers import FORMATS, header_title, profile
from Reliability.outcome import problem_of_reading
from Reliability.table import HEADERS, KNOWN_FAULTS

EXAMPLES = 10
"""Number of headers of each kind in this suite; ``make reliability`` tries many more."""


def parameters() -> Iterator:
    for name in FORMATS:
        for hostile in (False, True):
            title = header_title(name, hostile)
            fault = KNOWN_FAULTS.get((HEADERS, title))
            marks = pytest.mark.xfail(reason=fault) if fault else ()
            yield pytest.param(name, hostile, id=title, marks=marks)


@pytest.mark.parametrize(("name", "hostile"), list(parameters()))
@profile(EXAMPLES)
@given(data=st.data())
def test_a_header_is_read_as_it_was_made_or_refused(name: str, hostile: bool, data):
    case = data.draw(FORMATS[name](hostile))
    with tempfile.TemporaryDirectory() as folder:
        assert problem_of_reading(case, Path(folder)) == ""
