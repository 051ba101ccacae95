"""The configuration of the node is checked in words, before anything starts."""

from __future__ import annotations

import json
import logging
import os
import sys
from types import SimpleNamespace

import pytest
from PseudoCTDenoiseLib.cli import listen, options_check
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.node.configuration import LOOPBACK, Destination, read_configuration
from PseudoCTDenoiseLib.node.denoise_options import denoise_options

GOOD = {
    "ae_title": "PSEUDOCT",
    "port": 11112,
    "folder": "queue",
    "accept": ["PACS", "CT 1"],
    "send_to": {"ae_title": "PACS", "address": "10.0.0.5", "port": 4242},
}


@pytest.fixture
def read(tmp_path):
    def read(values):
        path = tmp_path / "node.json"
        path.write_text(values if isinstance(values, str) else json.dumps(values), "utf-8")
        return read_configuration(path)

    return read


def test_the_node_listens_on_loopback_unless_told_otherwise(read, tmp_path):
    configuration = read(GOOD)
    assert configuration.address == LOOPBACK == "127.0.0.1"
    assert configuration.folder == tmp_path / "queue"
    assert configuration.send_to == Destination("PACS", "10.0.0.5", 4242)
    assert read(GOOD | {"address": "0.0.0.0"}).address == "0.0.0.0"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accept": []}, "accept must list the AE titles"),
        ({"accept": "PACS"}, "accept must list the AE titles"),
        ({"accept": ["A TITLE THAT IS TOO LONG"]}, "accept must be an AE title"),
        ({"ae_title": "A\\B"}, "ae_title must be an AE title"),
        ({"ae_title": " A"}, "ae_title must be an AE title"),
        ({"port": 0}, "port must lie between 1 and 65535"),
        ({"port": "104"}, "port must be a whole number"),
        ({"port": True}, "port must be a whole number"),
        ({"quiet_seconds": float("nan")}, "quiet_seconds must be a number"),
        ({"disk_gib": -1}, "disk_gib must lie between"),
        ({"folder": ""}, "folder must be a text"),
        ({"adress": "0.0.0.0"}, "the configuration has no value 'adress': choose from accept"),
        ({"send_to": {"ae_title": "PACS"}}, "send_to lacks 'address'"),
        ({"send_to": []}, "send_to must be a JSON object"),
        ({"denoise": {"report": "x"}}, "denoise has no option 'report': choose from model"),
        ({"denoise": {"strength": [70]}}, "The option 'strength' of denoise must be"),
    ],
)
def test_a_wrong_value_is_named(read, change, words):
    with pytest.raises(BadInputError, match="node.json: ") as error:
        read(GOOD | change)
    assert words in str(error.value)


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_value_is_named(read, name):
    with pytest.raises(BadInputError, match=f"the configuration lacks '{name}'"):
        read({key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize("text", ["{", "[]", '"PSEUDOCT"', "[" * 100_000])
def test_a_file_that_is_no_configuration(read, text):
    with pytest.raises(BadInputError, match="node.json"):
        read(text)


def test_a_pipe_is_no_configuration(tmp_path):
    os.mkfifo(tmp_path / "node.json")
    with pytest.raises(BadInputError, match="is a pipe or a device"):
        read_configuration(tmp_path / "node.json")


def test_the_command_checks_a_configuration(pseudoct, tmp_path):
    path = tmp_path / "node.json"
    path.write_text(json.dumps(GOOD), "utf-8")
    assert pseudoct("listen", path, "--check").code == 0
    assert not (tmp_path / "queue").exists()
    path.write_text("{}", "utf-8")
    ended = pseudoct("listen", path, "--check")
    assert ended.code == 2 and "lacks 'ae_title'" in ended.err
    path.write_text(json.dumps(GOOD | {"denoise": {"strength": 700}}), "utf-8")
    ended = pseudoct("listen", path, "--check")
    assert ended.code == 2 and len(ended.err.splitlines()) == 1
    assert "the options of denoise are wrong: " in ended.err and "strength" in ended.err


@pytest.mark.parametrize(
    ("child", "words"),
    [
        ("raise OSError('libcudnn.so.9: cannot open')", "OSError: libcudnn.so.9: cannot open"),
        ("import os; os.kill(os.getpid(), 9)", "ended with code -9"),
    ],
)
def test_a_check_that_fails_does_not_blame_the_options(read, tmp_path, monkeypatch, child, words):
    monkeypatch.setattr(listen, "module_program", lambda name: [sys.executable, "-c", child])
    with pytest.raises(BadInputError, match="cannot be checked") as caught:
        listen._check_denoise(tmp_path / "node.json", read(GOOD))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strength": 700}, "strength"),
        ({"steps": "abc"}, "steps"),
        ({"model": "nosuch"}, "nosuch"),
        ({"settings": "gone.json"}, "gone.json"),
        ({"models": "empty"}, "fast"),
    ],
)
def test_the_check_finds_options_that_cannot_denoise(read, capfd, options, words):
    """The command runs this check in a child process."""
    found = denoise_options(read(GOOD | {"denoise": options}).denoise)
    try:
        assert options_check.main(found) == 2
    except SystemExit as end:
        assert end.code == 2
    assert words in capfd.readouterr().err.splitlines()[-1]


def test_relative_paths_count_from_the_folder_of_the_file(read, tmp_path):
    options = {"settings": "a.json", "models": "mine", "model": "b"}
    found = read(GOOD | {"denoise": options}).denoise
    assert found == {
        "settings": str(tmp_path / "a.json"),
        "models": str(tmp_path / "mine"),
        "model": "b",
    }


def test_a_missing_package_is_told(pseudoct, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynetdicom", None)
    path = tmp_path / "node.json"
    path.write_text(json.dumps(GOOD), "utf-8")
    ended = pseudoct("listen", path)
    assert ended.code == 2 and 'pip install "pseudoctdenoise[listen]"' in ended.err


def test_a_folder_serves_one_node_at_a_time(tmp_path):
    from PseudoCTDenoiseLib.node.series_queue import SeriesQueue

    queue = SeriesQueue(tmp_path / "queue", 1e9)
    with pytest.raises(BadInputError, match="Another node uses"):
        SeriesQueue(tmp_path / "queue", 1e9)
    queue.close()
    SeriesQueue(tmp_path / "queue", 1e9).close()


def test_a_sender_cannot_write_lines_or_control_characters_into_the_log(tmp_path):
    log = logging.getLogger("pseudoct.node")
    before = list(log.handlers)
    listen._start_log(SimpleNamespace(folder=tmp_path))
    try:
        log.warning("An image of %s was refused.", "A\n2026 INFO B\x1b[2K")
    finally:
        for handler in log.handlers[len(before) :]:
            log.removeHandler(handler)
            handler.close()
    text = (tmp_path / "listen.log").read_text("utf-8")
    assert text.endswith(" WARNING An image of A 2026 INFO B?[2K was refused.\n")
    assert text.count("\n") == 1
