"""Each input of the table has its expected outcome: the reader for all, the command for some."""

from __future__ import annotations

import pytest
from Reliability.case import Case
from Reliability.outcome import problem_of_reading
from Reliability.table import KINDS


def parameters(kinds: dict[str, dict[str, Case]]):
    for kind, cases in kinds.items():
        for name, case in cases.items():
            known = pytest.mark.xfail(reason=case.fault) if case.fault else ()
            yield pytest.param(case, id=f"{kind}: {name}", marks=known)


@pytest.mark.parametrize("case", list(parameters(KINDS)))
def test_an_input_is_read_as_it_was_made_or_refused_with_its_reason(case: Case, tmp_path, capfd):
    assert problem_of_reading(case, tmp_path) == ""
    assert capfd.readouterr() == ("", "")
