"""Lack of memory ends every command with one line that says what to do, and exit code 1."""

import subprocess
import sys

import numpy as np
import pytest
from pseudoct_research.commands import COMMANDS as RESEARCH_COMMANDS
from PseudoCTDenoiseLib.cli.main import COMMANDS
from PseudoCTDenoiseLib.exit_codes import FAULT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits address space")

LIMITED = """
import importlib, re, resource, sys
def limit(room):
    used = re.search(r"VmSize:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]
    resource.setrlimit(resource.RLIMIT_AS, (1024 * int(used) + room * 2**20, -1))
sys.path[:0] = {folders}
from pathlib import Path
from PseudoCTDenoiseLib.cli import main as entry
for name in {loaded}:
    importlib.import_module(name)
{prepare}
limit({room})
sys.exit(entry.main())
"""
"""Program that runs a command with ``room`` MiB more than it has after loading modules."""


@pytest.fixture
def limited(repository):
    """Function that runs `pseudoct` in a process with a limit; return its code and errors."""

    def run(room, *arguments, loaded=(), prepare=""):
        folders = [str(repository / name) for name in ("PseudoCTDenoise", "Research")]
        program = LIMITED.format(folders=folders, loaded=loaded, room=room, prepare=prepare)
        ended = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
        )
        return ended.returncode, ended.stderr

    return run


def assert_says_so(ended):
    code, errors = ended
    (line,) = [line for line in errors.splitlines() if line.startswith("pseudoct: ")]
    assert line.startswith("pseudoct: Not enough memory (") and "Close other programs" in line
    assert code == FAULT and "Traceback" not in errors


@pytest.mark.parametrize(
    "command",
    [
        name if name in ("denoise", "compare") else pytest.param(name, marks=pytest.mark.slow)
        for name in (*COMMANDS, *RESEARCH_COMMANDS)
        if name != "listen"  # reads its configuration without large libraries
    ],
)
def test_a_command_that_cannot_load_its_libraries_says_so(limited, command):
    assert_says_so(limited(250, command, "a", "b", loaded=("numpy",)))


@pytest.fixture(scope="module")
def large_scan(tmp_path_factory, write):
    """File of a scan of 96 MiB, which is small because it is compressed."""
    hu = np.full((192, 512, 512), -1000, np.int16)
    hu[:, 100:400, 100:400] = 50
    hu[:, ::2, ::2] += 7
    return write(tmp_path_factory.mktemp("large") / "large.nrrd", hu)


READING = ("torch", "PseudoCTDenoiseLib.cli.denoise", "PseudoCTDenoiseLib.cli.simulate")


@pytest.mark.parametrize(
    "room",
    [pytest.param(40, id="SimpleITK", marks=pytest.mark.slow), pytest.param(150, id="numpy")],
)
@pytest.mark.parametrize("command", ["denoise", pytest.param("simulate", marks=pytest.mark.slow)])
def test_a_scan_that_does_not_fit_says_so(limited, large_scan, tmp_path, command, room):
    output = tmp_path / "output.nrrd"
    arguments = (command, large_scan, output, "--device", "cpu")
    assert_says_so(limited(room, *arguments, loaded=READING))
    assert not output.exists()


@pytest.mark.slow
def test_the_research_commands_say_so_too(limited, large_scan, tmp_path):
    arguments = ("compare", "--pair", large_scan, large_scan, "--csv", tmp_path / "scores.csv")
    loaded = ("torch", "pseudoct_research.evaluation.compare_command")
    assert_says_so(limited(150, *arguments, loaded=loaded))


TORCH = "entry._parse = lambda arguments: __import__('torch').ones(2**28) and None"


def test_torch_without_memory_says_so(limited):
    assert_says_so(limited(100, "models", loaded=("torch",), prepare=TORCH))


WRITING = """
import numpy as np, SimpleITK as sitk
from PseudoCTDenoiseLib.cli import simulate
from PseudoCTDenoiseLib.ct.io.volume_files import CtVolume, write_volume
write = sitk.WriteImage
def write_and_limit(*arguments, **options):  # the image that is freed has 96 MiB
    write(*arguments, **options)
    limit(-50)
def run(arguments):
    hu = np.zeros((192, 512, 512), np.int16)
    like = CtVolume(hu, (0.7, 0.7, 2.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1), 2, "large")
    write_volume(arguments.output, hu, like)
sitk.WriteImage, simulate.run = write_and_limit, run
"""


@pytest.mark.slow
def test_lack_of_memory_while_a_volume_is_written_is_not_a_full_disk(limited, tmp_path):
    arguments = ("simulate", "a.nrrd", tmp_path / "output.nrrd")
    assert_says_so(limited(1000, *arguments, loaded=READING, prepare=WRITING))
    assert list(tmp_path.iterdir()) == []
