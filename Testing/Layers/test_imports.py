"""Each layer imports only the layers below it, and the product never imports research.

The rules read the sources, so no module is imported.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from Layers.import_scan import (
    IMPORTERS,
    LIBRARY,
    MODULE_FOLDER,
    REPOSITORY,
    RESEARCH,
    Import,
    imports_of,
    library_file,
    loaded_with,
    package_of,
    texts_of,
    unsafe_lines,
    used_names,
    within,
)

PRODUCT = sorted(MODULE_FOLDER.rglob("*.py"))
RESEARCH_FILES = sorted(RESEARCH.rglob("*.py"))
WORKER = LIBRARY / "worker/worker.py"
"""The only file of its folder that runs in the background process, with torch."""
DICOM_EXPORT = LIBRARY / "scene/dicom_export.py"
"""The only file of Slicer's process that imports pydicom, when the user exports a series."""
COMMAND_LINE = LIBRARY / "cli/main.py"
"""The only file that imports by name: it loads a command when the user asks for it."""
DICOM_NETWORK = {"pynetdicom"}
"""Packages that only the DICOM node may import."""

BASE = {
    *("errors", "exit_codes", "durable_file", "duration", "folder_lock", "input_file", "json_text"),
    *(
        "markdown_table",
        "number_text",
        "output_paths",
        "printed_words",
        "standard_input",
        "temporary_files",
        "torch_cache",
        "__version__",
    ),
}
ENGINE = {"ct", "models", "simulation", "denoising"}
MAY_IMPORT = {
    "": BASE,
    "ct": BASE,
    "models": BASE | {"ct"},
    "simulation": BASE | {"ct"},
    "denoising": BASE | {"ct", "models", "simulation"},
    "worker": BASE | ENGINE,
    "scene": BASE | ENGINE | {"worker"},
    "panel": BASE | ENGINE | {"worker", "scene"},
    "node": BASE | {"ct"},
    "cli": BASE | ENGINE | {"node"},
    "cohort": BASE | ENGINE | {"cli"},
}
"""Folder of the library → parts of the library that its files may import besides the folder.

The empty name stands for the files directly in the library.
"""

RESEARCH_MAY_IMPORT = {
    "datasets": set(),
    "results": set(),
    "phantom": set(),
    "training": {"datasets", "results"},
    "evaluation": {"datasets", "results", "phantom", "training"},
    "image_quality": {"results", "phantom"},
    "performance": {"results", "phantom", "evaluation"},
    "paper": {"datasets", "results", "training", "evaluation"},
}
"""Folder of the research package → folders that it may import, apart from the product."""
RESEARCH_BASE = {"time_limit"}
"""Files directly in the research package that each of its folders may import."""
TEST_PACKAGES = {
    path.stem for path in (REPOSITORY / "Testing").glob("*") if not path.name.startswith((".", "_"))
}
RESEARCH_PACKAGES = {path.parent.name for path in RESEARCH.glob("*/__init__.py")}
SLICER_PACKAGES = {
    *("slicer", "qt", "ctk", "vtk", "vtkmodules", "PythonQt", "PySide2", "PySide6", "shiboken6"),
}
ENGINE_PACKAGES = {"torch", "numpy", "SimpleITK", "pydicom", LIBRARY.name}
"""Packages that an engine file may import when it is loaded, besides the standard library."""


def layer_files(*names: str) -> list[Path]:
    """Return the source files of the named folders of the library."""
    return sorted(path for name in names for path in (LIBRARY / name).rglob("*.py"))


BASE_FILES = sorted(LIBRARY.glob("*.py"))
SLICER_FILES = [*layer_files("worker", "panel", "scene"), *sorted(MODULE_FOLDER.glob("*.py"))]
"""The files that Slicer's own process loads."""
OUTSIDE_SLICER = [*BASE_FILES, *layer_files(*ENGINE, "node", "cli", "cohort")]
"""The files that must also load without Slicer."""


def source_of(path: Path) -> tuple[str, str]:
    """Return the source of a file, and the package that holds the file."""
    return path.read_text("utf-8"), package_of(path)


def violations_in(paths: list[Path], rule: Callable[[Path], Iterable]) -> dict[str, list]:
    """Return the violations of a rule by file, without the files that have none."""
    assert paths
    found = {path.relative_to(REPOSITORY).as_posix(): list(rule(path)) for path in paths}
    return {name: violations for name, violations in found.items() if violations}


