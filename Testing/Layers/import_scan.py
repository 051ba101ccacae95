"""Reads the imports and other risky names of a Python source, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE_FOLDER = REPOSITORY / "PseudoCTDenoise"
LIBRARY = MODULE_FOLDER / "PseudoCTDenoiseLib"
RESEARCH = REPOSITORY / "Research"

UNSAFE_MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib", "marshal"),
    *("urllib", "urllib3", "http", "requests", "socket", "torch.hub"),
}
UNSAFE_CALLS = {"torch.load", "torch.save", "os.system", "os.popen", "eval", "exec", "__import__"}
IMPORTERS = {
    *("importlib.import_module", "importlib.machinery", "importlib.metadata.entry_points"),
    *("importlib.util.module_from_spec", "importlib.util.spec_from_file_location"),
    *("importlib.reload", "importlib.__import__", "builtins.__import__", "__import__"),
    *("pkgutil", "runpy", "zipimport", "pkg_resources", "imp"),
}
"""Functions and modules that import by a name in a string."""


class Import(NamedTuple):
    name: str
    """Absolute dotted name. `from a import b` gives both a and a.b."""
    line: int
    at_file_scope: bool
    """True if the import runs when the file is loaded."""


def package_of(path: Path) -> str:
    """Return the dotted name of the package that holds a file of the product or of research."""
    root = MODULE_FOLDER if path.is_relative_to(MODULE_FOLDER) else RESEARCH
    return ".".join(path.relative_to(root).parent.parts)


def library_file(name: str) -> Path | None:
    """Return the source file of a module of the library, or None if it has none."""
    path = MODULE_FOLDER.joinpath(*name.split("."))
    candidates = [path.with_suffix(".py"), path / "__init__.py"]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def within(name: str, packages: set[str] | frozenset[str]) -> bool:
    """Return True if a dotted name is one of the packages or lies inside one."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in packages for count in range(1, len(parts) + 1))


@cache
def imports_of(source: str, package: str = "") -> list[Import]:
    """Return every import statement of a source, including those inside functions."""
    found = []

    def visit(node: ast.AST, at_file_scope: bool) -> None:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute_base(node, package)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        found.extend(Import(name, node.lineno, at_file_scope) for name in names)
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for_types = node.body if _is_type_checking(node) else []
        for child in ast.iter_child_nodes(node):
            visit(child, at_file_scope and not function and child not in for_types)

    visit(_parsed(source), True)
    return found


@cache
def dotted_names(source: str, package: str = "") -> list[tuple[int, str]]:
    """Return (line, absolute dotted name) of every name and attribute of a source.

    Import aliases are resolved: after `import numpy as np`, `np.load` is numpy.load.
    """
    tree = _parsed(source)
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute_base(node, package)
            aliases |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, *rest = ast.unparse(node).split(".")
            found.append((node.lineno, ".".join([aliases.get(first, first), *rest])))
    return found


def used_names(source: str, package: str = "") -> list[tuple[int, str]]:
    """Return (line, absolute dotted name) of every import, name and attribute."""
    imported = [(found.line, found.name) for found in imports_of(source, package)]
    return imported + dotted_names(source, package)


def texts_of(source: str) -> list[tuple[int, str]]:
    """Return (line, text) of every string of a source, docstrings included."""
    return [
        (node.lineno, node.value)
        for node in ast.walk(_parsed(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def unsafe_lines(source: str) -> Iterator[str]:
    """Yield 'line: name' of code that could run foreign code or reach the network."""
    for found in imports_of(source):
        if within(found.name, UNSAFE_MODULES):
            yield f"{found.line}: import {found.name}"
    for line, name in dotted_names(source):
        # A mention counts as a call, because `load = torch.load` can be called later.
        if name in UNSAFE_CALLS or within(name, {"torch.hub"}):
            yield f"{line}: {name}"
    for node in ast.walk(_parsed(source)):
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            false = isinstance(node.value, ast.Constant) and not node.value.value
            if not false:
                yield f"{node.lineno}: {ast.unparse(node)}"


def loaded_with(path: Path) -> set[str]:
    """Return the names that a file imports, and those that the imported library files load."""
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


@cache
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def _absolute_base(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name of the module in `from module import …`."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    parents = parts[: max(len(parts) - node.level + 1, 0)]
    return ".".join([*parents, *filter(None, [node.module])])


def _is_type_checking(node: ast.AST) -> bool:
    """Return True for `if TYPE_CHECKING:`, whose body only type checkers read."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
    )
