"""A job reaches one of three final states, whatever the worker does, and leaves nothing behind.

The workers are a few lines each that follow the protocol or break it.
"""

from __future__ import annotations

import gc
import os
import signal
import weakref

import numpy as np
import pytest
from PseudoCTDenoiseLib.worker import job_folder, runner, worker_process
from PseudoCTDenoiseLib.worker.denoising_process import DenoisingProcess
from PseudoCTDenoiseLib.worker.protocol import ProgressMessage
from PseudoCTDenoiseLib.worker.runner import SubprocessRunner
from PseudoCTDenoiseLib.worker.worker_process import JobState

SAY_DEVICE = 'say("device", description="CPU", reason="selected by the user")\n'
SAVE = """
import shutil
def save(name):
    shutil.copy(f"{folder}/input.npy", f"{folder}/{name}")
"""
GOOD = f"""{SAVE}
hello()
{SAY_DEVICE}
say("progress", stage="tuning", step=1, total=2, seconds_left=1.5, share=0.25)
save("denoised.npy")
say("result", denoised="denoised.npy", report={{"tuning_loss": [9.0]}})
"""
STUBBORN = f"hello()\n{SAY_DEVICE}while True: time.sleep(1)\n"


class Watched(DenoisingProcess):
    """A job that stores its signals."""

    def __init__(self, runner, hu, program, **options):
        super().__init__(runner, hu, program=program, **options)
        self.states, self.ends, self.logs, self.progress, self.previews = [], [], [], [], []
        self.state_changed.connect(self.states.append)
        self.ended.connect(self.ends.append)
        self.logged.connect(self.logs.append)
        self.progressed.connect(self.progress.append)
        self.previewed.connect(lambda index, image: self.previews.append((index, image)))


@pytest.fixture
def make_job(make_runner):
    """Makes a job with either kind of runner."""
    return lambda *given, **options: Watched(make_runner(), *given, **options)


@pytest.fixture
def job(hu, fake_worker, make_job):
    """Makes a job with a worker of a few lines."""
    return lambda code, **options: make_job(hu, fake_worker(code), **options)


@pytest.fixture
def run(job):
    """Runs a worker of a few lines to its end."""

    def start_and_wait(code, **options):
        watched = job(code, **options)
        watched.start()
        assert watched.wait() is watched.state
        assert watched.ends == [watched.state] and watched.states[-1] is watched.state
        assert (watched.failure is not None) == (watched.state is JobState.FAILED)
        assert (watched.result is not None) == (watched.state is JobState.COMPLETED)
        return watched

    return start_and_wait


def cancel_when_running(watched):
    watched.device_reported.connect(lambda device: watched.cancel())
    return watched


def test_a_job_goes_through_its_states_and_gives_its_result(run, hu):
    job = run(GOOD)
    assert job.states == [JobState.STARTING, JobState.RUNNING, JobState.COMPLETED]
    assert job.device.description == "CPU"
    assert job.progress == [ProgressMessage("tuning", 1, 2, 1.5, 0.25)]
    assert np.array_equal(job.result.denoised, hu)
    assert (job.result.noise, job.result.noise_maps) == (None, {})
    assert job.result.report == {"tuning_loss": [9.0]}


def test_result_and_clean_up_are_complete_when_ended_is_emitted(job, temporary_folder):
    seen = []
    watched = job(GOOD)
    watched.ended.connect(lambda state: seen.append((watched.state, watched.result is not None)))
    watched.ended.connect(lambda state: seen.append(list(temporary_folder.iterdir())))
    watched.start()
    watched.wait()
    assert seen == [(JobState.COMPLETED, True), []]


def test_two_jobs_in_a_row_and_two_together(run, job):
    for _ in range(2):
        assert run(GOOD).state is JobState.COMPLETED
    one, two = job(GOOD), job(GOOD)
    one.start()
    two.start()
    assert two.wait() is one.wait() is JobState.COMPLETED


def test_a_job_is_started_once(run):
    with pytest.raises(RuntimeError, match="Make a new one"):
        run(GOOD).start()


# Failures.


def test_a_program_that_cannot_start_is_a_failure_with_a_message(hu, make_job):
    job = make_job(hu, "/no/such/python")
    job.start()
    assert job.wait() is JobState.FAILED
    assert job.failure.kind == "not-started"
    assert "/no/such/python could not be started: " in job.failure.message
    assert "No such file" in job.failure.message


