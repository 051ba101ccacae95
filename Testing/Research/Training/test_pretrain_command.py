"""What `pseudoct pretrain` promises: a model, its manifest and its curve, in one go or in two."""

import csv
import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from pseudoct_research.training import pretrain_command as pretrain
from pseudoct_research.training import training_pairs
from pseudoct_research.training.pretraining import Pretraining
from PseudoCTDenoiseLib.cli.main import main
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.models.store import load_model

SIZE = 64
TINY = {"steps": 6, "batch": 2, "patch_size": 32, "validate_every": 3}


@pytest.fixture(autouse=True)
def tiny_presets(monkeypatch):
    presets = {
        "fast": replace(pretrain.PRESETS["fast"], parameters={"widths": [4, 8]}, **TINY),
        "noise": replace(
            pretrain.PRESETS["noise"], parameters={"widths": [4, 8], "residual": False}, **TINY
        ),
    }
    monkeypatch.setattr(pretrain, "PRESETS", presets)


@pytest.fixture
def simulator(monkeypatch):
    """Stands in for the simulator, whose first draw takes seconds."""
    drawn = []

    def draw(scan, device, seed):
        drawn.append(scan.patient)
        noise = np.random.default_rng(seed).normal(0, 20, (2, *scan.hu.shape))
        return noise.astype(np.float16)

    monkeypatch.setattr(training_pairs, "_draw_noise", draw)
    return drawn


def write_scan(path, noise_hu=12.0, seed=0, size=SIZE):
    """Two slices of a block of soft tissue in air, with noise."""
    rng = np.random.default_rng(0)
    hu = np.full((2, size, size), -1000.0)
    hu[:, 6:-6, 6:-6] = rng.integers(0, 100, (2, 1, 1))
    hu[:, 6:-6, 6:-6] += np.random.default_rng(seed).normal(0, noise_hu, (2, size - 12, size - 12))
    image = sitk.GetImageFromArray(np.rint(hu).astype(np.int16))
    image.SetSpacing((2.0, 2.0, 3.0))
    sitk.WriteImage(image, str(path))
    return path


def pretrained(folder, *arguments, name="mine"):
    places = ["--work", folder / "work", "--models", folder / "models", "--device", "cpu"]
    return main(["pretrain", name, *map(str, [*places, *arguments])])


def weights(folder, name="mine"):
    return load_model(name, folder / "models")[0].state_dict()


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_normal_dose_scans_alone_give_a_model(tmp_path, capsys):
    """Through the real simulator, from the file to the weights."""
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan) == 0
    assert "finished" in capsys.readouterr().out
    network, manifest = load_model("mine", tmp_path / "models")
    assert (manifest.role, manifest.architecture) == ("denoiser", "UNet")
    assert manifest.parameters == {"widths": [4, 8]} and manifest.steps in (3, 6)
    assert manifest.training["scans"] == [{"patient": "scan", "source": "", "licence": ""}]
    assert manifest.training["settings"]["steps"] == 6
    with torch.no_grad():
        assert network(torch.rand(1, 1, 50, 70)).shape == (1, 1, 50, 70)
    rows = list(csv.DictReader((tmp_path / "work/mine.checkpoint.csv").open()))
    assert [float(row["step"]) for row in rows] == [3, 6]
    (noise,) = (np.load(path) for path in (tmp_path / "work/noise").glob("*.npy"))
    assert noise.shape == (2, 2, SIZE, SIZE) and np.isfinite(noise).all() and noise.any()


def test_batch_and_reuse_may_be_chosen(tmp_path):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan, "--batch", 3, "--reuse", 2) == 0
    settings = load_model("mine", tmp_path / "models")[1].training["settings"]
    assert (settings["batch"], settings["reuse"]) == (3, 2)


def test_clean_patches_are_what_the_start_makes_of_the_scans(tmp_path, simulator, monkeypatch):
    scan = ["--ndct", write_scan(tmp_path / "scan.nrrd")]
    assert pretrained(tmp_path, *scan) == 0
    seen = []
    draw = training_pairs.draw_patches
    monkeypatch.setattr(
        "pseudoct_research.training.step_patches.draw_patches",
        lambda slices, *rest: seen.extend(slices) or draw(slices, *rest),
    )
    assert pretrained(tmp_path, *scan, "--start", "mine", "--clean", 0.5, name="second") == 0
    training = load_model("second", tmp_path / "models")[1].training
    assert training["settings"]["domain"]["clean"] == 0.5 and training["start"] == "mine"
    network = load_model("mine", tmp_path / "models")[0]
    shown = torch.from_numpy((seen[0].ndct[None].astype(np.float32) + 1024) / 4096)
    made = 4096 * apply_network(network, shown)[0] - 1024
    assert np.abs(seen[0].clean - made.clamp(min=-1024).numpy()).max() <= 0.51


