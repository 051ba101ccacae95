"""A program's lines, errors and end arrive, each once and in order."""

from __future__ import annotations

import os
import sys

import pytest
from PseudoCTDenoiseLib.worker import runner as runner_module
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner

PATIENCE_SECONDS = 30.0


class Watched:
    """A runner that keeps what it tells."""

    def __init__(self, runner, wait_until):
        self.runner, self._wait_until = runner, wait_until
        self.lines, self.errors, self.ends = [], [], []
        runner.onLine = self.lines.append
        runner.onErrorText = self.errors.append
        runner.onEnded = lambda exitCode, reason: self.ends.append((exitCode, reason))

    def run(self, code: str, *arguments: str) -> Watched:
        self.runner.start(sys.executable, ["-SEc", code, *arguments], dict(os.environ))
        return self

    def hasEnded(self) -> bool:
        """Whether the end came, waiting for it as a job does."""
        return self._wait_until(lambda: not self.runner.pump(0.1))

    def hasSpoken(self) -> bool:
        return self._wait_until(lambda: self.runner.pump(0.1) and self.lines)


@pytest.fixture
def make_watched(make_runner, wait_until):
    """Makes watched runners of either kind."""
    return lambda: Watched(make_runner(), wait_until)


@pytest.fixture
def watched(make_watched):
    return make_watched()


def test_lines_and_errors_come_apart_and_before_the_end(watched):
    watched.run("import sys; print('a\\nb'); print('wrong', file=sys.stderr)")
    assert watched.hasEnded()
    assert (watched.lines, watched.errors) == (["a", "b"], ["wrong\n"])
    assert watched.ends == [(0, "it ended with exit code 0")]
    assert not watched.runner.pump(0)


def test_the_end_may_be_waited_for(watched):
    watched.run("print('a')")
    assert watched.runner.waitForEnd(PATIENCE_SECONDS)
    assert (watched.lines, len(watched.ends)) == (["a"], 1)


def test_arguments_are_handed_over_as_they_are(watched):
    strange = ["two words", "é", "$HOME", "'", '"; exit 7', ""]
    watched.run("import sys; print(ascii(sys.argv[1:]))", *strange)
    assert watched.hasEnded()
    assert watched.lines == [ascii(strange)]


def test_the_program_has_the_environment_that_it_is_given(watched):
    code = "import os; print(ascii(os.environ.get('A')), 'HOME' in os.environ)"
    watched.runner.start(sys.executable, ["-SEc", code], {"A": "é ü", "PYTHONUTF8": "1"})
    assert watched.hasEnded()
    assert watched.lines == [ascii("é ü") + " False"]


def test_what_is_no_utf8_and_an_unfinished_line_arrive(watched):
    watched.run(r"import os; os.write(1, b'\xff\nh\xc3'); os.write(1, b'\xa4lf')")
    assert watched.hasEnded()
    assert watched.lines == ["\ufffd", "hälf"]


def test_the_exit_code_is_told(watched):
    watched.run("raise SystemExit(7)")
    assert watched.hasEnded()
    assert watched.ends[0][0] == 7


def test_a_program_that_is_not_there_is_told_as_an_end(watched):
    watched.runner.start("/no/such/program", [], {})
    assert watched.hasEnded()
    ((code, reason),) = watched.ends
    assert code is None and "/no/such/program could not be started: " in reason
    assert "No such file" in reason and watched.runner.processId is None
    watched.runner.writeLine("nobody")
    watched.runner.kill()
    assert watched.runner.waitForEnd(0) and len(watched.ends) == 1


def test_lines_reach_the_program_and_one_too_many_does_no_harm(watched):
    watched.run("print(input().upper())")
    watched.runner.writeLine("grüße")
    assert watched.hasEnded()
    assert watched.lines == ["GRÜSSE"]
    watched.runner.writeLine("too late")
    watched.runner.kill()


def test_a_killed_program_has_no_exit_code_and_a_reason(watched, is_alive):
    watched.run("import time; print('up', flush=True); time.sleep(600)")
    assert watched.hasSpoken()
    watched.runner.kill()
    assert watched.hasEnded()
    ((code, reason),) = watched.ends
    assert code is None and "killed" in reason.lower()
    assert not is_alive(watched.runner.processId)


def test_the_input_ends_with_the_program_that_was_started(watched, wait_until, is_alive):
    """As behind a launcher that is killed: the program itself still runs, and must notice."""
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-SEc', 'input()'], stdout=2)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    watched.run(code)
    assert watched.hasSpoken()
    child = int(watched.lines[0])
    assert is_alive(child)
    watched.runner.kill()
    assert wait_until(lambda: not watched.runner.pump(0.1) and not is_alive(child))


def test_a_function_is_called_later_on_this_thread(watched):
    watched.run("input()")
    watched.runner.callLater(0.05, lambda: watched.runner.writeLine("go"))
    assert watched.hasEnded()
    assert watched.ends[0][0] == 0


def test_a_program_that_never_stops_printing_is_listened_to_and_killed(watched):
    watched.run("while True: print('x' * 50)")
    watched.runner.callLater(0.05, watched.runner.kill)
    assert watched.hasEnded()
    assert watched.ends[0][0] is None and set(watched.lines[:-1]) == {"x" * 50}


def test_two_programs_run_at_once(make_watched):
    one, two = make_watched(), make_watched()
    for watched in (one, two):
        watched.run("print(input())")
    two.runner.writeLine("second")
    assert two.hasEnded()
    assert one.runner.pump(0)
    one.runner.writeLine("first")
    assert one.hasEnded()
    assert (one.lines, two.lines) == (["first"], ["second"])


def test_what_the_program_left_behind_does_not_hold_up_its_end(
    watched, monkeypatch, wait_until, is_alive
):
    monkeypatch.setattr(runner_module, "STREAM_SECONDS", 0.1)
    # The child keeps the output open, and ends when it can no longer read.
    watched.run(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-SEc', 'input()'])\n"
        "print(child.pid)"
    )
    assert watched.hasEnded()
    assert watched.ends[0][0] == 0
    assert wait_until(lambda: not is_alive(int(watched.lines[0])))


def test_an_error_of_a_callback_is_raised_and_no_event_is_lost(wait_until):
    watched = Watched(SubprocessRunner(), wait_until).run("print('a\\nb\\nc')")
    seen = []

    def take(line):
        seen.append(line)
        raise KeyError(line)

    watched.runner.onLine = take
    for line in ("a", "b", "c"):
        with pytest.raises(KeyError, match=line):
            while watched.runner.pump(PATIENCE_SECONDS):
                pass
    assert watched.hasEnded()
    assert seen == ["a", "b", "c"] and len(watched.ends) == 1
