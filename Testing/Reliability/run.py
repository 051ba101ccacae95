"""A run of the whole table and of many random headers, and the page of its results."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from command_line import save_tiny_models
from hypothesis import given
from pseudoct_research.results.results_table import check_block, replace_block
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from Reliability.headers import FORMATS, profile
from Reliability.outcome import problem_of_command, problem_of_reading, problem_of_situation
from Reliability.table import COMMAND, KINDS, KNOWN_FAULTS, SITUATIONS

EXAMPLES = 500
"""Number of random headers of each format, valid and hostile."""
RIGHT = "as expected"
CASE_COLUMNS = [Column(key, key) for key in ("Input", "Expected", "Last run")]
COUNT_COLUMNS = [Column(key, key) for key in ("Kind", "Inputs", "As expected", "Known faults")]
HEADER_COLUMNS = [Column(key, key) for key in ("Headers", "Tried", "As expected", "Known fault")]


@dataclass(frozen=True)
class Outcome:
    """Result of one input; ``problem`` is empty if it is as expected."""

    kind: str
    name: str
    expected: str
    problem: str

    @property
    def fault(self) -> str:
        """Reason of a known fault, or an empty text."""
        return KNOWN_FAULTS.get((self.kind, self.name), "")

    @property
    def surprising(self) -> bool:
        """True for a new fault, and for a known one that is gone."""
        return bool(self.problem) != bool(self.fault)

    @property
    def row(self) -> dict[str, str]:
        """Row of the page."""
        if not self.problem:
            result = RIGHT
        elif self.fault:
            result = f"**differs**: {self.fault}"
        else:
            result = f"**differs**: {self.problem}"
        return {"Input": self.name, "Expected": self.expected, "Last run": result}


def all_cases() -> dict[str, Mapping]:
    """Return the cases by kind, with the situations of the command as the last kind."""
    return KINDS | {COMMAND: SITUATIONS}


def run_table() -> Iterator[Outcome]:
    """Let the command denoise every input of the table."""
    with tempfile.TemporaryDirectory() as models:
        save_tiny_models(Path(models))
        for kind, cases in all_cases().items():
            check = problem_of_situation if kind == COMMAND else problem_of_command
            for name, case in cases.items():
                problem = _in_new_folder(lambda folder, c=case, f=check: f(c, folder, Path(models)))
                yield Outcome(kind, name, str(case.expected), problem)


def run_headers(name: str, hostile: bool, examples: int) -> tuple[int, list[str]]:
    """Read random headers of a format; return their number and the problems."""
    problems, tried = [], 0

    @profile(examples)
    @given(FORMATS[name](hostile))
    def read(case) -> None:
        nonlocal tried
        tried += 1
        problem = _in_new_folder(lambda folder: problem_of_reading(case, folder))
        problems.extend(filter(None, [problem]))

    read()
    return tried, problems


def counts(outcomes: list[Outcome]) -> list[dict]:
    """Return the rows of the summary: numbers of inputs by kind, and their sum."""
    rows = []
    for kind in all_cases():
        of_kind = [outcome for outcome in outcomes if outcome.kind == kind]
        right = sum(not outcome.problem for outcome in of_kind)
        faults = sum(bool(outcome.fault) for outcome in of_kind)
        rows.append(
            dict(zip(_keys(COUNT_COLUMNS), (kind, len(of_kind), right, faults), strict=True))
        )
    total = [sum(row[key] for row in rows) for key in _keys(COUNT_COLUMNS)[1:]]
    return [*rows, dict(zip(_keys(COUNT_COLUMNS), ("All", *total), strict=True))]


def marker(kind: str) -> str:
    """Return the marker of the block with the inputs of a kind."""
    return f"RELIABILITY {kind}"


def check_page(page: Path) -> None:
    """Check that a page has all blocks, before the run."""
    for name in ("counts", "headers", *all_cases()):
        check_block(page, marker(name))


def write_page(page: Path, outcomes: list[Outcome], headers: list[dict]) -> None:
    """Replace the tables of the page."""
    replace_block(page, marker("counts"), markdown(counts(outcomes), COUNT_COLUMNS))
    replace_block(page, marker("headers"), markdown(headers, HEADER_COLUMNS))
    for kind in all_cases():
        rows = [outcome.row for outcome in outcomes if outcome.kind == kind]
        replace_block(page, marker(kind), markdown(rows, CASE_COLUMNS))


def _keys(columns: list[Column]) -> list[str]:
    return [column.key for column in columns]


def _in_new_folder(check: Callable[[Path], str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return check(Path(folder))