def test_a_run_with_clean_patches_goes_on_with_the_start_that_cleaned_them(
    tmp_path, simulator, capsys
):
    scan = ["--ndct", write_scan(tmp_path / "scan.nrrd")]
    clean = [*scan, "--start", "mine", "--clean", 0.5]
    assert pretrained(tmp_path, *scan) == 0
    assert pretrained(tmp_path, *clean, name="whole") == 0
    assert pretrained(tmp_path, *clean, "--minutes", 0, name="halved") == 0
    assert pretrained(tmp_path, *clean, name="halved") == 0
    assert same(weights(tmp_path, "whole"), weights(tmp_path, "halved"))
    (tmp_path / "work/mine.checkpoint.npz").unlink()
    assert pretrained(tmp_path, *scan, "--seed", 1) == 0  # another start of this name
    assert pretrained(tmp_path, *clean, name="halved") == 2
    assert "made with other data" in capsys.readouterr().err


def test_what_cleans_is_a_denoiser_that_stays(tmp_path, simulator, capsys):
    scan = ["--ndct", write_scan(tmp_path / "scan.nrrd")]
    for preset in ("noise", "fast"):
        assert pretrained(tmp_path, *scan, "--preset", preset, name=preset) == 0
    wrong = ["--preset", "noise", "--start", "noise", "--clean", 0.1]
    assert pretrained(tmp_path, *scan, *wrong) == 2
    assert "a denoiser" in capsys.readouterr().err
    assert pretrained(tmp_path, *scan, "--start", "fast", "--clean", 0.1, name="fast") == 2
    assert "name another" in capsys.readouterr().err


def test_real_pairs_give_a_noise_model_without_the_simulator(tmp_path, monkeypatch):
    monkeypatch.setattr(training_pairs, "_draw_noise", lambda *_: pytest.fail("simulated"))
    low = write_scan(tmp_path / "low.nrrd", noise_hu=40, seed=1)
    normal = write_scan(tmp_path / "normal.nrrd", noise_hu=5, seed=2)
    pair = ["--ldct", low, "--ndct", normal]
    assert pretrained(tmp_path, "--preset", "noise", *pair, "--steps", 4) == 0
    _, manifest = load_model("mine", tmp_path / "models")
    assert manifest.role == "noise model"
    assert manifest.training["settings"]["domain"] is None
    assert manifest.training["settings"]["steps"] == 4


@pytest.fixture
def index(tmp_path):
    for number in range(3):
        write_scan(tmp_path / f"{number}.nrrd", seed=number, size=192)
    path = tmp_path / "index.csv"
    path.write_text(
        "file,patient,split,licence,source\n"
        "0.nrrd,A,train,CC0,Clinic\n1.nrrd,B,train,CC BY 4.0,Atlas\n2.nrrd,C,val,,\n"
    )
    return path


def test_an_index_is_trained_on_one_split_and_judged_on_another(tmp_path, index, simulator):
    assert pretrained(tmp_path, "--index", index) == 0
    assert simulator == ["A", "B", "C"]
    manifest = load_model("mine", tmp_path / "models")[1]
    assert manifest.training["scans"] == [
        {"patient": "A", "source": "Clinic", "licence": "CC0"},
        {"patient": "B", "source": "Atlas", "licence": "CC BY 4.0"},
    ]
    assert manifest.metrics.keys() == {f"gain_{name}_db" for name in pretrain.VALIDATION}
    assert (tmp_path / "work/mine.curve.png").stat().st_size > 1000
    # The noise that was drawn is read the second time.
    assert pretrained(tmp_path, "--index", index, "--patient", "B", name="second") == 0
    assert simulator == ["A", "B", "C"]
    assert [
        s["patient"] for s in load_model("second", tmp_path / "models")[1].training["scans"]
    ] == ["B"]