def test_a_killed_worker_is_a_failure_with_its_output(run):
    job = run("hello(); print('was here', file=sys.stderr, flush=True); os.kill(os.getpid(), 9)")
    assert job.failure.kind == "died"
    assert "kill" in job.failure.message.lower() and job.failure.what_to_do
    assert job.failure.standard_error == "was here"
    assert "was here" in job.logs


def test_the_end_of_the_standard_error_is_kept(run):
    job = run("for k in range(1000): print('line', k, file=sys.stderr)\nraise SystemExit(1)")
    lines = job.failure.standard_error.splitlines()
    assert lines[-1] == "line 999" and len(lines) == worker_process.TAIL_LINES


def test_an_end_without_a_result_is_a_failure(run):
    job = run(f"hello()\n{SAY_DEVICE}")
    assert job.failure.kind == "bad-result"
    assert "without a result" in job.failure.message


@pytest.mark.parametrize("code", [1, 2, 3, 255])
def test_a_result_does_not_count_if_the_worker_ends_badly(run, code):
    job = run(GOOD + f"sys.exit({code})")
    assert job.failure.kind == "died"
    assert f"exit code {code}" in job.failure.message


@pytest.mark.parametrize("code", [0, 1, 2])
def test_an_error_message_of_the_worker_is_the_failure(run, code):
    say = 'say("error", kind="bad-input", message="No model x.", what_to_do="Choose fast.")'
    job = run(f"hello()\n{say}\nsys.exit({code})")
    assert (job.failure.kind, job.failure.message) == ("bad-input", "No model x.")
    assert job.failure.what_to_do == "Choose fast."


@pytest.mark.parametrize(
    "result",
    [
        'say("result", denoised="missing.npy", report={})',
        'say("result", denoised="../input.npy", report={})',
        'save("a.npy"); say("result", denoised="a.npy", report={}, noise_maps={"x": 3})',
        'open(f"{folder}/a.npy", "w").write("x"); say("result", denoised="a.npy", report={})',
        'os.mkfifo(f"{folder}/a.npy"); say("result", denoised="a.npy", report={})',
        'os.symlink("input.npy", f"{folder}/a.npy"); say("result", denoised="a.npy", report={})',
    ],
)
def test_a_damaged_result_is_a_failure_not_an_error(run, result):
    assert run(f"{SAVE}\nhello()\n{SAY_DEVICE}{result}").failure.kind == "bad-result"


def test_a_worker_of_another_version_is_ended(run):
    job = run(f"hello(protocol=999)\n{STUBBORN}")
    assert job.failure.kind == "protocol"
    assert "restart Slicer" in job.failure.what_to_do


@pytest.mark.parametrize("values", [np.full((3, 64, 64), np.nan), np.full((1, 20, 20), 1e6)])
def test_a_scan_that_no_file_can_hold_is_a_failure(make_job, values):
    job = make_job(values, "/never/started")
    job.start()
    assert job.ends == [JobState.FAILED] and job.failure.kind == "bad-input"


def test_no_temporary_folder_is_a_failure_with_a_message(hu, make_job, tmp_path):
    job = make_job(hu, "/never/started", temporary_folder=tmp_path / "missing")
    job.start()
    assert job.ends == [JobState.FAILED]
    assert "Cannot create a temporary folder" in job.failure.message


def test_a_request_that_json_cannot_store_leaves_nothing_behind(hu, make_runner):
    job = DenoisingProcess(make_runner(), hu, model=object(), program="/never/started")
    with pytest.raises(TypeError):
        job.start()
    assert job.state is JobState.FAILED


# Output of the worker.


def test_a_line_that_is_not_a_message_is_a_log(run):
    nonsense = ["Downloading 3 %", "{}", '{"type": "result"}', "null"]
    code = f"for line in {nonsense!r}: print(line)\nsay('log', text='told')\n{GOOD}"
    job = run(code)
    assert job.state is JobState.COMPLETED
    assert job.logs == [*nonsense, "told"]


def test_lines_in_pieces_and_invalid_utf8_are_tolerated(run):
    code = f"""
def print(text, flush=True, write=os.write):
    for byte in (text + "\\n").encode():
        write(1, bytes([byte]))
os.write(1, b"\\xff\\xfe\\n")
{GOOD}
os.write(1, b"unfinished \\xc3")
"""
    job = run(code)
    assert job.state is JobState.COMPLETED
    assert job.logs == ["\ufffd\ufffd", "unfinished \ufffd"]


