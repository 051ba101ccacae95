"""The worker receives commands from its parent, reports only to it, and never outlives it.

Each test runs a few lines in a separate process, with a folder that the process must remove.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PseudoCTDenoiseLib.exit_codes import CANCELLED, DONE, FAULT
from PseudoCTDenoiseLib.worker import parent_link
from PseudoCTDenoiseLib.worker.protocol import (
    CANCEL,
    PROTOCOL_VERSION,
    Alive,
    Hello,
    Log,
    decode,
    preview_command,
)

PATIENCE_SECONDS = 300
"""Longest wait for an event, in seconds; only a busy computer needs that long."""
LIBRARY_PARENT = Path(parent_link.__file__).parents[2]
BEGIN = f"""\
import os, subprocess, sys, threading, time
sys.path.insert(0, {str(LIBRARY_PARENT)!r})
from PseudoCTDenoiseLib.worker.parent_link import ParentLink
from PseudoCTDenoiseLib.worker.protocol import Log
from PseudoCTDenoiseLib.worker import parent_link
parent_link.PATIENCE_SECONDS = 600.0  # the work has its time to look, also on a busy computer
def wait_for(condition):
    while not condition():
        time.sleep(0.01)
link = ParentLink(lambda: os.rmdir(sys.argv[1]))
"""
IMPATIENT = BEGIN.replace("SECONDS = 600.0", "SECONDS = 0.1")
STUCK = "while True: time.sleep(600)"


class Child:
    """A process with a parent link; its input and output are pipes."""

    def __init__(self, code: str, folder: Path, begin: str = BEGIN):
        self.folder = folder
        folder.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-SEc", begin + code, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def write(self, content: bytes) -> None:
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def hear(self):
        return decode(self.process.stdout.readline().decode())

    def end(self) -> tuple[int, list, str]:
        """Close the input; return exit code, remaining messages and standard error."""
        out, error = self.process.communicate(timeout=PATIENCE_SECONDS)
        messages = [decode(line) for line in out.decode().splitlines()]
        return self.process.returncode, messages, error.decode()

    def wait_for_code(self) -> int:
        """Wait for the exit code; the input stays open."""
        return self.process.wait(timeout=PATIENCE_SECONDS)


@pytest.fixture
def child(tmp_path):
    """Return a function that starts a child of a few lines; it is killed after the test."""
    started = []

    def start(code, **options):
        started.append(Child(code, tmp_path / "to be tidied up", **options))
        return started[-1]

    yield start
    for child in started:
        child.process.kill()
        child.process.communicate()


def test_hello_comes_first_and_has_the_processs_own_number(child):
    one = child("link.leave(0)")
    hello = one.hear()
    assert isinstance(hello, Hello) and hello.protocol == PROTOCOL_VERSION
    assert hello.pid == one.process.pid


def test_output_of_libraries_is_not_a_message_and_their_input_is_empty(child):
    one = child(
        "print('printed', flush=True); os.write(1, b'written\\n'); os.system('echo echoed')\n"
        "link.say(Log(repr(sys.stdin.read()))); link.leave(0)"
    )
    one.hear()
    assert one.hear() == Log("''")
    code, messages, error = one.end()
    assert (code, messages) == (0, [])
    assert all(word in error for word in ("printed", "written", "echoed"))


def test_messages_of_several_threads_are_whole_lines(child):
    one = child(
        "def speak(): [link.say(Log('x' * 10_000)) for _ in range(20)]\n"
        "threads = [threading.Thread(target=speak) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "link.leave(0)"
    )
    code, messages, _ = one.end()
    assert code == 0 and messages[1:] == [Log("x" * 10_000)] * 80


def test_a_process_whose_work_is_stuck_shows_that_it_is_alive(child):
    quick = BEGIN.replace("link = ", "parent_link.ALIVE_SECONDS = 0.01\nlink = ")
    one = child(STUCK, begin=quick)
    one.hear()
    assert [one.hear() for _ in range(3)] == [Alive()] * 3


# Commands.


def test_work_that_looks_ends_as_soon_as_it_is_cancelled(child):
    one = child("wait_for(lambda: link.cancelled); link.say(Log('seen')); link.leave(7)")
    one.hear()
    one.write(f"{CANCEL}\n".encode())
    assert one.wait_for_code() == 7
    assert one.hear() == Log("seen")


@pytest.mark.parametrize("code", [STUCK, "link.say(Log('x' * 10_000_000))"])
def test_work_that_is_stuck_is_ended_when_it_is_cancelled(child, code):
    one = child(code, begin=IMPATIENT)
    one.hear()
    one.write(f"{CANCEL}\n".encode())
    assert one.wait_for_code() == CANCELLED
    assert not one.folder.exists()


def test_commands_may_arrive_in_pieces_and_unknown_lines_are_ignored(child):
    one = child(
        "wait_for(lambda: link.preview_slice == 12); link.say(Log(str(link.cancelled)))\n"
        "wait_for(lambda: link.preview_slice == 7); link.leave(5)"
    )
    one.hear()
    for piece in (b"prev", b"iew 1", b"2\n", b"\xff\n\ncancelled\npreview x\n"):
        one.write(piece)
    assert one.hear() == Log("False")
    one.write(f"{preview_command(7)}\r\n".encode())
    assert one.wait_for_code() == 5


# The end.


@pytest.mark.parametrize(("code", "stays"), [(DONE, True), (FAULT, False), (CANCELLED, False)])
def test_the_folder_stays_for_the_parent_if_there_is_a_result_in_it(child, code, stays):
    one = child(f"link.leave({code})")
    assert one.wait_for_code() == code
    assert one.folder.exists() is stays


def test_a_folder_that_cannot_be_tidied_up_does_not_keep_the_process(child):
    one = child("os.rmdir(sys.argv[1]); link.leave(1)")
    assert one.wait_for_code() == 1


def test_no_process_outlives_the_end_of_its_input(child):
    code, _, _ = child(STUCK, begin=IMPATIENT).end()
    assert code == CANCELLED


def test_the_folder_goes_with_a_parent_that_went_without_a_word(child):
    one = child("wait_for(lambda: link.cancelled); link.leave(0)")
    assert one.end()[0] == 0
    assert not one.folder.exists()


def test_a_message_that_nobody_can_read_is_dropped_and_ends_the_work(child):
    one = child("wait_for(lambda: link.say(Log('x')) or link.cancelled); link.leave(0)")
    one.hear()
    one.process.stdout.close()
    assert one.wait_for_code() == 0
    assert not one.folder.exists()


def test_a_dead_parent_is_noticed_even_if_the_input_stays_open(child, wait_until, is_alive):
    """The launcher dies; this test still holds its input."""
    launcher = "import subprocess, sys\nsubprocess.run([sys.executable, '-SEc', {!r}, sys.argv[1]])"
    one = child("", begin=launcher.format(IMPATIENT + STUCK))
    worker = one.hear().pid
    assert worker != one.process.pid and is_alive(worker)
    os.kill(one.process.pid, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(worker))
    assert not one.folder.exists()
