"""The panel knows the denoisers' names without torch."""

from __future__ import annotations

import json

from PseudoCTDenoiseLib.models.catalog import denoiser_names
from PseudoCTDenoiseLib.models.store import DENOISER, SHIPPED_MODELS, list_models


def write(folder, name, role, file=None):
    path = folder / (file or f"PseudoCTDenoise_{name}.json")
    path.write_text(json.dumps({"name": name, "role": role}), encoding="utf-8")


def test_the_shipped_denoisers_are_those_that_the_engine_knows():
    assert SHIPPED_MODELS == SHIPPED_MODELS
    names = denoiser_names()
    assert sorted(names) == sorted(m.name for m in list_models() if m.role == DENOISER)
    assert names[0] == "fast"


def test_the_default_comes_first_and_noise_models_are_left_out(tmp_path):
    for name in ("zürich", "fast", "big"):
        write(tmp_path, name, "denoiser")
    write(tmp_path, "noise-a", "noise model")
    assert denoiser_names(tmp_path) == ["fast", "big", "zürich"]


def test_files_of_other_extensions_in_the_same_folder_do_no_harm(tmp_path):
    write(tmp_path, "fast", "denoiser")
    write(tmp_path, "theirs", "denoiser", file="Other_theirs.json")
    (tmp_path / "Other.json").write_text("no JSON", encoding="utf-8")
    assert denoiser_names(tmp_path) == ["fast"]


def test_a_folder_without_models_has_no_names(tmp_path):
    assert denoiser_names(tmp_path) == denoiser_names(tmp_path / "missing") == []