def loaded_in(path: Path, packages: set[str]) -> list[str]:
    """Return the modules of the packages that are loaded with a file."""
    return [name for name in loaded_with(path) if within(name, packages)]


def layer_violations(source: str, package: str) -> list[str]:
    """Return 'line: name' for each use of a layer that the package may not know."""
    layer = package.partition(".")[2].partition(".")[0]
    allowed = {f"{LIBRARY.name}.{name}" for name in (MAY_IMPORT[layer] | {layer}) - {""}}
    return [
        f"{line}: {name}"
        for line, name in used_names(source, package)
        if within(name, {LIBRARY.name}) and name != LIBRARY.name and not within(name, allowed)
    ]


def research_layer_violations(source: str, package: str) -> list[str]:
    """Return 'line: name' for each use of a research folder that the package may not know."""
    root, _, layer = package.partition(".")
    allowed = {f"{root}.{name}" for name in RESEARCH_MAY_IMPORT[layer] | RESEARCH_BASE | {layer}}
    return [
        f"{line}: {name}"
        for line, name in used_names(source, package)
        if within(name, {root}) and name != root and not within(name, allowed)
    ]


def research_violations(source: str, package: str, may_import_by_name: bool = False) -> list[str]:
    """Return 'line: name' for each way in which product code could import research or tests."""
    violations = [
        f"{line}: {name}"
        for line, name in used_names(source, package)
        if within(name, RESEARCH_PACKAGES | {"Research", "Testing"})
        or (within(name, IMPORTERS) and not may_import_by_name)
    ]
    violations += [
        f"{found.line}: {found.name}"
        for found in imports_of(source, package)
        if within(found.name, TEST_PACKAGES)
    ]
    violations += [
        f"{line}: {text}"
        for line, text in texts_of(source)
        if any(name in text for name in RESEARCH_PACKAGES)
    ]
    return violations


def slicer_violations(source: str, package: str) -> list[str]:
    """Return 'line: name' for each use of Slicer, Qt or the layers that need them."""
    above = {f"{LIBRARY.name}.scene", f"{LIBRARY.name}.panel"}
    used = [entry for entry in used_names(source, package) if within(entry[1], above)]
    imported = [(found.line, found.name) for found in imports_of(source, package)]
    used += [entry for entry in imported if within(entry[1], SLICER_PACKAGES)]
    return [f"{line}: {name}" for line, name in used]


def foreign_violations(source: str, package: str) -> list[str]:
    """Return 'line: name' for each foreign package that is imported when the file is loaded."""
    known = ENGINE_PACKAGES | sys.stdlib_module_names
    return [
        f"{found.line}: {found.name}"
        for found in imports_of(source, package)
        if found.at_file_scope and not within(found.name, known)
    ]


def test_every_folder_of_the_library_has_a_rule():
    folders = {path.relative_to(LIBRARY).parts[0] for path in LIBRARY.glob("*/**/*.py")}
    assert folders == set(MAY_IMPORT) - {""}
    assert {path.stem for path in BASE_FILES} == BASE - {"__version__"} | {"__init__"}
    assert all((path.parent / "__init__.py").is_file() for path in LIBRARY.rglob("*.py"))


def test_the_product_is_two_module_files_and_their_library():
    outside = [path.name for path in PRODUCT if not path.is_relative_to(LIBRARY)]
    assert outside == ["DICOMPseudoCTDenoisePlugin.py", "PseudoCTDenoise.py"]
    assert sorted(RESEARCH_PACKAGES) == ["pseudoct_research"]


def test_a_layer_imports_only_the_layers_below():
    assert not violations_in(layer_files(""), lambda path: layer_violations(*source_of(path)))


def test_the_product_never_imports_research():
    def imported(path: Path) -> list[str]:
        return research_violations(*source_of(path), may_import_by_name=path == COMMAND_LINE)

    assert not violations_in(PRODUCT, imported)


def test_the_command_line_imports_only_its_own_commands_by_name():
    from PseudoCTDenoiseLib.cli.main import COMMANDS

    modules = {module for module, _ in COMMANDS.values()}
    own = {f"{LIBRARY.name}.cli.{name}" for name in COMMANDS if name != "cohort"}
    assert modules == own | {f"{LIBRARY.name}.cohort.command"}
    names = {"cohort", "denoise", "listen", "models", "repeat", "route", "simulate"}
    assert set(COMMANDS) == names
    assert all(library_file(module) for module in modules)


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "CMakeLists.txt", "PseudoCTDenoise/CMakeLists.txt"]
)
def test_packaging_of_the_product_never_names_research(name: str):
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    packaging = re.sub("#.*", "", text.partition("[tool.ruff]")[0])
    assert not re.findall(r"pseudoct[-_.]research|Research/|Testing/", packaging)
    assert "pseudoct.commands" not in packaging


