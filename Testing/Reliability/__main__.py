"""Run the table: ``python -m Reliability [PAGE]``. PAGE is the Markdown page to update."""

from __future__ import annotations

import sys
from pathlib import Path

from PseudoCTDenoiseLib.markdown_table import markdown
from Reliability.headers import FORMATS, header_title
from Reliability.run import (
    COUNT_COLUMNS,
    EXAMPLES,
    HEADER_COLUMNS,
    check_page,
    counts,
    run_headers,
    run_table,
    write_page,
)
from Reliability.table import HEADERS, KNOWN_FAULTS


def main(page: Path | None) -> int:
    """Run everything; return 1 if an outcome is neither the expected one nor a known fault."""
    if page:
        check_page(page)
    outcomes, surprises = [], 0
    for outcome in run_table():
        outcomes.append(outcome)
        surprises += outcome.surprising
        result = outcome.problem or "as expected"
        print(f"{'!' if outcome.surprising else ' '} {outcome.kind}: {outcome.name}: {result}")
    rows = []
    for name in FORMATS:
        for hostile in (False, True):
            tried, problems = run_headers(name, hostile, EXAMPLES)
            title = header_title(name, hostile)
            fault = KNOWN_FAULTS.get((HEADERS, title), "")
            surprises += bool(problems) != bool(fault)
            values = (title, tried, tried - len(problems), fault)
            rows.append({c.key: v for c, v in zip(HEADER_COLUMNS, values, strict=True)})
            for problem in sorted(set(problems)):
                print(f"{' ' if fault else '!'} {title}: {problem}")
    print(f"\n{markdown(counts(outcomes), COUNT_COLUMNS)}\n{markdown(rows, HEADER_COLUMNS)}")
    if page:
        write_page(page, outcomes, rows)
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else None))