def test_a_killed_training_is_taken_up_by_the_same_command(tmp_path, simulator, monkeypatch):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path / "whole", "--ndct", scan) == 0

    one_step = Pretraining._one_step

    def killed(training, drawn):
        if training.step == 5:
            raise KeyboardInterrupt
        one_step(training, drawn)

    with monkeypatch.context() as patch:
        patch.setattr(Pretraining, "_one_step", killed)
        assert pretrained(tmp_path / "killed", "--ndct", scan) == 3
    assert not (tmp_path / "killed/models").exists()
    assert pretrained(tmp_path / "killed", "--ndct", scan) == 0
    assert same(weights(tmp_path / "killed"), weights(tmp_path / "whole"))


def test_a_training_out_of_time_leaves_a_model_and_says_how_to_go_on(tmp_path, simulator, capsys):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan, "--minutes", 0) == 0
    assert "unfinished: run the same command" in capsys.readouterr().out
    unfinished = weights(tmp_path)
    assert pretrained(tmp_path, "--ndct", scan) == 0
    assert "(finished)" in capsys.readouterr().out
    assert not same(weights(tmp_path), unfinished)


@pytest.mark.parametrize(
    ("platform", "device", "cores", "workers"),
    [("linux", "cpu", 8, 0), ("linux", "cuda", 8, 7), ("linux", "cuda", 1, 1)]
    + [("linux", "cuda", 128, 16), ("win32", "cuda", 8, 0), ("darwin", "mps", 8, 0)],
)
def test_a_gpu_gets_processes_that_draw(monkeypatch, platform, device, cores, workers):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(cores), raising=False)
    assert pretrain._workers(device) == workers


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_processes_that_draw_train_the_same_model(tmp_path, simulator):
    scan = write_scan(tmp_path / "scan.nrrd")
    for name, workers in (("thread", 0), ("processes", 2)):
        assert pretrained(tmp_path / name, "--ndct", scan, "--workers", workers) == 0
    assert same(weights(tmp_path / "thread"), weights(tmp_path / "processes"))


def test_the_seed_makes_the_model(tmp_path, simulator):
    scan = write_scan(tmp_path / "scan.nrrd")
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        assert pretrained(tmp_path / name, "--ndct", scan, "--seed", seed) == 0
    assert same(weights(tmp_path / "one"), weights(tmp_path / "again"))
    assert not same(weights(tmp_path / "one"), weights(tmp_path / "two"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "either --index or --ndct"),
        (["--index", "index.csv", "--ndct", "scan.nrrd"], "either --index or --ndct"),
        (["--index", "index.csv", "--ldct", "scan.nrrd"], "--ldct needs"),
        (["--ndct", "gone.nrrd"], "gone.nrrd"),
        (["--ndct", "scan.nrrd", "scan.nrrd", "--ldct", "scan.nrrd"], "as many"),
        (["--ndct", "scan.nrrd", "--ldct", "wide.nrrd"], "same grid"),
        (["--ndct", "scan.nrrd", "--steps", "0"], "steps must be positive"),
        (["--ndct", "scan.nrrd", "--clean", "0.1"], "--clean needs --start"),
        (["--ndct", "scan.nrrd", "--seed", "-1"], "seed must not be negative"),
        (["--ndct", "scan.nrrd", "--workers", "-1"], "workers must not be negative"),
        (["--ndct", "small.nrrd"], "24×24 are too small for patches of 32"),
        (["--index", "gone.csv"], "gone.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_trained_on_is_said_in_one_line(
    tmp_path, simulator, capsys, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    for name, size in (("scan", SIZE), ("wide", SIZE + 16), ("small", 24)):
        write_scan(tmp_path / f"{name}.nrrd", size=size)
    assert pretrained(tmp_path, *arguments) == 2
    err = capsys.readouterr().err
    assert words in err.splitlines()[-1] and "Traceback" not in err
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", ["../mine", "a/b", ".hidden", ""])
def test_a_name_that_no_file_can_have_ends_before_the_training(tmp_path, simulator, capsys, name):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan, name=name) == 2
    assert "cannot name a model" in capsys.readouterr().err
    assert simulator == [] and sorted(tmp_path.iterdir()) == [scan]


def test_other_settings_do_not_go_on_with_an_old_checkpoint(tmp_path, simulator, capsys):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan, "--minutes", 0) == 0
    assert pretrained(tmp_path, "--ndct", scan, "--seed", 5) == 2
    assert "made with other settings" in capsys.readouterr().err
