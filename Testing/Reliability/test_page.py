"""The page lists every input of the table with its expected outcome."""

from __future__ import annotations

from pathlib import Path

from pseudoct_research.results.results_table import check_block
from PseudoCTDenoiseLib.markdown_table import markdown
from Reliability.run import CASE_COLUMNS, Outcome, all_cases, check_page

MAKE = "run `make reliability`"


def test_the_page_lists_the_table(repository: Path):
    page = repository / "Docs" / "reliability.md"
    check_page(page)
    listed = check_block(page, "RELIABILITY counts")
    assert sum(map(len, all_cases().values())) >= 250
    for kind, cases in all_cases().items():
        rows = [Outcome(kind, name, str(case.expected), "").row for name, case in cases.items()]
        for line in markdown(rows, CASE_COLUMNS).splitlines():
            assert line.rpartition("| as expected")[0] in listed, f"{line} is missing: {MAKE}"


def test_the_page_counts_the_inputs(repository: Path):
    page = check_block(repository / "Docs" / "reliability.md", "RELIABILITY counts")
    for kind, cases in all_cases().items():
        assert f"| {kind} | {len(cases)} |" in page, MAKE
