"""`pseudoct quality` writes a page with its metrics, or reports an error in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def short(models) -> list:
    return ["--models", models, "--device", "cpu", "--realisations", "4", "--strength", "60"]


@pytest.mark.slow
def test_the_page_the_figures_and_the_table_are_written(pseudoct, short, tmp_path):
    page = tmp_path / "quality.md"
    page.write_text("Before\n<!-- QUALITY -->\nold\n<!-- /QUALITY -->\nAfter\n", encoding="utf-8")
    ended = pseudoct("quality", tmp_path / "out", *short, "--dose", "0.5", "--page", page)
    assert ended.code == 0, ended.err
    assert (tmp_path / "out/quality.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((tmp_path / "out/quality.json").read_text(encoding="utf-8"))
    about = ("model", "kernel", "dose", "realisations", "seed", "goals_at_strength_percent")
    assert [written[key] for key in about] == ["fast", "soft", 0.5, 4, 0, 60]
    assert len(written["sha256"]) == 64
    assert [entry["strength_percent"] for entry in written["strengths"]] == [0, 60]
    assert len(written["strengths"][0]["discs"]) == 12
    for goal in written["goals"]:
        assert {"value", "limit", "met"} <= goal.keys()
        line = next(line for line in ended.out.splitlines() if f"| {goal['name']} |" in line)
        assert ("✗" in line) is not goal["met"]
    text = page.read_text(encoding="utf-8")
    assert text.startswith("Before\n") and text.endswith("After\n") and "old" not in text
    assert "`fast` by strength. Soft kernel, 50 % dose" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("quality.json", "quality.png")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--model", "none"], "Available: fast, other"),
        (["--model", "noise-a"], "noise model"),
        (["--realisations", "0"], "0 realisations"),
        (["--realisations", "7"], "even number"),
        (["--strength", "50", "101"], "--strength 101"),
        (["--strength", "-1"], "--strength -1"),
        (["--strength", "nan"], "--strength nan"),
        (["--strength", "0"], "one above 0"),
        (["--dose", "0"], "--dose 0"),
        (["--dose", "1.5"], "--dose 1.5"),
        (["--page", "none.md"], "none.md"),
    ],
)
def test_invalid_arguments_are_refused(pseudoct, models, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    ended = pseudoct("quality", "out", "--models", models, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err and ended.err.count("\n") == 1
    assert not list(Path("out").glob("*"))


def test_a_folder_that_cannot_be_written_is_refused(pseudoct, models, tmp_path):
    (tmp_path / "file").write_text("no folder")
    places = [tmp_path / "file", tmp_path / "file" / "out"]
    if Path("/proc/self").is_dir():
        places.append(Path("/proc/self"))
    for place in places:
        ended = pseudoct("quality", place, "--models", models)
        assert (ended.code, ended.out) == (2, "") and ended.err.count("\n") == 1
