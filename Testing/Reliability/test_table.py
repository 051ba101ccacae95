"""Each input of the table has its expected outcome.

The reader reads all of them here, and the command denoises the first of each kind. ``make
reliability`` lets the command denoise them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from Reliability.case import Case, Refused
from Reliability.command import Situation
from Reliability.headers import FORMATS, header_title
from Reliability.outcome import problem_of_command, problem_of_reading, problem_of_situation
from Reliability.table import COMMAND, HEADERS, KINDS, KNOWN_FAULTS, SITUATIONS


def parameters(kinds: Mapping[str, Mapping]) -> Iterator:
    for kind, cases in kinds.items():
        for name, case in cases.items():
            fault = KNOWN_FAULTS.get((kind, name))
            marks = pytest.mark.xfail(reason=fault) if fault else ()
            yield pytest.param(case, id=f"{kind}: {name}", marks=marks)


def samples() -> Iterator:
    """Yield the first input of each kind that is read and the first that is refused."""
    for kind, cases in KINDS.items():
        for refused in (False, True):
            case = next(c for c in cases.values() if isinstance(c.expected, Refused) == refused)
            yield pytest.param(case, id=f"{kind}: {'refused' if refused else 'read'}")


@pytest.mark.parametrize("case", list(parameters(KINDS)))
def test_an_input_is_read_as_it_was_made_or_refused_with_its_reason(
    case: Case, tmp_path: Path, capfd
):
    assert problem_of_reading(case, tmp_path) == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("case", list(samples()))
def test_the_command_denoises_or_refuses_it_alike(case: Case, tmp_path: Path, models: Path):
    assert problem_of_command(case, tmp_path, models) == ""


@pytest.mark.parametrize("situation", list(parameters({COMMAND: SITUATIONS})))
def test_the_command_writes_its_files_or_says_why_not(
    situation: Situation, tmp_path: Path, models: Path
):
    assert problem_of_situation(situation, tmp_path, models) == ""


def test_the_known_faults_are_inputs_of_the_table():
    names = {(kind, name) for kind, cases in KINDS.items() for name in cases}
    names |= {(COMMAND, name) for name in SITUATIONS}
    names |= {(HEADERS, header_title(name, h)) for name in FORMATS for h in (False, True)}
    assert KNOWN_FAULTS.keys() <= names
