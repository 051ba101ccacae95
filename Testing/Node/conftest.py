"""A PACS, a node whose denoising is a stand-in, and a scan to send."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import *  # noqa: F403
from dicom_factory import write_slices
from dicom_network import STAND_IN, NodeProcess, Pacs, free_port


@pytest.fixture
def scan(tmp_path) -> list[Path]:
    """Files of a series of four slices in the order of the slices."""
    folder = write_slices(tmp_path / "scan")
    return sorted(folder.iterdir(), key=lambda path: path.name[2:])


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    found = Pacs(free_port())
    found.port = found._server.server_address[1]
    yield found
    found.close()


@pytest.fixture
def start_node(tmp_path, pacs) -> Iterator[Callable[..., NodeProcess]]:
    """Function that starts a node; ``first`` is Python that the stand-in runs before its work."""
    nodes = []

    def start(first: str = "", pacs_port: int | None = None, **values) -> NodeProcess:
        script = tmp_path / "stand_in.py"
        script.write_text(STAND_IN.format(first=first), encoding="utf-8")
        program = [sys.executable, script]
        nodes.append(NodeProcess(tmp_path / "node", program, pacs_port or pacs.port, **values))
        return nodes[-1]

    yield start
    for node in nodes:
        node.kill()
