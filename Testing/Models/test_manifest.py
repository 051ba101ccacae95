"""Manifests are listed without torch; those that cannot be used are listed as broken."""

from __future__ import annotations

import json
import os

import pytest
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.manifest import (
    MAX_MANIFEST_BYTES,
    broken_models,
    denoiser_names,
    list_models,
    read_manifest,
)

DENOISER = {"name": "own", "role": "denoiser", "architecture": "UNet", "parameters": {}}


def write(folder, name, role, file=None):
    path = folder / (file or f"PseudoCTDenoise_{name}.json")
    path.write_text(json.dumps(DENOISER | {"name": name, "role": role}), encoding="utf-8")
    return path


def test_the_shipped_models_are_intact_and_fast_is_the_first():
    names = denoiser_names()
    assert sorted(names) == sorted(m.name for m in list_models() if m.role == "denoiser")
    assert names[0] == "fast" and broken_models() == []


def test_the_default_comes_first_and_noise_models_are_left_out(tmp_path):
    for name in ("zürich", "fast", "big"):
        write(tmp_path, name, "denoiser")
    write(tmp_path, "noise-a", "noise model")
    assert denoiser_names(tmp_path) == ["fast", "big", "zürich"]


def test_files_of_other_extensions_are_ignored(tmp_path):
    write(tmp_path, "fast", "denoiser")
    write(tmp_path, "theirs", "denoiser", file="Other_theirs.json")
    (tmp_path / "Other.json").write_text("not JSON", encoding="utf-8")
    assert denoiser_names(tmp_path) == ["fast"]


def test_a_folder_without_models_has_no_names(tmp_path):
    assert denoiser_names(tmp_path) == denoiser_names(tmp_path / "missing") == []


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        *(("name", value) for value in (None, [], "../own", "a/b", "a\\b", "", "o" * 200)),
        *(("role", value) for value in (None, 3, ["denoiser"], "segmenter")),
        *(("architecture", value) for value in (None, {}, 7)),
        *(("parameters", value) for value in (None, [], "widths")),
        *(("steps", value) for value in (-1, 1.5, True, "7", None, 10**400, 2**60)),
        *(("training", value) for value in ([], {"scans": 3}, {"scans": [3]}, {"settings": []})),
        ("training", {"scans": [{"patient": ["a"]}]}),
        *(("metrics", value) for value in ([], {"gain": "1"}, {"gain": None}, {"gain": True})),
        ("metrics", {"gain": float("nan")}),
        ("metrics", {"gain": -float("inf")}),
        *(("validity", value) for value in ("text", [1], None)),
        *(("known_failures", value) for value in ("text", [1], None, ["\x1b[2J"])),
        *(("noise_models", value) for value in ("a", ["../a"], [None], {"a": 1})),
        *(("normalisation", value) for value in ([], {}, None)),
        *(("sha256", value) for value in (None, 5)),
        ("surprise", 1),
    ],
)
def test_a_wrong_entry_makes_a_model_broken_and_no_other(tmp_path, entry, value):
    write(tmp_path, "good", "denoiser")
    path = write(tmp_path, "own", "denoiser")
    path.write_text(json.dumps(DENOISER | {entry: value}), encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        read_manifest(path)
    ((name, problem),) = broken_models(tmp_path)
    assert (name, problem) == ("own", str(caught.value))
    assert problem.isprintable() and len(problem) < 400 and entry in problem
    assert denoiser_names(tmp_path) == ["good"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a manifest"),
        (b"\xff\xfe{", "not a manifest"),
        (b"[" * 200_000, "not a manifest"),
        (b'{"a":' * 200_000, "not a manifest"),
        (b'{"training": ' + b"[" * 50 + b"]" * 50 + b"}", "nested too deeply"),
        (b'{"steps": ' + b"9" * 6000 + b"}", "not a manifest"),
        (b'{"steps": 1e999}', "not finite"),
        (b'{"name": "own", "name": "own"}', "an entry twice"),
        (b'{"training": {"a": 1, "a": 2}}', "an entry twice"),
        (b'{"name": "own"}', "missing"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "longer than 1 MiB"),
        (b"[1]", "not a JSON object"),
    ],
)
def test_a_manifest_that_is_not_one_is_broken(tmp_path, content, said):
    (tmp_path / "PseudoCTDenoise_own.json").write_bytes(content)
    ((name, problem),) = broken_models(tmp_path)
    assert name == "own" and said in problem and "install the model again" in problem
    assert problem.isprintable() and len(problem) < 400


def test_a_pipe_in_place_of_a_manifest_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "PseudoCTDenoise_own.json")
    (tmp_path / "PseudoCTDenoise_gone.json").symlink_to("nowhere")
    problems = dict(broken_models(tmp_path))
    assert "not a regular file" in problems["own"] and "Cannot read" in problems["gone"]
