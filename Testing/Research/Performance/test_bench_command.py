"""`pseudoct bench`: runs on a small size and writes its figures; what is not timed is exact."""

import argparse
import json

import pytest
import torch
from pseudoct_research.performance import bench_command as bench
from PseudoCTDenoiseLib.denoising.device import ComputeDevice
from PseudoCTDenoiseLib.models.networks import RedCnn
from PseudoCTDenoiseLib.models.store import load_denoiser


def with_a_small_paper(name):
    """The shipped denoisers, but for the paper's, which has a hundredth of its weights."""
    network, manifest = load_denoiser(name)
    torch.manual_seed(0)
    return RedCnn(4).eval() if name == "paper" else network, manifest


def read(folder, part):
    return json.loads((folder / f"{part}.json").read_text())


def test_it_times_every_method_and_writes_page_and_picture(pseudoct, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "load_denoiser", with_a_small_paper)
    page = tmp_path / "page.md"
    page.write_text("".join(f"<!-- BENCH {b} -->\n<!-- /BENCH {b} -->\n" for b in bench.PARTS))
    small = ["--slices", "1", "2", "--rows", "48", "--runs", "1", "--steps", "1", "--limit", "1e9"]
    small += ["--jobs", "2x48", "--device", "cpu"]
    ended = pseudoct("bench", tmp_path / "out é", *small, "--page", page)
    assert ended.code == 0, ended.err

    figures = {name: read(tmp_path / "out é", name)[name] for name in bench.PARTS}
    seen = {(row["method"], row["slices"]) for row in figures["speed"]["rows"]}
    methods = {name for name, _ in seen}
    assert seen == {(name, size) for name in methods for size in (1, 2)}
    assert {
        bench.FAST_PASS,
        bench.FAST_METHOD,
        bench.PAPER_LOOP,
        bench.PLAIN[bench.PAPER_LOOP],
    } <= methods
    assert len(methods) == 6 + len(bench.COMPARED)
    assert all(row["median_seconds"] > 0 for row in figures["speed"]["rows"])
    assert figures["speed"]["plain_difference_db"].keys() == {bench.PAPER_PASS, bench.PAPER_LOOP}
    (job,) = figures["jobs"]
    assert (job["slices"], job["rows"], job["noise_maps"]) == (2, 48, True)
    assert 0 < job["preview_seconds"] < job["seconds"] and job["other"] > 0
    assert job["stages"].keys() == {"tuning", "denoising", "noise of every slice"}
    assert job["peak_memory_mib"] > 50
    assert figures["variants"].keys() == {"fast", "a noise model"}
    stages = figures["stages"]["seconds"]
    assert {"imports", "read", "tuning", "denoising", "write"} <= stages.keys()
    assert figures["operations"]["networks"]["fast"]["calls"] == 16
    assert (tmp_path / "out é" / "speed.png").stat().st_size > 5000
    text = page.read_text()
    assert all(one in text for one in ("| 2 × 48² |", "| fast + method |", "| imports |", "GFLOP"))


def test_a_part_alone_leaves_the_other_blocks_as_they_are(pseudoct, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- BENCH variants -->\n<!-- /BENCH variants -->\n<!-- BENCH speed -->\nkept\n"
    )
    small = ["--rows", "32", "--device", "cpu"]
    ended = pseudoct("bench", tmp_path, "--part", "variants", *small, "--page", page)
    assert ended.code == 0, ended.err
    assert "channels first" in page.read_text() and "kept" in page.read_text()
    assert read(tmp_path, "variants").keys() == {"version", "machine", "variants"}
    assert not (tmp_path / "speed.json").exists()


@pytest.mark.parametrize(
    ("device", "precision", "label"),
    [
        ("cpu", "auto", "jobs"),
        ("cuda", "auto", "jobs cuda"),
        ("cpu", "float32", "jobs float32"),
        ("cuda", "bfloat16", "jobs cuda bfloat16"),
    ],
)
def test_another_device_and_another_precision_have_blocks_of_their_own(device, precision, label):
    arguments = argparse.Namespace(precision=precision)
    assert bench._label("jobs", arguments, ComputeDevice(device, "asked for")) == label


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_precision_that_is_asked_for_is_timed(pseudoct, tmp_path, precision):
    page = tmp_path / "page.md"
    page.write_text(f"<!-- BENCH jobs {precision} -->\n<!-- /BENCH jobs {precision} -->\n")
    small = ["--part", "jobs", "--jobs", "1x48", "--steps", "1", "--device", "cpu", "--page", page]
    ended = pseudoct("bench", tmp_path, *small, "--precision", precision)
    assert ended.code == 0, ended.err
    figures = read(tmp_path, f"jobs-{precision}")
    assert figures["machine"]["precision"] == figures["jobs"][0]["precision"] == precision
    assert "| 1 × 48² |" in page.read_text()


def test_what_was_written_plainly_is_held_against_the_engine():
    speed = {"plain_difference_db": {bench.PAPER_PASS: 0.001, bench.PAPER_LOOP: -0.002}}
    plain = bench.PLAIN[bench.PAPER_PASS]
    medians = {(bench.PAPER_PASS, 1): 2.0, (plain, 1): 5.0, (plain, 10): 50.0}
    one, loop = bench._against_plain(speed, medians)
    assert "at a number of slices: 2.5 (1). " in one and "+0.0010 dB" in one
    assert "at a number of slices: none. " in loop


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
def test_it_refuses_what_cannot_be_timed(pseudoct, tmp_path, wrong, words):
    ended = pseudoct("bench", tmp_path, *wrong)
    assert ended.code == 2 and words in ended.err
    assert not list(tmp_path.glob("*.json"))
