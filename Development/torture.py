"""Long attacks on the product, whose figures Docs/reliability.md shows.

    torture.py                  run every section and update the page
    torture.py "mutated files"  run one section
    torture.py --dry-run        leave the page as it is

The exit status is 1 if a section found a fault. To add a section, write a file in
``torture_sections`` with ``COLUMNS`` and ``run``, list it in ``SECTIONS``, and add a heading and
two markers to the page.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "Docs" / "reliability.md"
sys.path[:0] = [str(REPOSITORY / "Testing"), str(REPOSITORY / "PseudoCTDenoise")]

from PseudoCTDenoiseLib.markdown_table import markdown  # noqa: E402
from torture_sections import (  # noqa: E402
    full_disks,
    jobs_in_a_row,
    kill_at_random_times,
    read_mutated_files,
)

SECTIONS = {
    "mutated files": read_mutated_files,
    "kill at random times": kill_at_random_times,
    "full disks": full_disks,
    "jobs in a row": jobs_in_a_row,
}
"""Modules by the name in the markers of the page.

``run()`` returns the rows of the table; a row with an entry ``faults`` above 0 is a failure.
``COLUMNS`` are the columns of the table.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--dry-run", action="store_true", help="leave the page as it is")
    arguments = parser.parse_args()
    unknown = set(arguments.sections) - SECTIONS.keys()
    if unknown:
        parser.error(f"unknown section {min(unknown)!r}: choose one of {', '.join(SECTIONS)}")

    faults = 0
    for name in arguments.sections or SECTIONS:
        print(f"{name}:", flush=True)
        rows = SECTIONS[name].run()
        table = markdown(rows, SECTIONS[name].COLUMNS)
        print(table, flush=True)
        faults += sum(row["faults"] for row in rows)
        if not arguments.dry_run:
            PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), name, table), "utf-8")
    return 1 if faults else 0


def with_table(page: str, name: str, table: str) -> str:
    """Return a page with another table between the markers of a section."""
    start, end = f"<!-- TORTURE {name} -->\n", f"<!-- /TORTURE {name} -->"
    new, count = re.subn(
        f"{re.escape(start)}.*?{re.escape(end)}", lambda _: start + table + end, page, flags=re.S
    )
    if count != 1:
        raise SystemExit(f"{PAGE.name} needs the markers {start.strip()} and {end} once")
    return new


if __name__ == "__main__":
    sys.exit(main())
