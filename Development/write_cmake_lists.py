"""List every file of the module folder in its CMakeLists.txt.

Slicer installs only the listed files. Run `make cmake-lists` after you add, rename or remove a
file. With ``--check`` the script writes nothing, and a difference ends in exit status 1.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parent.parent / "PseudoCTDenoise"


def module_files(folder: Path) -> dict[str, list[str]]:
    """Return the files to install by CMake variable, relative to the folder and sorted."""
    library = f"{folder.name}Lib"
    found = {
        "MODULE_PYTHON_SCRIPTS": [
            *folder.glob("*.py"),
            *(folder / library).rglob("*.py"),
        ],
        "MODULE_PYTHON_RESOURCES": [
            path
            for part in ("Resources", library)
            for path in (folder / part).rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc")
        ],
    }
    return {
        variable: sorted(
            path.relative_to(folder).as_posix()
            for path in paths
            if not path.name.startswith(".") and not path.name.endswith("~")
        )
        for variable, paths in found.items()
    }


def with_lists(text: str, lists: dict[str, list[str]]) -> str:
    """Return the text of a CMakeLists.txt in which each `set(VARIABLE …)` lists these files."""
    for variable, files in lists.items():
        block = "".join(f"  {name}\n" for name in files)
        text, count = re.subn(
            rf"^set\({variable}\n[^)]*\)", f"set({variable}\n{block}  )", text, flags=re.MULTILINE
        )
        if count != 1:
            raise SystemExit(f"CMakeLists.txt needs one 'set({variable}' block, found {count}.")
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="check the lists, write nothing")
    parser.add_argument("folder", nargs="?", type=Path, default=MODULE_FOLDER)
    arguments = parser.parse_args()

    cmake = arguments.folder / "CMakeLists.txt"
    before = cmake.read_text(encoding="utf-8")
    after = with_lists(before, module_files(arguments.folder))
    if after == before:
        return 0
    if arguments.check:
        wrong = sorted(set(before.splitlines()) ^ set(after.splitlines())) or ["(the order)"]
        print(f"{cmake} does not list the files on disk; run make cmake-lists.")
        print(*wrong, sep="\n")
        return 1
    cmake.write_text(after, encoding="utf-8", newline="\n")
    print(f"Rewrote the lists in {cmake}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