def test_much_output_on_both_ways_out_does_not_lock_up(run):
    code = f"for _ in range(3000): print('x' * 100); print('y' * 100, file=sys.stderr)\n{GOOD}"
    job = run(code)
    assert job.state is JobState.COMPLETED and len(job.logs) == 6000


def test_a_very_long_line_is_cut_in_the_log(run):
    code = f"""
for _ in range(160):
    os.write(1, b'x' * 65536)
    os.write(2, b'y' * 65536)
os.write(1, b'\\n')
{GOOD}
"""
    job = run(code)
    assert job.state is JobState.COMPLETED
    assert len(job.logs) == 2
    assert {len(text) for text in job.logs} == {worker_process.LOGGED_CHARACTERS + 1}


# Cancelling.


def test_a_worker_that_ends_when_asked_is_cancelled_not_failed(job):
    watched = cancel_when_running(job(f"hello()\n{SAY_DEVICE}assert input() == 'cancel'; exit(3)"))
    watched.start()
    assert watched.wait() is JobState.CANCELLED
    assert watched.states == [
        JobState.STARTING,
        JobState.RUNNING,
        JobState.CANCELLING,
        JobState.CANCELLED,
    ]
    assert watched.failure is None and watched.ends == [JobState.CANCELLED]


@pytest.mark.parametrize("end", ["", "sys.exit(1)", "say('error', kind='fault', message='x')"])
def test_messages_after_cancelling_are_ignored(job, end):
    watched = cancel_when_running(job(f"hello()\n{SAY_DEVICE}input()\n{GOOD}\n{end}"))
    watched.start()
    assert watched.wait() is JobState.CANCELLED
    assert not watched.progress and watched.result is None and watched.failure is None


def test_a_stubborn_worker_is_killed(job, monkeypatch):
    monkeypatch.setattr(worker_process, "GRACE_SECONDS", 0.1)
    watched = cancel_when_running(job(STUBBORN))
    watched.start()
    assert watched.wait() is JobState.CANCELLED


class Deaf:
    """A runner of a program that ignores everything, with a clock that the test sets."""

    process_id = None

    def __init__(self):
        self.delayed, self.killed = [], False

    def start(self, program, arguments, environment):
        """Nothing starts."""

    def write_line(self, text):
        """Nobody reads."""

    def call_later(self, seconds, function):
        self.delayed.append((seconds, function))

    def kill(self):
        self.killed = True


def test_a_worker_that_ignores_a_cancellation_is_killed_and_left_within_two_seconds(hu):
    runner = Deaf()
    watched = Watched(runner, hu, None)
    watched.start()
    runner.delayed.clear()
    watched.cancel()
    assert watched.state is JobState.CANCELLING and not runner.killed
    for seconds, function in sorted(runner.delayed, key=lambda call: call[0]):
        if seconds < 2:
            function()
    assert runner.killed and watched.ends == [JobState.CANCELLED]


def test_a_stubborn_worker_behind_a_launcher_is_killed_too(job, fake_worker, monkeypatch, is_alive):
    monkeypatch.setattr(worker_process, "GRACE_SECONDS", 0.1)
    worker = fake_worker(STUBBORN.replace("hello()", "hello(); say('log', text=str(os.getpid()))"))
    launcher = f"import subprocess\nsubprocess.run([{worker + '-real'!r}, *sys.argv[1:]])"
    os.rename(worker, worker + "-real")
    watched = cancel_when_running(job(launcher))
    watched.start()
    assert watched.wait() is JobState.CANCELLED
    assert not is_alive(int(watched.logs[0]))


def test_a_worker_outlives_its_launcher_by_nothing(
    job, fake_worker, monkeypatch, wait_until, is_alive
):
    monkeypatch.setattr(runner, "STREAM_SECONDS", 0.1)
    worker = fake_worker(f"hello(); say('log', text=str(os.getpid()))\n{STUBBORN}", "real")
    watched = job(f"import subprocess\nsubprocess.run([{worker!r}, *sys.argv[1:]])")
    watched.device_reported.connect(
        lambda device: os.kill(watched._runner.process_id, signal.SIGKILL)
    )
    watched.start()
    assert watched.wait() is JobState.FAILED
    assert watched.failure.kind == "died"
    assert wait_until(lambda: not is_alive(int(watched.logs[0])))


@pytest.mark.slow
def test_a_stubborn_worker_that_floods_its_parent_is_killed(job, monkeypatch):
    monkeypatch.setattr(worker_process, "GRACE_SECONDS", 0.1)
    watched = cancel_when_running(job(f"hello()\n{SAY_DEVICE}while True: print('x' * 100)"))
    watched.start()
    assert watched.wait() is JobState.CANCELLED


