"""The catalog lists the denoisers without torch."""

from __future__ import annotations

import json

from PseudoCTDenoiseLib.models.catalog import DENOISER, SHIPPED_MODELS, denoiser_names
from PseudoCTDenoiseLib.models.store import list_models


def write(folder, name, role, file=None):
    path = folder / (file or f"PseudoCTDenoise_{name}.json")
    path.write_text(json.dumps({"name": name, "role": role}), encoding="utf-8")


def test_the_catalog_and_the_store_list_the_same_denoisers():
    assert SHIPPED_MODELS == SHIPPED_MODELS
    names = denoiser_names()
    assert sorted(names) == sorted(m.name for m in list_models() if m.role == DENOISER)
    assert names[0] == "fast"


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
