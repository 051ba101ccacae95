"""`make torture` attacks the product and keeps its page."""

from __future__ import annotations

import importlib.util
import sys

import pytest


@pytest.fixture(scope="module")
def torture(repository):
    development = repository / "Development"
    spec = importlib.util.spec_from_file_location("torture", development / "torture.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(development), *sys.path])
        spec.loader.exec_module(module)
    return module


def test_the_page_has_the_table_of_every_section_without_a_fault(torture):
    page = torture.PAGE.read_text(encoding="utf-8")
    for name, section in torture.SECTIONS.items():
        table = page.split(f"<!-- TORTURE {name} -->\n")[1].split(f"<!-- /TORTURE {name} -->")[0]
        heading, _, *rows = table.splitlines()
        assert [cell.strip() for cell in heading.split("|")[1:-1]] == [
            column.heading for column in section.COLUMNS
        ]
        assert rows and torture.with_table(page, name, table) == page
    assert "new | table" in torture.with_table(page, name, "new | table\n")
    with pytest.raises(SystemExit, match="needs the markers"):
        torture.with_table(page, "other", table)


@pytest.mark.parametrize("kind", ["read", "crash"])
def test_a_fault_is_the_exit_status(torture, monkeypatch, capsys, kind):
    module = torture.SECTIONS["mutated files"]

    class Reader:
        def __init__(self, models):
            assert models

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def read(self, path):
            assert path.exists()
            return module.Outcome(kind, "said", 0.5)

    monkeypatch.setattr(module, "LimitedReader", Reader)
    monkeypatch.setattr(module, "FILES", 3)
    monkeypatch.setattr(sys, "argv", ["torture.py", "--dry-run", "mutated files"])
    assert torture.main() == (1 if kind == "crash" else 0)
    printed = capsys.readouterr().out
    assert ("crash, said" in printed) == (kind == "crash")
    (all_kinds,) = (line for line in printed.splitlines() if line.startswith("| All |"))
    assert all_kinds.startswith("| All | 3 | 3 |" if kind == "read" else "| All | 3 | 0 |")
