"""Exit codes of `pseudoct`; a traceback appears only for internal errors."""

import contextlib
import errno
import importlib.metadata
import os
import signal
import subprocess
import sys
import time
import types

import pytest
from PseudoCTDenoiseLib import __version__
from PseudoCTDenoiseLib.cli import cancelling
from PseudoCTDenoiseLib.cli import main as entry
from PseudoCTDenoiseLib.errors import BadInputError, Cancelled
from PseudoCTDenoiseLib.temporary_files import with_cleanup


@pytest.fixture
def pseudoct(monkeypatch, capsys):
    """Run `pseudoct try` with the given work; return exit code, output and errors."""

    def run(work, *arguments, own_process=False):
        command = types.ModuleType(f"{entry.__package__}.try")
        command.__doc__ = "Tries something."
        command.add_arguments = lambda parser: parser.add_argument("--count", type=int)
        command.run = work
        monkeypatch.setitem(sys.modules, command.__name__, command)
        monkeypatch.setattr(entry, "COMMANDS", {"try": (command.__name__, "tries something")})
        code = entry.main(None if own_process else ["try", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def raising(error):
    def work(arguments):
        raise error

    return work


def because(error, cause):
    error.__cause__ = cause
    return error


def test_a_successful_command_ends_with_0(pseudoct):
    assert pseudoct(lambda arguments: print(arguments.count), "--count", "3") == (0, "3\n", "")


def test_a_command_can_return_an_exit_code(pseudoct):
    assert pseudoct(lambda arguments: 1)[0] == 1


def test_bad_input_ends_with_2_and_a_one_line_message(pseudoct):
    code, out, err = pseudoct(
        raising(BadInputError("The file x.nrrd does not exist: check the path."))
    )
    assert (code, out) == (2, "")
    assert err == "pseudoct: The file x.nrrd does not exist: check the path.\n"


@pytest.mark.parametrize("end", [KeyboardInterrupt(), Cancelled()], ids=["ctrl-c", "cancelled"])
def test_a_cancelled_command_ends_with_3_without_a_traceback(pseudoct, end):
    code, _, err = pseudoct(raising(end))
    assert code == 3 and "cancelled" in err and err.count("\n") == 1


@pytest.fixture
def ctrl_c_cancels(monkeypatch):
    """Install the signal handler for Ctrl-C, as in a separate process."""
    handler = cancelling.CancelHandler()
    monkeypatch.setattr(sys, "unraisablehook", handler.unraisable)
    former = signal.signal(signal.SIGINT, handler)
    yield handler
    signal.signal(signal.SIGINT, former)


def test_ctrl_c_termination_and_a_closed_terminal_cancel_unless_they_are_ignored():
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    former = {number: signal.getsignal(number) for number in numbers}

    def handler(number, frame):
        pass

    try:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(numbers[-1], signal.SIG_IGN)
        cancelling.on_signals(handler)
        assert [signal.getsignal(number) for number in numbers[:-1]] == [handler] * len(
            numbers[:-1]
        )
        assert signal.getsignal(numbers[-1]) == signal.SIG_IGN
        signal.signal(numbers[-1], signal.SIG_DFL)
        cancelling.on_signals(handler)
        assert signal.getsignal(numbers[-1]) is handler
    finally:
        for number, previous in former.items():
            signal.signal(number, previous)


def test_ctrl_c_in_a_finalizer_cancels(ctrl_c_cancels, capsys):
    class Finalized:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Finalized()
        time.sleep(30)
    assert capsys.readouterr().err == ""


def test_ctrl_c_that_a_library_suppresses_is_repeated(ctrl_c_cancels, monkeypatch):
    monkeypatch.setattr(cancelling, "REPEAT_SECONDS", 0.05)
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        time.sleep(30)


def test_ctrl_c_during_a_cleanup_waits_for_its_end(ctrl_c_cancels):
    ended = []

    def cleanup():
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.05)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        with_cleanup(lambda: None, cleanup)
        time.sleep(30)
    assert ended == [True, True]


def test_another_error_in_a_finalizer_is_reported(ctrl_c_cancels, capsys):
    class Finalized:
        def __del__(self):
            raise ValueError("odd")

    Finalized()
    assert "ValueError: odd" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("work", "moment", "code"),
    [
        (lambda arguments: 0, "on_signals", 0),
        (raising(BadInputError("odd")), "_bad_input", 3),
        (raising(Cancelled()), "cancelled", 3),
    ],
    ids=["done", "bad-input", "cancelled"],
)
def test_ctrl_c_during_the_report_of_the_result_is_not_an_error(
    pseudoct, monkeypatch, work, moment, code
):
    """Run as in a separate process, which ignores signals after the first one."""
    place = cancelling if hasattr(cancelling, moment) else entry
    real, calls = getattr(place, moment), []

    def interrupted(*arguments):
        if moment == "on_signals" and arguments != (signal.SIG_IGN,):
            return None
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return None if moment == "on_signals" else real(*arguments)

    monkeypatch.setattr(cancelling, "on_signals", lambda handler: None)
    monkeypatch.setattr(place, moment, interrupted)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(sys, "argv", ["pseudoct", "try"])
    monkeypatch.setattr(sys.stdout, "reconfigure", lambda errors: None, raising=False)
    assert pseudoct(work, own_process=True)[0] == code
    assert calls


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("matplotlib", 'pip install "pseudoctdenoise[tools]"'),
        ("skimage", 'pip install "pseudoctdenoise[tools]"'),
        ("distributed", 'pip install "pseudoctdenoise[cohort]"'),
        ("scipy", "pip install ./Research"),
        ("microct_iq_toolbox", "pip install ./Research"),
    ],
)
def test_a_missing_package_is_reported_with_its_installation(pseudoct, package, command):
    code, _, err = pseudoct(raising(ModuleNotFoundError("missing", name=package)))
    assert code == 2
    assert err == f"pseudoct: The package {package} is missing. Install it: {command}.\n"


