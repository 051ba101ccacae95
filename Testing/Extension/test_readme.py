"""The documents match the program: controls, error texts, flags, commands, links and images."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pseudoct_research.commands import COMMANDS as RESEARCH_COMMANDS
from PseudoCTDenoiseLib.cli.main import COMMANDS
from PseudoCTDenoiseLib.ct.io.derived_note import NOTICE
from PseudoCTDenoiseLib.denoising.plan import SHORT_SCAN

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "Docs").rglob("*.md")),
]
LIBRARY = REPOSITORY / "PseudoCTDenoise/PseudoCTDenoiseLib"
UI_FILE = REPOSITORY / "PseudoCTDenoise/Resources/UI/PseudoCTDenoise.ui"
PLACEHOLDERS = {"COMMAND"}
"""Words that stand for the name of a command in the text of a page."""

all_pages = pytest.mark.parametrize(
    "page", PAGES, ids=[page.relative_to(REPOSITORY).as_posix() for page in PAGES]
)


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """Return the text under a heading of the second level."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]


def without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def code_lines(text: str) -> Iterator[str]:
    """Yield the lines of all shell blocks, with continued lines joined and comments removed."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            yield line.split(" # ")[0].strip()


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Return the relative links and images of a page without a file or heading behind them."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text("utf-8"))):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@all_pages
def test_every_relative_link_leads_to_a_file_or_a_heading(page: Path):
    assert broken_links(page) == []


def test_broken_links_are_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A heading, with a comma\n[a](#a-heading-with-a-comma) [b](page.md) [c](gone.md)\n"
        "[d](#gone) [e](page.md#gone) ![f](gone.png) [g](https://example.org/gone)\n",
        encoding="utf-8",
    )
    assert broken_links(page) == ["gone.md", "#gone", "page.md#gone", "gone.png"]


@all_pages
def test_every_named_source_file_exists(page: Path):
    names = re.findall(r"`([\w/]+/\w+\.(?:py|ui|sh))`", page.read_text("utf-8"))
    folders = [REPOSITORY, REPOSITORY / "PseudoCTDenoise", LIBRARY]
    assert [name for name in names if not any((f / name).is_file() for f in folders)] == []


def test_every_image_of_the_documents_is_shown_on_a_page():
    linked = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text("utf-8"))
    }
    images = set((REPOSITORY / "Docs").rglob("*.png"))
    assert len(images) > 10
    assert sorted(images - linked) == []


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 150


def names_in_the_table(guide: str) -> set[str]:
    """Return the names of controls in the first column of the user guide's table."""
    cells = re.findall(r"^\| ([^|]+) \| [^|]", section(guide, "User interface"), re.MULTILINE)
    return {name.strip("* ") for cell in cells for name in re.split(r"[,/]", cell)}


def test_the_user_interface_names_every_control():
    buttons = ("QPushButton", "QToolButton", "ctkCollapsibleButton")
    widgets = list(ElementTree.parse(UI_FILE).iter("widget"))
    labels, check_boxes = (
        [
            widget.findtext("property[@name='text']/string").rstrip(":…")
            for widget in widgets
            if widget.get("class") in classes
            or (widget.get("class") == "QLabel" and re.search(label, widget.get("name")))
        ]
        for classes, label in [(buttons, "LayoutLabel|FormLabel"), (("QCheckBox",), "^$")]
    )
    assert len(labels) > 25 and len(check_boxes) > 4
    guide = read("Docs/user-guide.md")
    described = section(guide, "User interface")
    emphasised = re.findall(r"\*\*?([^*|]+?)…?\*", described + section(guide, "Troubleshooting"))
    assert set(labels) - names_in_the_table(guide) - set(emphasised) == set()
    assert [text for text in check_boxes if text.lower() not in described.lower()] == []


def test_the_user_interface_names_no_control_that_is_gone():
    strings = ElementTree.parse(UI_FILE).iter("string")
    texts = {element.text.rstrip(":…") for element in strings if element.text}
    # The panel sets the text of the button while a job runs.
    assert names_in_the_table(read("Docs/user-guide.md")) - texts == {"control", "Cancel"}


def short_scans(text: str) -> set[int]:
    """Return the numbers of slices that a text gives for the longest short scan."""
    more_than = map(int, re.findall(r"more than (\d+) slices of 512×512", text))
    or_more = map(int, re.findall(r"(\d+) or more slices of 512×512", text))
    return {*more_than, *(number - 1 for number in or_more)}


def test_the_length_of_a_short_scan_is_that_of_the_program():
    named = {page.name: short_scans(page.read_text("utf-8")) for page in [*PAGES, UI_FILE]}
    assert set.union(*named.values()) == {SHORT_SCAN}
    assert named["user-guide.md"] and named[UI_FILE.name]


