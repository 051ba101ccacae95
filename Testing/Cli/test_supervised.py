"""A child process of a command ends with its parent, even if the parent is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from dicom_network import PACS, free_port, wait_for
from PseudoCTDenoiseLib.cli.supervised import child_program
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.node.denoising_child import child_environment
from PseudoCTDenoiseLib.node.process_lock import lock_for_process

PARENT = """
import subprocess, sys
from PseudoCTDenoiseLib.cli.supervised import child_program
subprocess.Popen([*child_program(), "listen", sys.argv[1]], stdin=subprocess.PIPE).wait()
"""


def test_a_child_imports_nothing_from_the_current_folder(tmp_path):
    """The folder may be shared, and a file in it may have the name of a library."""
    (tmp_path / "argparse.py").write_text("raise SystemExit('imported')", "utf-8")
    with subprocess.Popen(
        [*child_program(), "--version"],
        cwd=tmp_path,
        env=child_environment(),
        stdin=subprocess.PIPE,  # stays open until the child has ended
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.read().startswith("pseudoct ")
        assert child.wait() == 0


def test_a_child_ends_with_its_killed_parent(tmp_path):
    values = {"ae_title": PACS, "port": free_port(), "folder": "queue", "accept": [PACS]}
    values["send_to"] = {"ae_title": PACS, "address": "127.0.0.1", "port": 1}
    (tmp_path / "node.json").write_text(json.dumps(values), "utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path / "node.json"], env=environment
    )
    log, lock = tmp_path / "queue/listen.log", tmp_path / "queue/lock"

    def is_locked() -> bool:
        try:
            os.close(lock_for_process(lock))
        except BadInputError:
            return True
        return False

    try:
        wait_for(lambda: log.is_file() and "Listening" in log.read_text("utf-8"))
        assert is_locked()
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not is_locked())