@pytest.mark.parametrize(
    "torch", ["raise ImportError('no libtorch.so')", "raise OSError('no disk')"]
)
def test_a_damaged_torch_is_told_in_one_line(tmp_path, torch):
    (tmp_path / "torch.py").write_text(torch)
    done = subprocess.run(
        [sys.executable, "-m", "PseudoCTDenoiseLib.cli.main", "denoise", "a.nrrd", "b.nrrd"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("pseudoct: A package that 'denoise' needs, such as torch, is")
    assert torch.split("'")[1] in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_package_whose_commands_cannot_be_loaded_hides_no_others(pseudoct, monkeypatch):
    """Such as the research commands after their folder was moved."""
    missing = importlib.metadata.EntryPoint(
        "Research commands", "gone:COMMANDS", entry.ENTRY_POINTS
    )
    vars(missing)["dist"] = types.SimpleNamespace(name="pseudoct-research")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [missing])
    code, _, err = pseudoct(lambda arguments: None)
    assert code == 0
    assert "The package pseudoct-research cannot be loaded" in err and "Traceback" not in err


def test_a_missing_module_of_this_package_is_an_internal_error(pseudoct):
    code, _, err = pseudoct(raising(ModuleNotFoundError("missing", name="PseudoCTDenoiseLib.odd")))
    assert code == 1 and "Traceback" in err


@pytest.mark.parametrize("error", [ValueError("odd"), RuntimeError("odd")])
def test_an_internal_error_ends_with_1_and_a_traceback(pseudoct, error):
    code, _, err = pseudoct(raising(error))
    assert code == 1 and "Traceback" in err and "odd" in err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "Not enough memory (MemoryError)."),
        (MemoryError("Unable to allocate\n9 GiB"), "Not enough memory (Unable to allocate 9 GiB)."),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried"), "Not enough memory"),
        (RuntimeError("Failed to allocate memory for image."), "Not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 9 GiB"), "Not enough memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "Not enough memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "Not enough"),
        (RuntimeError("can't start new thread"), "Not enough memory"),
        (
            because(BadInputError("x is damaged."), MemoryError("9 GiB")),
            "Not enough memory (9 GiB)",
        ),
    ],
)
def test_lack_of_memory_ends_with_1_and_advice_on_one_line(pseudoct, error, said):
    code, out, err = pseudoct(raising(error))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"pseudoct: {said}") and "Close other programs" in err


@pytest.mark.parametrize("arguments", [["--count", "many"], ["--unknown"], ["too", "many"]])
def test_invalid_arguments_are_bad_input(pseudoct, arguments):
    code, _, err = pseudoct(raising(AssertionError("was run")), *arguments)
    assert code == 2 and "usage: pseudoct" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "place"),
    [(["--count", ""], "after --count"), (["--count="], "--count="), ([""], "after try")],
)
def test_an_empty_argument_never_stands_for_the_current_folder(pseudoct, arguments, place):
    code, out, err = pseudoct(raising(AssertionError), *arguments)
    assert (code, out) == (2, "")
    assert err == (
        f"pseudoct: The argument {place} is empty: give a name or a value, or omit it.\n"
    )


def test_no_command_or_an_unknown_one_is_bad_input(capsys):
    assert entry.main([]) == 2
    assert "COMMAND" in capsys.readouterr().err
    assert entry.main(["dream"]) == 2
    line = capsys.readouterr().err
    assert line.startswith(
        "pseudoct: Unknown command 'dream'. Choose one of cohort, denoise, listen, models, "
    )
    assert line.count("\n") == 1


def test_the_version_is_printed(capsys):
    assert entry.main(["--version"]) == 0
    assert capsys.readouterr().out == f"pseudoct {__version__}\n"


def test_the_help_lists_every_command_and_states_research_use(capsys):
    assert entry.main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} {words}" in text for name, (_, words) in entry.COMMANDS.items())
    assert "Research use only" in text


@pytest.mark.parametrize("name", entry.COMMANDS)
def test_every_command_has_its_own_help(name, capsys):
    assert entry.main([name, "--help"]) == 0
    assert f"usage: pseudoct {name}" in capsys.readouterr().out


def test_commands_of_another_package_are_listed_under_their_own_heading(monkeypatch, capsys):
    entry_point = types.SimpleNamespace(
        name="More commands", load=lambda: {"dance": ("dancing.steps", "dance a waltz")}
    )
    monkeypatch.setattr(entry.importlib.metadata, "entry_points", lambda group: [entry_point])
    assert entry.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text.index("Commands:") < text.index("denoise") < text.index("More commands:")
    assert text.index("More commands:") < text.index("dance a waltz")


def test_research_commands_are_absent_without_their_package(monkeypatch, capsys):
    monkeypatch.setattr(entry.importlib.metadata, "entry_points", lambda group: [])
    assert entry.main(["phantom", "folder"]) == 2
    assert "Unknown command 'phantom'" in capsys.readouterr().err
    assert entry.main(["--help"]) == 0
    assert "phantom" not in capsys.readouterr().out