def literal_texts() -> list[str]:
    """Return every text in the sources without docstrings and without inserted values."""
    found = []
    for path in (REPOSITORY / "PseudoCTDenoise").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if node not in docstrings:
                    found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [p.value for p in node.values if isinstance(p, ast.Constant)]
                found.append("".join(parts))
    return found


def test_every_heading_of_troubleshooting_is_a_text_of_the_program():
    troubleshooting = section(read("Docs/user-guide.md"), "Troubleshooting")
    # A heading in quotation marks is a part of a message, with "…" for the rest.
    titles = re.findall(r"^### (.+)$", troubleshooting, re.MULTILINE)
    headings = [title.strip('"… ') for title in titles]
    texts = literal_texts()
    assert len(headings) > 10
    assert [h for h in headings if not any(h in text for text in texts)] == []


def command_parser(module_name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(exit_on_error=False)
    importlib.import_module(module_name).add_arguments(parser)
    return parser


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_the_command_line_names_every_flag(name: str):
    described = section(read("Docs/command-line.md"), name)
    rows = set(re.findall(r"^\| `(--[\w-]+)", described, re.MULTILINE))
    parser = command_parser(COMMANDS[name][0])
    flags = {flag for action in parser._actions for flag in action.option_strings}
    assert rows == flags - {"-h", "--help"}


def test_the_page_of_the_command_line_names_every_research_command():
    described = section(read("Docs/command-line.md"), "Research commands")
    rows = re.findall(r"^\| `([\w-]+)`", described, re.MULTILINE)
    assert rows == list(RESEARCH_COMMANDS)


def printed_commands(page: Path) -> list[str]:
    """Return every `pseudoct` command of a page, in its shell blocks and in its text."""
    text = page.read_text("utf-8")
    lines = [*code_lines(text), *re.findall(r"`(pseudoct [^`]+)`", without_code(text))]
    lines = [line.removeprefix(".venv/bin/") for line in lines]
    return [line for line in lines if line.startswith("pseudoct ")]


def fault_of(command: str) -> str | None:
    """Return the error in a `pseudoct` command line, or None if it can run."""
    _, name, *arguments = shlex.split(command)
    if name in PLACEHOLDERS or name.startswith("-"):
        return None
    if name not in COMMANDS | RESEARCH_COMMANDS:
        return f"{command}: unknown command"
    if not arguments:  # names a command in a sentence, without its arguments
        return None
    try:
        parsed = command_parser((COMMANDS | RESEARCH_COMMANDS)[name][0]).parse_args(arguments)
    except (argparse.ArgumentError, SystemExit) as error:
        return f"{command}: {error}"
    page = getattr(parsed, "page", None)
    if page is not None and not (REPOSITORY / page).is_file():
        return f"{command}: no page {page}"
    return None


@all_pages
def test_every_printed_command_is_one_of_the_program(page: Path):
    assert list(filter(None, map(fault_of, printed_commands(page)))) == []


def test_many_commands_are_printed():
    assert sum(len(printed_commands(page)) for page in PAGES) > 30


@pytest.mark.parametrize(
    "command",
    [
        "pseudoct simulates a b",
        "pseudoct simulate a b --check",
        "pseudoct evaluate --page Docs/gone.md",
    ],
)
def test_wrong_commands_are_found(command: str):
    assert fault_of(command).startswith(command)


def python_example() -> str:
    text = section(read("Docs/command-line.md"), "Python without Slicer")
    return re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]


def test_the_python_example_imports_existing_names():
    imports = [
        node for node in ast.parse(python_example()).body if isinstance(node, ast.ImportFrom)
    ]
    assert len(imports) == 4
    for statement in imports:
        module = importlib.import_module(statement.module)
        assert [name.name for name in statement.names if not hasattr(module, name.name)] == []


@pytest.mark.slow
def test_the_python_example_denoises_a_file_and_marks_it_as_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    rows, columns = np.mgrid[-1:1:128j, -1:1:128j]
    hu = np.where(rows**2 + columns**2 < 0.6, 40.0, -1000.0) + np.zeros((3, 1, 1))
    hu += np.random.default_rng(0).normal(0, 20, hu.shape)
    image = sitk.GetImageFromArray(hu.astype(np.int16))
    image.SetSpacing((2.0, 2.0, 3.0))
    sitk.WriteImage(image, "scan.nrrd")
    exec(compile(python_example(), "Docs/command-line.md", "exec"), {})
    denoised = sitk.ReadImage("denoised.nrrd")
    assert sitk.GetArrayFromImage(denoised)[1, 60:68, 60:68].std() < 10
    assert denoised.GetSpacing() == image.GetSpacing()
    assert NOTICE in [denoised.GetMetaData(key) for key in denoised.GetMetaDataKeys()]
