"""`pseudoct models` lists the models, checks them and prints model cards."""

from __future__ import annotations

import shutil

import pytest
from PseudoCTDenoiseLib.models.store import model_files


def rows(text):
    lines = text.splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in (lines[0], *lines[2:])]


def test_every_model_is_listed_with_its_role(pseudoct, models):
    ended = pseudoct("models", "--models", models)
    assert ended.code == 0
    heading, *listed = [row for row in rows(ended.out) if row]
    assert heading == [*("Model", "Role", "Network", "Steps", "Patients", "On validation scans")]
    assert listed == [
        ["fast", "denoiser", "UNet", "7", "1", "–"],
        ["noise-a", "noise model", "UNet", "7", "1", "gain_soft_db 1.25"],
        ["noise-b", "noise model", "UNet", "7", "1", "gain_soft_db 1.25"],
        ["other", "denoiser", "UNet", "7", "1", "gain_soft_db 1.25"],
    ]


def test_check_loads_every_model(pseudoct, models):
    ended = pseudoct("models", "--models", models, "--check")
    assert ended.code == 0
    heading, *listed = [row for row in rows(ended.out) if row]
    assert heading[-1] == "Weights"
    assert len(listed) == 4 and all(row[-1] == "0.00 M, intact" for row in listed)


def test_check_reports_modified_weights(pseudoct, models, tmp_path):
    folder = shutil.copytree(models, tmp_path / "models")
    weights = folder / "PseudoCTDenoise_noise-a.npz"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert pseudoct("models", "--models", folder).code == 0
    ended = pseudoct("models", "--models", folder, "--check")
    assert ended.code == 2
    assert [row[-1] for row in rows(ended.out) if row][1:] == [
        *("0.00 M, intact", "broken", "0.00 M, intact", "0.00 M, intact")
    ]
    assert ended.err.startswith("pseudoct: Weights of model 'noise-a' are damaged")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("broken", [["other"], ["fast", "other", "noise-a", "noise-b"]])
def test_a_broken_model_is_listed_with_its_reason(pseudoct, models, tmp_path, broken):
    folder = shutil.copytree(models, tmp_path / "models")
    for name in broken:
        (folder / f"PseudoCTDenoise_{name}.json").write_text("[]")
    ended = pseudoct("models", "--models", folder)
    assert ended.code == 0
    heading, *listed = [row for row in rows(ended.out) if row]
    assert [row[0] for row in listed] == ["fast", "noise-a", "noise-b", "other"]
    assert [row[0] for row in listed if row[1] == "broken"] == sorted(broken)
    assert ended.err.count("\n") == len(broken)
    assert all(f"PseudoCTDenoise_{name}.json is not a manifest" in ended.err for name in broken)
    assert pseudoct("models", "--models", folder, "--check").code == 2


def test_an_empty_folder_holds_no_models(pseudoct, tmp_path):
    ended = pseudoct("models", "--models", tmp_path)
    message = f"No models in {tmp_path}. Choose another folder with --models.\n"
    assert (ended.code, ended.out) == (0, message)
    ended = pseudoct("models", "--models", tmp_path, "--check")
    assert (ended.code, ended.err) == (2, f"pseudoct: {message}")


@pytest.mark.parametrize("options", [[], ["--check"], ["--card", "fast"]])
def test_a_folder_that_does_not_exist_is_refused(pseudoct, tmp_path, options):
    ended = pseudoct("models", "--models", tmp_path / "none", *options)
    message = f"pseudoct: There is no folder {tmp_path / 'none'}. Choose another folder with "
    assert (ended.code, ended.out, ended.err) == (2, "", f"{message}--models.\n")


def test_check_finds_the_models_that_a_denoiser_lacks(pseudoct, tmp_path):
    for path in model_files(name="fast"):
        shutil.copy(path, tmp_path)
    ended = pseudoct("models", "--models", tmp_path, "--check")
    assert ended.code == 2 and "intact" in ended.out
    assert ended.err.startswith("pseudoct: No model 'noise-acrin-flt-49f'")


def test_the_card_describes_a_model(pseudoct, models):
    ended = pseudoct("models", "--models", models, "--card", "other")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("# Model card: other\n")
    assert "- Gain soft (dB): 1.25\n" in ended.out
    assert ended.out.count("Not stated.") == 2


def test_a_card_of_a_missing_or_damaged_model_is_refused(pseudoct, models, tmp_path):
    ended = pseudoct("models", "--models", models, "--card", "none")
    assert (ended.code, ended.out) == (2, "") and "Available: fast, other" in ended.err
    folder = shutil.copytree(models, tmp_path / "models")
    (folder / "PseudoCTDenoise_fast.npz").write_bytes(b"no weights")
    ended = pseudoct("models", "--models", folder, "--card", "fast")
    assert (ended.code, ended.out) == (2, "") and "damaged" in ended.err
    assert ended.err.count("\n") == 1