def test_the_engine_loads_its_requirements_only():
    assert not violations_in(OUTSIDE_SLICER, lambda path: foreign_violations(*source_of(path)))


def test_engine_commands_worker_and_research_never_import_slicer():
    paths = [*OUTSIDE_SLICER, WORKER, *RESEARCH_FILES]
    assert not violations_in(paths, lambda path: slicer_violations(*source_of(path)))


def test_a_research_folder_imports_only_the_folders_below():
    paths = [path for path in RESEARCH_FILES if path.parent.name in RESEARCH_MAY_IMPORT]
    assert not violations_in(paths, lambda path: research_layer_violations(*source_of(path)))


def test_every_research_folder_has_a_rule_and_none_forms_a_circle():
    folders = {path.parent.name for path in RESEARCH.glob("*/*/*.py")}
    assert folders == set(RESEARCH_MAY_IMPORT)
    TopologicalSorter(RESEARCH_MAY_IMPORT).prepare()  # raises CycleError


@pytest.mark.parametrize(
    "source",
    [
        "from ..paper.table1 import ROWS",
        "from .. import evaluation",
        "import pseudoct_research.paper.cells",
        "def late():\n    from ..commands import COMMANDS",
    ],
)
def test_a_higher_research_folder_in_training_is_detected(source: str):
    assert research_layer_violations(source, "pseudoct_research.training")
    assert not research_layer_violations("from ..datasets import x", "pseudoct_research.training")


def test_research_never_imports_tests():
    def imported(path: Path) -> list[Import]:
        found = imports_of(*source_of(path))
        return [entry for entry in found if within(entry.name, TEST_PACKAGES | {"Testing"})]

    assert not violations_in(RESEARCH_FILES, imported)


def test_no_file_runs_foreign_code_or_reaches_the_network():
    paths = [*PRODUCT, *RESEARCH_FILES]
    assert not violations_in(paths, lambda path: unsafe_lines(path.read_text("utf-8")))


def test_only_the_node_and_its_command_use_the_dicom_network():
    def used(path: Path) -> list[tuple[int, str]]:
        return [name for name in used_names(*source_of(path)) if within(name[1], DICOM_NETWORK)]

    node = {*layer_files("node"), LIBRARY / "cli/listen.py"}
    assert not violations_in([p for p in [*PRODUCT, *RESEARCH_FILES] if p not in node], used)


def test_the_process_of_slicer_never_loads_torch_and_pydicom_only_to_export():
    def loaded(path: Path) -> list[str]:
        forbidden = {"torch"} if path == DICOM_EXPORT else {"torch", "pydicom"}
        return loaded_in(path, forbidden | {f"{package_of(WORKER)}.{WORKER.stem}"})

    assert not violations_in([path for path in SLICER_FILES if path != WORKER], loaded)


def test_the_node_never_loads_torch():
    paths = [*layer_files("node"), LIBRARY / "cli/listen.py", LIBRARY / "cli/supervised.py"]
    assert not violations_in(paths, lambda path: loaded_in(path, {"torch"}))


def test_the_base_files_load_only_the_standard_library():
    known = set(sys.stdlib_module_names) | {LIBRARY.name}

    def foreign(path: Path) -> list[str]:
        return [name for name in loaded_with(path) if not within(name, known)]

    assert not violations_in(BASE_FILES, foreign)


@pytest.mark.parametrize(
    "source",
    [
        "from ..scene import results",
        "from .. import panel",
        "from ..worker.protocol import PROTOCOL_VERSION",
        "from ..cli import main",
        "import PseudoCTDenoiseLib.scene.results",
        "import PseudoCTDenoiseLib.scene as s",
        "from PseudoCTDenoiseLib import scene",
        "import PseudoCTDenoiseLib as library\nlibrary.scene.results",
        "def late():\n    from ..scene import results",
        "if TYPE_CHECKING:\n    from ..scene import results",
    ],
)
def test_a_higher_layer_in_denoising_is_detected(source: str):
    assert layer_violations(source, "PseudoCTDenoiseLib.denoising")


