"""The README speaks of the program that is here: its controls, its errors, its pictures."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PseudoCTDenoiseLib.denoising.plan import SHORT_SCAN


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading of the second level."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]


def test_every_picture_is_in_the_repository(repository: Path, readme: str):
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert len(pictures) > 3
    assert [name for name in pictures if not (repository / name).is_file()] == []


def test_the_user_interface_names_every_control(repository: Path, readme: str):
    ui = ElementTree.parse(repository / "PseudoCTDenoise/Resources/UI/PseudoCTDenoise.ui")
    buttons = ("QPushButton", "QToolButton", "QCheckBox", "ctkCollapsibleButton")
    labels = [
        widget.findtext("property[@name='text']/string").rstrip(":…")
        for widget in ui.iter("widget")
        if widget.get("class") in buttons
        or (widget.get("class") == "QLabel" and "LayoutLabel" in widget.get("name"))
        or (widget.get("class") == "QLabel" and "FormLabel" in widget.get("name"))
    ]
    assert len(labels) > 30
    described = section(readme, "User interface") + section(readme, "Troubleshooting")
    missing = [text for text in labels if text.lower() not in described.lower()]
    # What a check box adds to its label stands beside it in words.
    assert set(missing) <= {"8 flips and quarter turns"}


def test_what_counts_as_a_long_scan_is_told_as_it_is(repository: Path, readme: str):
    ui = (repository / "PseudoCTDenoise/Resources/UI/PseudoCTDenoise.ui").read_text("utf-8")
    longer = f"from {SHORT_SCAN + 1} slices of 512×512 on"
    assert readme.count(longer) == len(re.findall(r"from \d+ slices", readme)) > 0
    assert longer in ui


def literal_texts(repository: Path) -> list[str]:
    """Every text in the sources; what is filled in is left out of it."""
    found = []
    for path in (repository / "PseudoCTDenoise").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [p.value for p in node.values if isinstance(p, ast.Constant)]
                found.append("".join(parts))
    return found


def test_every_heading_of_troubleshooting_is_a_text_that_the_program_says(
    repository: Path, readme: str
):
    headings = re.findall(r"^### (.+)$", section(readme, "Troubleshooting"), re.MULTILINE)
    texts = literal_texts(repository)
    assert len(headings) > 10
    assert [h for h in headings if not any(h in text for text in texts)] == []
