"""Each layer knows only what is below it; read from the sources, so nothing need run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE_FOLDER = REPOSITORY / "PseudoCTDenoise"
LIBRARY = MODULE_FOLDER / "PseudoCTDenoiseLib"
RESEARCH = REPOSITORY / "Research"
PRODUCT = sorted([*LIBRARY.rglob("*.py"), *MODULE_FOLDER.glob("*.py")])
WORKER = LIBRARY / "worker/worker.py"
"""The one file of its folder that runs in the background process, with torch."""

BASE = {"errors", "exit_codes", "duration", "markdown_table", "temporary_files", "__version__"}
ENGINE = {"ct", "models", "simulation", "denoising"}
MAY_IMPORT = {
    "ct": BASE,
    "models": BASE | {"ct"},
    "simulation": BASE | {"ct"},
    "denoising": BASE | {"ct", "models", "simulation"},
    "worker": BASE | ENGINE,
    "scene": BASE | ENGINE | {"worker"},
    "panel": BASE | ENGINE | {"worker", "scene"},
    "cli": BASE | ENGINE,
}
"""Folder of the library → the parts of the library that its files may import besides it."""

IN_SLICER = [
    *(path for name in ("worker", "panel", "scene") for path in (LIBRARY / name).rglob("*.py")),
    *MODULE_FOLDER.glob("*.py"),
]
"""The files that Slicer's own process loads."""

OF_SLICER = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "PythonQt", "PySide2", "PySide6"}
UNSAFE_MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib", "marshal"),
    *("urllib", "urllib3", "http", "requests", "socket", "torch.hub"),
}
UNSAFE_CALLS = {"torch.load", "torch.save", "os.system", "os.popen", "eval", "exec", "__import__"}
AT_FILE_SCOPE = {"torch", "numpy", "SimpleITK", LIBRARY.name}


class Import(NamedTuple):
    name: str
    """Absolute and dotted; `from a import b` gives both a and a.b."""
    line: int
    at_file_scope: bool
    """Runs when the file is loaded: not within a function, not for type checkers alone."""


def package_of(path: Path) -> str:
    root = MODULE_FOLDER if path.is_relative_to(MODULE_FOLDER) else RESEARCH
    return ".".join(path.relative_to(root).parent.parts)


def imports_of(source: str, package: str = "") -> list[Import]:
    """Every import of a file, those within functions too."""
    found = []

    def visit(node: ast.AST, at_file_scope: bool) -> None:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        found.extend(Import(name, node.lineno, at_file_scope) for name in names)
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        inner = at_file_scope and not function and not for_types
        for child in ast.iter_child_nodes(node):
            visit(child, inner)

    visit(ast.parse(source), True)
    return found


def within(name: str, packages: set[str]) -> bool:
    """Whether a dotted name is one of the packages or inside one."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in packages for count in range(1, len(parts) + 1))


def real_names(tree: ast.AST) -> dict[str, str]:
    """What the names that imports bind stand for: np is numpy."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def unsafe_lines(source: str) -> Iterator[str]:
    """What could run foreign code or reach the network: 'line: what'."""
    tree = ast.parse(source)
    for found in imports_of(source):
        if within(found.name, UNSAFE_MODULES):
            yield f"{found.line}: import {found.name}"

    names = real_names(tree)
    for node in ast.walk(tree):
        # A mere mention counts: `load = torch.load` is as good as a call.
        if isinstance(node, ast.Name | ast.Attribute):
            first, *rest = ast.unparse(node).split(".")
            name = ".".join([names.get(first, first), *rest])
            if name in UNSAFE_CALLS or within(name, {"torch.hub"}):
                yield f"{node.lineno}: {name}"
        if isinstance(node, ast.keyword):
            false = isinstance(node.value, ast.Constant) and not node.value.value
            if node.arg in ("allow_pickle", "shell") and not false:
                yield f"{node.lineno}: {ast.unparse(node)}"


def library_file(name: str) -> Path | None:
    path = MODULE_FOLDER.joinpath(*name.split("."))
    candidates = [path.with_suffix(".py"), path / "__init__.py"]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def loaded_with(path: Path) -> set[str]:
    """All that a file imports, and what those files of the library import when they load."""
    loaded = set()
    waiting = [found.name for found in imports_of(path.read_text("utf-8"), package_of(path))]
    while waiting:
        name = waiting.pop()
        if name in loaded:
            continue
        loaded.add(name)
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        file = library_file(name) if within(name, {LIBRARY.name}) else None
        if file:
            inner = imports_of(file.read_text("utf-8"), package_of(file))
            waiting += [found.name for found in inner if found.at_file_scope]
    return loaded