def test_a_cancelled_worker_of_another_version_is_not_a_failure(job):
    watched = job(f"input()\nhello(protocol=999)\n{SAY_DEVICE}sys.exit(3)")
    watched.start()
    watched.cancel()
    assert watched.wait() is JobState.CANCELLED and watched.failure is None


@pytest.mark.parametrize(
    "pid", [-1, 0, 1, os.getpid(), 10**30], ids=["-1", "0", "1", "own", "huge"]
)
def test_an_impossible_process_id_is_never_killed(job, monkeypatch, pid):
    killed = []
    monkeypatch.setattr(worker_process, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(worker_process, "_kill_tree", killed.append)
    watched = cancel_when_running(job(STUBBORN.replace("hello()", f"hello(pid={pid})")))
    watched.start()
    assert watched.wait() is JobState.CANCELLED
    assert not killed


def test_a_process_that_cannot_be_killed_is_not_waited_for(job, monkeypatch):
    monkeypatch.setattr(worker_process, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(worker_process, "GIVE_UP_SECONDS", 0.2)
    watched = cancel_when_running(job(STUBBORN))
    kill = watched._runner.kill
    watched._runner.kill = lambda: None
    watched.start()
    assert watched.wait() is JobState.CANCELLED
    kill()


@pytest.mark.parametrize("end", [DenoisingProcess.cancel, DenoisingProcess.abort])
def test_a_job_may_be_ended_before_its_process_runs(job, temporary_folder, end):
    watched = job(STUBBORN)
    watched.state_changed.connect(lambda state: end(watched) if not state.is_over else None)
    watched.start()
    assert watched.state is JobState.CANCELLED and watched.ends == [JobState.CANCELLED]
    assert not list(temporary_folder.iterdir())


def test_an_error_of_a_slot_at_the_start_leaves_nothing_running(job, temporary_folder):
    def fail(state):
        if state is JobState.STARTING:
            raise ZeroDivisionError

    watched = job(STUBBORN)
    watched.state_changed.connect(fail)
    with pytest.raises(ZeroDivisionError):
        watched.start()
    assert watched.ends == [JobState.FAILED] and not list(temporary_folder.iterdir())


def test_ctrl_c_right_after_the_folder_is_made_leaves_nothing(job, temporary_folder, monkeypatch):
    mkdir = os.mkdir

    def interrupted(*arguments, **options):
        mkdir(*arguments, **options)
        raise KeyboardInterrupt

    watched = job(STUBBORN)
    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        watched.start()
    assert raised.tb  # which holds what the call made
    assert watched.ends == [JobState.FAILED] and not list(temporary_folder.iterdir())


def test_ctrl_c_right_after_the_start_kills_the_worker(job):
    watched = job(STUBBORN)
    start = watched._runner.start

    def interrupted(*arguments):
        start(*arguments)
        raise KeyboardInterrupt

    watched._runner.start = interrupted
    with pytest.raises(KeyboardInterrupt):
        watched.start()
    assert watched.ends == [JobState.FAILED]
    assert watched._runner.wait_for_end(300)


def test_the_scan_is_not_kept_in_memory_while_the_worker_reads_its_file(hu, fake_worker, make_job):
    scan = hu.copy()
    kept = weakref.ref(scan)
    watched = make_job(scan, fake_worker(STUBBORN))
    del scan
    watched.start()
    gc.collect()
    released = kept() is None
    watched.abort()
    assert released


def test_cancelling_has_no_effect_unless_the_job_runs(run, job):
    watched = job(GOOD)
    watched.cancel()
    watched.abort()
    assert watched.state is JobState.IDLE
    watched = run(GOOD)
    watched.cancel()
    watched.abort()
    assert watched.state is JobState.COMPLETED and watched.ends == [JobState.COMPLETED]


def test_an_aborted_job_is_gone_when_the_call_returns(job, temporary_folder, is_alive):
    watched = job(STUBBORN)
    watched.start()
    while watched.state is not JobState.RUNNING:
        watched._runner.pump(0.1)
    watched.abort()
    assert watched.ends == [JobState.CANCELLED]
    assert not list(temporary_folder.iterdir())
    assert not is_alive(watched._runner.process_id)


# Python's own exceptions end at Qt's slots, where Slicer prints them.


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_exception_of_a_callback_ends_the_job_and_is_raised(hu, fake_worker, error):
    def fail(message):
        raise error

    watched = Watched(SubprocessRunner(), hu, fake_worker(GOOD + "\nuntil_the_input_ends()"))
    watched.progressed.connect(fail)
    watched.start()
    with pytest.raises(error):
        watched.wait()
    assert watched.state is JobState.CANCELLED


@pytest.fixture
def ctrl_c_is_heard():
    """A shell's background job ignores it, and then so does Python."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


def test_ctrl_c_ends_the_job(hu, fake_worker, ctrl_c_is_heard):
    watched = Watched(SubprocessRunner(), hu, fake_worker(STUBBORN))
    watched.device_reported.connect(lambda device: os.kill(os.getpid(), signal.SIGINT))
    watched.start()
    with pytest.raises(KeyboardInterrupt):
        watched.wait()
    assert watched.state is JobState.CANCELLED


# Previews.

PREVIEW = f"""{SAVE}
import struct
def preview(index, shape=(64, 64), name="p.npy"):
    head = str({{"descr": "<i2", "fortran_order": False, "shape": shape}})
    head += " " * (117 - len(head)) + "\\n"
    body = struct.pack("<h", index) * (shape[0] * shape[1])
    with open(f"{{folder}}/{{name}}", "wb") as file:
        file.write(b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(head)) + head.encode() + body)
    say("preview", slice=index, file=name)
hello()
{SAY_DEVICE}
"""


def test_the_file_of_a_preview_is_removed_once_it_is_read(job, temporary_folder):
    watched, left = job(PREVIEW + "preview(2)"), []
    watched.previewed.connect(lambda *_: left.extend(temporary_folder.rglob("p*.npy")))
    watched.start()
    watched.wait()
    assert watched.previews and not left


def test_a_preview_is_a_slice_in_hu(run):
    job = run(PREVIEW + "preview(2)")
    ((index, image),) = job.previews
    assert index == 2 and image.dtype == np.int16
    assert image.shape == (64, 64) and (image == 2).all()


@pytest.mark.parametrize(
    "code",
    [
        "preview(2, shape=(64, 65))",
        "say('preview', slice=2, file='late.npy')",
        "say('preview', slice=2, file='../p.npy')",
        "say('preview', slice=3, file='p.npy')",
        "say('preview', slice=-1, file='p.npy')",
        "os.mkfifo(f'{folder}/p'); say('preview', slice=2, file='p')",
        "os.symlink('/dev/zero', f'{folder}/p'); say('preview', slice=2, file='p')",
        "preview(1); os.symlink('p.npy', f'{folder}/p'); say('preview', slice=2, file='p')",
        "open(f'{folder}/p', 'wb').write(b'PK' + bytes(100)); say('preview', slice=2, file='p')",
        "say('preview', slice=2, file='p\\0')",
    ],
)
def test_an_unreadable_preview_is_skipped(run, code):
    assert 2 not in [index for index, _ in run(PREVIEW + code).previews]


def test_the_slice_that_the_user_looks_at_is_asked_for_once_and_then_shown(job, monkeypatch):
    code = """
preview(0)
say("log", text=input())
preview(0, name="old.npy")
preview(2, name="new.npy")
for line in sys.stdin:
    say("log", text=line.strip())
    if line.strip() == "cancel":
        sys.exit(3)
"""
    monkeypatch.setattr(worker_process, "GRACE_SECONDS", 600.0)  # the worker answers, if slowly
    monkeypatch.setattr(worker_process, "GIVE_UP_SECONDS", 600.0)
    watched = job(PREVIEW + code, preview_slice=0)

    def look(index, image):
        for wanted in (2, 2, 99, -1):
            watched.show_slice(wanted)
        if index == 2:
            watched.cancel()

    watched.previewed.connect(look)
    watched.start()
    assert watched.wait() is JobState.CANCELLED
    assert watched.logs == ["preview 2", "cancel"]
    assert [index for index, _ in watched.previews] == [0, 2]


def test_a_job_that_does_not_run_shows_nothing(run):
    job, lines = run(GOOD), []
    job._runner.write_line = lines.append
    job.show_slice(1)
    assert lines == []


def test_lack_of_memory_for_the_result_is_not_called_damage(run, monkeypatch):
    def no_memory(*arguments):
        raise MemoryError("Unable to allocate 1.00 GiB")

    monkeypatch.setattr(job_folder.np, "empty", no_memory)
    job = run(GOOD)
    assert job.failure.kind == "out-of-memory"
    assert "Unable to allocate" in job.failure.message
    assert "Close other programs" in job.failure.what_to_do
