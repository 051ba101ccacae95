"""What `pseudoct` promises: an exit code for every end, and a traceback only for our own faults."""

import sys
import types

import pytest
from PseudoCTDenoiseLib import __version__
from PseudoCTDenoiseLib.commands import main as entry
from PseudoCTDenoiseLib.engine.errors import BadInputError, Cancelled


@pytest.fixture
def pseudoct(monkeypatch, capsys):
    """Runs `pseudoct try` with a given work; returns exit code, output and errors."""

    def run(work, *arguments):
        command = types.ModuleType(f"{entry.__package__}.try")
        command.__doc__ = "Tries something."
        command.add_arguments = lambda parser: parser.add_argument("--count", type=int)
        command.run = work
        monkeypatch.setitem(sys.modules, command.__name__, command)
        monkeypatch.setattr(entry, "COMMANDS", {"try": "tries something"})
        code = entry.main(["try", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def raising(error):
    def work(arguments):
        raise error

    return work


def test_work_that_is_done_ends_with_0(pseudoct):
    assert pseudoct(lambda arguments: print(arguments.count), "--count", "3") == (0, "3\n", "")


def test_a_command_may_give_an_exit_code_of_its_own(pseudoct):
    assert pseudoct(lambda arguments: 1)[0] == 1


def test_bad_input_ends_with_2_and_its_one_line(pseudoct):
    code, out, err = pseudoct(raising(BadInputError("There is no file x.nrrd: check the path.")))
    assert (code, out) == (2, "")
    assert err == "pseudoct: There is no file x.nrrd: check the path.\n"


@pytest.mark.parametrize("end", [KeyboardInterrupt(), Cancelled()], ids=["ctrl-c", "cancelled"])
def test_a_cancel_ends_with_3_without_a_traceback(pseudoct, end):
    code, _, err = pseudoct(raising(end))
    assert code == 3 and "cancelled" in err and err.count("\n") == 1


@pytest.mark.parametrize("fault", [ValueError("odd"), RuntimeError("odd"), MemoryError("odd")])
def test_a_fault_of_ours_ends_with_1_and_its_traceback(pseudoct, fault):
    code, _, err = pseudoct(raising(fault))
    assert code == 1 and "Traceback" in err and "odd" in err


@pytest.mark.parametrize("arguments", [["--count", "many"], ["--unknown"], ["too", "many"]])
def test_arguments_that_cannot_be_are_bad_input(pseudoct, arguments):
    code, _, err = pseudoct(raising(AssertionError("was run")), *arguments)
    assert code == 2 and "usage: pseudoct" in err and "Traceback" not in err


def test_no_command_or_an_unknown_one_is_bad_input(capsys):
    assert entry.main([]) == 2
    assert "COMMAND" in capsys.readouterr().err
    assert entry.main(["dream"]) == 2
    assert "dream" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    assert entry.main(["--version"]) == 0
    assert capsys.readouterr().out == f"pseudoct {__version__}\n"


def test_the_help_names_every_command_and_that_it_is_for_research(capsys):
    assert entry.main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(name in text and words in text for name, words in entry.COMMANDS.items())
    assert "Research use only" in text


@pytest.mark.parametrize("name", entry.COMMANDS)
def test_every_command_has_help_of_its_own(name, capsys):
    assert entry.main([name, "--help"]) == 0
    assert f"usage: pseudoct {name}" in capsys.readouterr().out