def files(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "path", paths, ids=[path.relative_to(REPOSITORY).as_posix() for path in paths]
    )


def layer_files(*names: str) -> list[Path]:
    return sorted(path for name in names for path in (LIBRARY / name).rglob("*.py"))


def test_every_folder_of_the_library_has_its_rule():
    folders = {path.parent.name for path in LIBRARY.glob("*/__init__.py")}
    assert folders == set(MAY_IMPORT)
    assert {path.stem for path in LIBRARY.glob("*.py")} <= BASE | {"__init__"}


@files(layer_files(*MAY_IMPORT))
def test_a_layer_imports_only_the_layers_below(path: Path):
    layer = path.relative_to(LIBRARY).parts[0]
    allowed = {f"{LIBRARY.name}.{name}" for name in MAY_IMPORT[layer] | {layer}}
    assert not [
        found
        for found in imports_of(path.read_text("utf-8"), package_of(path))
        if within(found.name, {LIBRARY.name})
        and found.name != LIBRARY.name
        and not within(found.name, allowed)
    ]


@files(PRODUCT)
def test_the_product_never_imports_the_research_code(path: Path):
    imported = imports_of(path.read_text("utf-8"), package_of(path))
    research = {"pseudoct_research", "Testing"}
    assert not [found for found in imported if within(found.name, research)]


@files(layer_files(*ENGINE, "cli"))
def test_the_engine_loads_torch_numpy_and_simpleitk_only(path: Path):
    foreign = {
        f"{found.line}: {found.name}"
        for found in imports_of(path.read_text("utf-8"), package_of(path))
        if found.at_file_scope and not within(found.name, AT_FILE_SCOPE | sys.stdlib_module_names)
    }
    assert not foreign


@files([*layer_files(*ENGINE, "cli"), WORKER, *sorted(RESEARCH.rglob("*.py"))])
def test_engine_commands_worker_and_research_know_nothing_of_slicer(path: Path):
    imported = imports_of(path.read_text("utf-8"), package_of(path))
    above = {f"{LIBRARY.name}.scene", f"{LIBRARY.name}.panel"}
    assert not [found for found in imported if within(found.name, OF_SLICER | above)]


@files([*PRODUCT, *sorted(RESEARCH.rglob("*.py"))])
def test_no_file_runs_foreign_code_or_reaches_the_network(path: Path):
    assert not list(unsafe_lines(path.read_text("utf-8")))


@files([path for path in IN_SLICER if path != WORKER])
def test_slicers_own_process_never_loads_torch(path: Path):
    loaded = loaded_with(path)
    assert not [name for name in loaded if within(name, {"torch"})]
    assert not [name for name in loaded if library_file(name) == WORKER]


def test_importing_the_library_loads_nothing_but_python():
    loaded = loaded_with(LIBRARY / "__init__.py")
    assert not [name for name in loaded if not within(name, set(sys.stdlib_module_names))]


BAD_SOURCE = """\
import numpy as np
from torch import load as fetch
from ..scene import results
class Reader:
    import scipy.ndimage
def read(path):
    import qt
    from urllib import request
    np.load(path, allow_pickle=True)
    np.load(path, allow_pickle=False)
    fetch(path)
    import os, subprocess
    os.system(path)
    subprocess.run(path, shell=True)
"""


def test_the_scan_sees_what_is_forbidden():
    imported = imports_of(BAD_SOURCE, "PseudoCTDenoiseLib.denoising")
    assert Import("PseudoCTDenoiseLib.scene.results", 3, True) in imported
    assert Import("scipy.ndimage", 5, True) in imported
    assert Import("qt", 7, False) in imported
    assert {line.split(":")[0] for line in unsafe_lines(BAD_SOURCE)} == {
        *("8", "9", "11", "13", "14")
    }


def test_the_scan_follows_imports_through_the_library():
    networks = LIBRARY / "models/networks.py"
    assert "torch" in loaded_with(networks)
    assert library_file("PseudoCTDenoiseLib.models.networks") == networks
