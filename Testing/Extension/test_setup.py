"""`make` sets a checkout up once, and again when it was moved; old systems get useful advice."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A checkout that was set up, in a folder with a space and an accent."""
    folder = tmp_path / "Küche 1"
    for name in ("Makefile", "pyproject.toml", "Research/pyproject.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, folder / name)
    shutil.copytree(CHECKOUT / "Development", folder / "Development")
    (folder / ".venv").mkdir()
    (folder / ".venv/.ready").write_text(f"{folder.resolve()}\n", encoding="utf-8")
    return folder


def planned(folder: Path) -> str:
    """Return what `make` would run."""
    command = ["make", "--dry-run", "setup"]
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("MAKE")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_a_checkout_is_set_up_once(checkout):
    assert "Ready" in planned(checkout) and "pip" not in planned(checkout)
    link = checkout.with_name("link")
    os.symlink(checkout, link)
    assert "pip" not in planned(link)


def test_a_moved_checkout_is_set_up_again(checkout):
    """The commands in its environment name the former place."""
    moved = checkout.rename(checkout.with_name("moved"))
    assert "-m venv --clear .venv" in planned(moved) and "pip install" in planned(moved)


def test_where_only_a_newer_python_exists_its_packages_are_no_remedy(tmp_path):
    for name in ("python3", "python3.10", "python3.11", "python3.12"):
        program = tmp_path / name
        program.write_text(
            '#!/bin/sh\ncase "$2" in *sys.exit*) exit 1;; esac\necho 3.13\n', encoding="utf-8"
        )
        program.chmod(0o755)
    script = ["sh", CHECKOUT / "Development/check_system.sh"]
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    ended = subprocess.run(script, env=path, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stdout == ""
    assert "python3 is 3.13" in ended.stderr and "apt-get" not in ended.stderr
    packages = subprocess.run([*script, "--packages"], env=path, capture_output=True, text=True)
    assert "python3" not in packages.stdout.split()
