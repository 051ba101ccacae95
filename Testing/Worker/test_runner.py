"""Lines, errors and the end of a program are delivered once and in order."""

from __future__ import annotations

import os
import sys

import pytest
from PseudoCTDenoiseLib.worker import runner as runner_module
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner

PATIENCE_SECONDS = 300.0


class Watched:
    """A runner that stores its events."""

    def __init__(self, runner, wait_until):
        self.runner, self._wait_until = runner, wait_until
        self.lines, self.errors, self.ends = [], [], []
        runner.on_line = self.lines.append
        runner.on_error_text = self.errors.append
        runner.on_ended = lambda exit_code, reason: self.ends.append((exit_code, reason))

    def run(self, code: str, *arguments: str) -> Watched:
        self.runner.start(sys.executable, ["-SEc", code, *arguments], dict(os.environ))
        return self

    def has_ended(self) -> bool:
        """Wait for the end as a job does; return True if it came."""
        return self._wait_until(lambda: not self.runner.pump(0.1))

    def has_spoken(self) -> bool:
        return self._wait_until(lambda: self.runner.pump(0.1) and self.lines)


@pytest.fixture
def make_watched(make_runner, wait_until):
    """Return a function that makes watched runners of either kind."""
    return lambda: Watched(make_runner(), wait_until)


@pytest.fixture
def watched(make_watched):
    return make_watched()


def test_lines_and_errors_come_apart_and_before_the_end(watched):
    watched.run("import sys; print('a\\nb'); print('wrong', file=sys.stderr)")
    assert watched.has_ended()
    assert (watched.lines, watched.errors) == (["a", "b"], ["wrong\n"])
    assert watched.ends == [(0, "it ended with exit code 0")]
    assert not watched.runner.pump(0)


def test_the_end_may_be_waited_for(watched):
    watched.run("print('a')")
    assert watched.runner.wait_for_end(PATIENCE_SECONDS)
    assert (watched.lines, len(watched.ends)) == (["a"], 1)


def test_arguments_are_passed_unchanged(watched):
    strange = ["two words", "é", "$HOME", "'", '"; exit 7', ""]
    watched.run("import sys; print(ascii(sys.argv[1:]))", *strange)
    assert watched.has_ended()
    assert watched.lines == [ascii(strange)]


def test_the_program_has_the_environment_that_it_is_given(watched):
    code = "import os; print(ascii(os.environ.get('A')), 'HOME' in os.environ)"
    watched.runner.start(sys.executable, ["-SEc", code], {"A": "é ü", "PYTHONUTF8": "1"})
    assert watched.has_ended()
    assert watched.lines == [ascii("é ü") + " False"]


def test_invalid_utf8_and_an_unfinished_line_are_delivered(watched):
    watched.run(r"import os; os.write(1, b'\xff\nh\xc3'); os.write(1, b'\xa4lf')")
    assert watched.has_ended()
    assert watched.lines == ["\ufffd", "hälf"]


def test_the_exit_code_is_reported(watched):
    watched.run("raise SystemExit(7)")
    assert watched.has_ended()
    assert watched.ends[0][0] == 7


def test_a_missing_program_is_reported_as_an_end(watched):
    watched.runner.start("/no/such/program", [], {})
    assert watched.has_ended()
    ((code, reason),) = watched.ends
    assert code is None and "/no/such/program could not be started: " in reason
    assert "No such file" in reason and watched.runner.process_id is None
    watched.runner.write_line("nobody")
    watched.runner.kill()
    assert watched.runner.wait_for_end(0) and len(watched.ends) == 1


def test_lines_reach_the_program_and_one_too_many_does_no_harm(watched):
    watched.run("print(input().upper())")
    watched.runner.write_line("grüße")
    assert watched.has_ended()
    assert watched.lines == ["GRÜSSE"]
    watched.runner.write_line("too late")
    watched.runner.kill()


def test_a_killed_program_has_no_exit_code_and_a_reason(watched, is_alive):
    watched.run("import time; print('up', flush=True); time.sleep(600)")
    assert watched.has_spoken()
    watched.runner.kill()
    assert watched.has_ended()
    ((code, reason),) = watched.ends
    assert code is None and "killed" in reason.lower()
    assert not is_alive(watched.runner.process_id)


def test_the_input_ends_with_the_program_that_was_started(watched, wait_until, is_alive):
    """The child of a killed launcher still runs and must notice the end of its input."""
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-SEc', 'input()'], stdout=2)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    watched.run(code)
    assert watched.has_spoken()
    child = int(watched.lines[0])
    assert is_alive(child)
    watched.runner.kill()
    assert wait_until(lambda: not watched.runner.pump(0.1) and not is_alive(child))


def test_a_function_is_called_later_on_this_thread(watched):
    watched.run("input()")
    watched.runner.call_later(0.05, lambda: watched.runner.write_line("go"))
    assert watched.has_ended()
    assert watched.ends[0][0] == 0


def test_a_program_that_prints_endlessly_can_be_killed(watched):
    def kill_after_some_lines(line):
        watched.lines.append(line)
        if len(watched.lines) == 100:
            watched.runner.kill()

    watched.runner.on_line = kill_after_some_lines
    watched.run("while True: print('x' * 50)")
    assert watched.has_ended()
    assert watched.ends[0][0] is None and set(watched.lines[:-1]) == {"x" * 50}


def test_two_programs_run_at_once(make_watched):
    one, two = make_watched(), make_watched()
    for watched in (one, two):
        watched.run("print(input())")
    two.runner.write_line("second")
    assert two.has_ended()
    assert one.runner.pump(0)
    one.runner.write_line("first")
    assert one.has_ended()
    assert (one.lines, two.lines) == (["first"], ["second"])


def test_a_child_of_the_program_does_not_delay_its_end(watched, monkeypatch, wait_until, is_alive):
    monkeypatch.setattr(runner_module, "STREAM_SECONDS", 0.1)
    # The child keeps the output open, and ends when it can no longer read.
    watched.run(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-SEc', 'input()'])\n"
        "print(child.pid)"
    )
    assert watched.has_ended()
    assert watched.ends[0][0] == 0
    assert wait_until(lambda: not is_alive(int(watched.lines[0])))


def test_an_error_of_a_callback_is_raised_and_no_event_is_lost(wait_until):
    watched = Watched(SubprocessRunner(), wait_until).run("print('a\\nb\\nc')")
    seen = []

    def take(line):
        seen.append(line)
        raise KeyError(line)

    watched.runner.on_line = take
    for line in ("a", "b", "c"):
        with pytest.raises(KeyError, match=line):
            while watched.runner.pump(PATIENCE_SECONDS):
                pass
    assert watched.has_ended()
    assert seen == ["a", "b", "c"] and len(watched.ends) == 1


def test_a_runner_that_was_not_started_does_not_run(make_runner):
    runner = make_runner()
    assert runner.wait_for_end(0) and not runner.pump(0)
