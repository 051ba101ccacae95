"""`pseudoct bench` runs on small scans and writes its values; all but the seconds are exact."""

import argparse
import json
from pathlib import Path

import pytest
import torch
from pseudoct_research.performance import (
    bench_command,
    bench_operations,
    bench_setup,
    bench_speed,
    bench_stages,
)
from PseudoCTDenoiseLib.denoising.device import ComputeDevice
from PseudoCTDenoiseLib.models.networks import RedCnn
from PseudoCTDenoiseLib.models.store import load_denoiser, load_models

RESULTS = Path(__file__).parents[3] / "Docs" / "research" / "speed"


def load_small_denoiser(name):
    """Load a shipped denoiser, with the paper's replaced by one of a hundredth of its weights."""
    network, manifest = load_denoiser(name)
    torch.manual_seed(0)
    return RedCnn(4).eval() if name == "paper" else network, manifest


def read(folder, part):
    return json.loads((folder / f"{part}.json").read_text("utf-8"))


@pytest.mark.slow
def test_all_parts_are_timed_and_written_to_page_and_figure(pseudoct, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_operations, "load_denoiser", load_small_denoiser)

    def load_small_models(name):
        return load_models(name)._replace(denoiser=load_small_denoiser(name))

    monkeypatch.setattr(bench_setup, "load_models", load_small_models)
    monkeypatch.setattr(bench_stages, "load_models", load_small_models)
    page = tmp_path / "page.md"
    page.write_text(
        "".join(f"<!-- BENCH {name} -->\n<!-- /BENCH {name} -->\n" for name in bench_command.PARTS)
    )
    small = ["--slices", "1", "2", "--rows", "48", "--runs", "1", "--steps", "1", "--limit", "1e9"]
    small += ["--jobs", "2x48", "--device", "cpu"]
    ended = pseudoct("bench", tmp_path / "out é", *small, "--page", page)
    assert ended.code == 0, ended.err

    values = {name: read(tmp_path / "out é", name)[name] for name in bench_command.PARTS}
    seen = {(row["method"], row["slices"]) for row in values["speed"]["rows"]}
    methods = {name for name, _ in seen}
    assert seen == {(name, size) for name in methods for size in (1, 2)}
    assert {
        bench_speed.FAST_PASS,
        bench_speed.FAST_METHOD,
        bench_speed.PAPER_LOOP,
        bench_speed.REFERENCES[bench_speed.PAPER_LOOP],
    } <= methods
    assert len(methods) == 6 + len(bench_speed.COMPARED)
    assert all(row["median_seconds"] > 0 for row in values["speed"]["rows"])
    assert values["speed"]["plain_difference_db"].keys() == {
        bench_speed.PAPER_PASS,
        bench_speed.PAPER_LOOP,
    }
    (job,) = values["jobs"]
    assert (job["slices"], job["rows"], job["noise_maps"]) == (2, 48, True)
    assert 0 < job["preview_seconds"] < job["seconds"] and job["other"] > 0
    assert job["seconds_without_maps"] > 0
    assert job["stages"].keys() == {"tuning", "denoising"}
    assert job["peak_memory_mib"] > 50
    assert values["variants"].keys() == {"fast", "a noise model"}
    stages = values["stages"]["seconds"]
    assert {"imports", "read", "tuning", "denoising", "write"} <= stages.keys()
    assert values["operations"]["networks"]["fast"]["calls"] == 16
    assert (tmp_path / "out é" / "speed.png").stat().st_size > 5000
    text = page.read_text("utf-8")
    for words in ("| 2 × 48² |", "| fast + method |", "| imports |", "GFLOP"):
        assert words in text


@pytest.mark.slow
def test_one_part_leaves_the_other_blocks_unchanged(pseudoct, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- BENCH variants -->\n<!-- /BENCH variants -->\n<!-- BENCH speed -->\nkept\n"
    )
    small = ["--rows", "32", "--device", "cpu"]
    ended = pseudoct("bench", tmp_path, "--part", "variants", *small, "--page", page)
    assert ended.code == 0, ended.err
    assert "channels first" in page.read_text("utf-8") and "kept" in page.read_text("utf-8")
    assert read(tmp_path, "variants").keys() == {"version", "machine", "variants"}
    assert not (tmp_path / "speed.json").exists()


@pytest.mark.parametrize(
    ("device", "precision", "label"),
    [
        ("cpu", "auto", "jobs"),
        ("cuda", "auto", "jobs cuda"),
        ("cuda:1", "auto", "jobs cuda"),
        ("cpu", "float32", "jobs float32"),
        ("cuda", "bfloat16", "jobs cuda bfloat16"),
    ],
)
def test_each_device_and_precision_has_its_own_blocks(device, precision, label):
    arguments = argparse.Namespace(precision=precision)
    assert bench_command.part_label("jobs", arguments, ComputeDevice(device, "requested")) == label


@pytest.mark.slow
@pytest.mark.parametrize("precision", [pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
def test_the_requested_precision_is_timed(pseudoct, tmp_path, precision):
    page = tmp_path / "page.md"
    page.write_text(f"<!-- BENCH jobs {precision} -->\n<!-- /BENCH jobs {precision} -->\n")
    small = ["--part", "jobs", "--jobs", "1x48", "--steps", "1", "--device", "cpu", "--page", page]
    ended = pseudoct("bench", tmp_path, *small, "--precision", precision)
    assert ended.code == 0, ended.err
    values = read(tmp_path, f"jobs-{precision}")
    assert values["machine"]["precision"] == values["jobs"][0]["precision"] == precision
    assert "| 1 × 48² |" in page.read_text("utf-8")


def test_speed_up_is_relative_to_the_reference_implementation():
    differences = {bench_speed.PAPER_PASS: 0.001, bench_speed.PAPER_LOOP: -0.002}
    reference = bench_speed.REFERENCES[bench_speed.PAPER_PASS]
    medians = {
        (bench_speed.PAPER_PASS, 1): 2.0,
        (reference, 1): 5.0,
        (reference, 10): 50.0,
    }
    speed = {"plain_difference_db": differences}
    forward, loop = bench_speed.reference_sentences(speed, medians)
    assert "(number of slices): 2.5 (1). " in forward and "+0.0010 dB" in forward
    assert "(number of slices): none. " in loop


def test_results_of_earlier_versions_are_read():
    speed = json.loads((RESULTS / "speed.json").read_text("utf-8"))["speed"]
    text = bench_speed.table(speed)
    assert "*paper, pass*: speed-up over the float32 reference implementation" in text
    assert "none" not in text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--runs", "0"], "--runs must be positive"),
        (["--rows", "-5"], "--rows must be positive"),
        (["--slices", "0", "4"], "at least 1"),
        (["--steps", "-1"], "steps"),
        (["--jobs", "200"], "200x512"),
        (["--jobs", "0x512"], "200x512"),
        (["--page", "missing.md"], "missing.md"),
    ],
)
def test_invalid_arguments_are_refused(pseudoct, tmp_path, wrong, words):
    ended = pseudoct("bench", tmp_path, *wrong)
    assert ended.code == 2 and words in ended.err
    assert not list(tmp_path.glob("*.json"))