def test_lower_layers_are_allowed_in_denoising():
    source = """\
from .. import __version__
from ..ct.hounsfield import AIR
from ..errors import BadInputError
from . import losses
import PseudoCTDenoiseLib.models.store
"""
    assert layer_violations(source, "PseudoCTDenoiseLib.denoising") == []
    assert layer_violations("from .denoising import job", "PseudoCTDenoiseLib")


@pytest.mark.parametrize(
    "source",
    [
        "import pseudoct_research",
        "import pseudoct_research.phantom.torso as torso",
        "from pseudoct_research.training import masking",
        "from Research.pseudoct_research import phantom",
        "def late():\n    import pseudoct_research",
        "try:\n    import pseudoct_research\nexcept ImportError:\n    pass",
        "__import__('pseudoct' + '_research')",
        "import importlib\nimportlib.import_module('pseudoct' + '_research')",
        "import importlib as i\nload = i.import_module",
        "from importlib import import_module as fetch\nfetch(name)",
        "from importlib.metadata import entry_points",
        "import importlib.metadata as m\nm.entry_points(group='pseudoct.commands')",
        "import runpy",
        "from pkgutil import resolve_name",
        "MODULE = 'pseudoct_research.commands'",
        "MODULE = f'pseudoct_research.{name}'",
        "import SlicerHarness",
        "from command_line import hu",
        "from Testing import command_line",
    ],
)
def test_research_and_tests_in_the_product_are_detected(source: str):
    assert research_violations(source, "PseudoCTDenoiseLib.denoising")


def test_the_command_line_may_import_by_name_but_never_research():
    allowed = "import importlib\nimportlib.import_module(f'{__package__}.denoise')"
    assert research_violations(allowed, "PseudoCTDenoiseLib.cli", True) == []
    assert research_violations("import pseudoct_research", "PseudoCTDenoiseLib.cli", True)
    named = "import importlib\nimportlib.import_module('pseudoct_research.commands')"
    assert research_violations(named, "PseudoCTDenoiseLib.cli", True)


@pytest.mark.parametrize(
    "source",
    [
        "import slicer",
        "import vtk",
        "from PySide6 import QtCore",
        "def late():\n    import qt",
        "from ..panel import choices",
    ],
)
def test_slicer_in_the_engine_is_detected(source: str):
    assert slicer_violations(source, "PseudoCTDenoiseLib.ct")


@pytest.mark.parametrize(
    "source",
    [
        "import scipy.ndimage",
        "class Reader:\n    import scipy.ndimage",
        "try:\n    import tqdm\nexcept ImportError:\n    tqdm = None",
        "if not TYPE_CHECKING:\n    import scipy",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import scipy",
    ],
)
def test_a_foreign_package_at_file_scope_is_detected(source: str):
    assert foreign_violations(source, "PseudoCTDenoiseLib.ct")


@pytest.mark.parametrize(
    "source", ["def late():\n    import scipy", "if TYPE_CHECKING:\n    import scipy"]
)
def test_a_late_import_and_an_import_for_types_are_allowed(source: str):
    assert foreign_violations(source, "PseudoCTDenoiseLib.ct") == []


UNSAFE_SOURCE = """\
import numpy as np
from torch import load as fetch
def read(path):
    from urllib import request
    np.load(path, allow_pickle=True)
    np.load(path, allow_pickle=False)
    fetch(path)
    import os, subprocess
    os.system(path)
    subprocess.run(path, shell=True)
"""


def test_unsafe_lines_are_detected():
    lines = {line.split(":")[0] for line in unsafe_lines(UNSAFE_SOURCE)}
    assert lines == {"4", "5", "7", "9", "10"}


def test_imports_are_absolute_and_know_their_scope():
    source = "from ..scene import results\ndef read():\n    import qt\n"
    assert imports_of(source, "PseudoCTDenoiseLib.denoising") == [
        Import("PseudoCTDenoiseLib.scene", 1, True),
        Import("PseudoCTDenoiseLib.scene.results", 1, True),
        Import("qt", 3, False),
    ]


def test_loaded_modules_are_followed_through_the_library():
    networks = LIBRARY / "models/networks.py"
    assert "torch" in loaded_with(networks)
    assert library_file("PseudoCTDenoiseLib.models.networks") == networks


def test_json_is_written_in_one_place():
    """The allowed file replaces NaN and infinity, which other readers of JSON refuse."""
    writers = [path for path in PRODUCT if re.search(r"\bjson\.dumps?\b", path.read_text("utf-8"))]
    assert writers == [LIBRARY / "json_text.py"]
