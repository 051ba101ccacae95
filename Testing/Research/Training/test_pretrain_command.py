"""`pseudoct pretrain` writes a model, its manifest and its curve, in one run or in two."""

import csv
import sys
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from pseudoct_research.training import pretrain_command as pretrain
from pseudoct_research.training import training_pairs
from pseudoct_research.training.pretraining import Pretraining, validation_patches
from PseudoCTDenoiseLib.cli.main import main
from PseudoCTDenoiseLib.denoising.inference import apply_network
from PseudoCTDenoiseLib.models.networks import have_one_trunk
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
        "red-cnn": replace(pretrain.PRESETS["red-cnn"], parameters={"channels": 2}, **TINY),
    }
    monkeypatch.setattr(pretrain, "PRESETS", presets)


@pytest.fixture
def simulator(monkeypatch):
    """Replace the simulator, whose first draw takes seconds."""
    drawn = []

    def draw(scan, device, seed):
        drawn.append(scan.patient)
        noise = np.random.default_rng(seed).normal(0, 20, (2, *scan.hu.shape))
        return noise.astype(np.float16)

    monkeypatch.setattr(training_pairs, "_draw_noise", draw)
    monkeypatch.setattr(pretrain, "measured_domain", lambda *_: {"pixel_mm": [1, 2]})
    return drawn


def write_scan(path, noise_hu=12.0, seed=0, size=SIZE, column_mm=2.0):
    """Write two noisy slices of a block of soft tissue in air."""
    rng = np.random.default_rng(0)
    hu = np.full((2, size, size), -1000.0)
    body = hu[:, 6:-6, 6:-6]
    body[:] = rng.integers(0, 100, (2, 1, 1))
    body += np.random.default_rng(seed).normal(0, noise_hu, body.shape)
    image = sitk.GetImageFromArray(np.rint(hu).astype(np.int16))
    image.SetSpacing((column_mm, 2.0, 3.0))
    sitk.WriteImage(image, str(path))
    return path


def pretrained(folder, *arguments, name="mine"):
    places = ["--work", folder / "work", "--models", folder / "models", "--device", "cpu"]
    return main(["pretrain", name, *map(str, [*places, *arguments])])


def weights(folder, name="mine"):
    return load_model(name, folder / "models")[0].state_dict()


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("ldct", [False, True])
def test_pixels_that_are_not_square_are_refused(tmp_path, capsys, simulator, ldct):
    scan, low = (write_scan(tmp_path / f"{n}.nrrd", column_mm=1.5) for n in ("scan", "low"))
    assert pretrained(tmp_path, "--ndct", scan, *(["--ldct", low] if ldct else [])) == 2
    assert "scan has pixels of 1.5 x 2 mm: resample it" in capsys.readouterr().err
    assert not simulator


@pytest.mark.slow
def test_normal_dose_scans_are_sufficient_for_training(tmp_path, capsys):
    """Use the real simulator, from the file to the weights."""
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan) == 0
    assert "finished" in capsys.readouterr().out
    network, manifest = load_model("mine", tmp_path / "models")
    assert (manifest.role, manifest.architecture) == ("denoiser", "UNet")
    assert manifest.parameters == {"widths": [4, 8]} and manifest.steps in (3, 6)
    assert manifest.training["scans"] == [{"patient": "scan", "source": "", "licence": ""}]
    assert manifest.training["settings"]["steps"] == 6
    assert manifest.domain["pixel_mm"] == [1.5, 2.5]
    with torch.no_grad():
        assert network(torch.rand(1, 1, 50, 70)).shape == (1, 1, 50, 70)
    rows = list(csv.DictReader((tmp_path / "work/mine.checkpoint.csv").open()))
    assert [float(row["step"]) for row in rows] == [3, 6]
    (noise,) = (np.load(path) for path in (tmp_path / "work/noise").glob("*.npy"))
    assert noise.shape == (2, 2, SIZE, SIZE) and np.isfinite(noise).all() and noise.any()


@pytest.mark.slow
def test_batch_and_reuse_are_options(tmp_path):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan, "--batch", 3, "--reuse", 2) == 0
    settings = load_model("mine", tmp_path / "models")[1].training["settings"]
    assert (settings["batch"], settings["reuse"]) == (3, 2)


def test_clean_patches_are_the_scans_denoised_by_the_start(tmp_path, simulator, monkeypatch):
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


def test_a_run_with_clean_patches_resumes_only_with_the_same_start(tmp_path, simulator, capsys):
    scan = ["--ndct", write_scan(tmp_path / "scan.nrrd")]
    clean = [*scan, "--start", "mine", "--clean", 0.5]
    assert pretrained(tmp_path, *scan) == 0
    assert pretrained(tmp_path, *clean, name="whole") == 0
    assert pretrained(tmp_path, *clean, "--minutes", 0, name="halved") == 0
    assert pretrained(tmp_path, *clean, name="halved") == 0
    assert same(weights(tmp_path, "whole"), weights(tmp_path, "halved"))
    (tmp_path / "work/mine.checkpoint.npz").unlink()
    # Another pre-trained model of this name.
    assert pretrained(tmp_path, *scan, "--seed", 1, "--overwrite") == 0
    assert pretrained(tmp_path, *clean, name="halved") == 2
    assert "made with other data" in capsys.readouterr().err


def test_clean_needs_a_denoiser_of_another_name(tmp_path, simulator, capsys):
    scan = ["--ndct", write_scan(tmp_path / "scan.nrrd")]
    assert pretrained(tmp_path, *scan, name="fast") == 0
    assert pretrained(tmp_path, *scan, "--preset", "noise", name="noise") == 0
    wrong = ["--preset", "noise", "--start", "noise", "--clean", 0.1]
    assert pretrained(tmp_path, *scan, *wrong) == 2
    assert "a denoiser" in capsys.readouterr().err
    assert pretrained(tmp_path, *scan, "--start", "fast", "--clean", 0.1, name="fast") == 2
    assert "another name" in capsys.readouterr().err


def test_real_pairs_give_a_noise_model_without_the_simulator(tmp_path, monkeypatch):
    monkeypatch.setattr(training_pairs, "_draw_noise", lambda *_: pytest.fail("simulated"))
    low = write_scan(tmp_path / "low.nrrd", noise_hu=40, seed=1)
    normal = write_scan(tmp_path / "normal.nrrd", noise_hu=5, seed=2)
    pair = ["--ldct", low, "--ndct", normal]
    assert pretrained(tmp_path, *pair, name="start") == 0
    noise = ["--preset", "noise", "--start", "start", "--steps", 4]
    assert pretrained(tmp_path, *noise, *pair) == 0
    network, manifest = load_model("mine", tmp_path / "models")
    assert manifest.role == "noise model"
    start, _ = load_model("start", tmp_path / "models")
    assert have_one_trunk([start, network])
    assert not same(start.state_dict(), network.state_dict())
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


@pytest.mark.slow
def test_training_and_validation_use_different_splits(tmp_path, index, simulator):
    assert pretrained(tmp_path, "--index", index) == 0
    assert simulator == ["A", "B", "C"]
    manifest = load_model("mine", tmp_path / "models")[1]
    assert manifest.training["scans"] == [
        {"patient": "A", "source": "Clinic", "licence": "CC0"},
        {"patient": "B", "source": "Atlas", "licence": "CC BY 4.0"},
    ]
    assert manifest.metrics.keys() == {f"gain_{name}_db" for name in pretrain.VALIDATION}
    assert (tmp_path / "work/mine.curve.png").stat().st_size > 1000
    # The second run reads the cached noise.
    assert pretrained(tmp_path, "--index", index, "--patient", "B", name="second") == 0
    assert simulator == ["A", "B", "C"]
    assert [
        s["patient"] for s in load_model("second", tmp_path / "models")[1].training["scans"]
    ] == ["B"]


@pytest.mark.parametrize(("preset", "left"), [("fast", 0.25), ("red-cnn", None)])
def test_a_model_is_validated_on_the_target_of_its_training(
    tmp_path, index, simulator, monkeypatch, preset, left
):
    domains = []

    def record(slices, count, size, domain):
        domains.append(domain)
        return validation_patches(slices, 1, 32, domain)

    monkeypatch.setattr(pretrain, "validation_patches", record)
    assert pretrained(tmp_path, "--index", index, "--preset", preset, "--steps", 1) == 0
    assert {domain.noise_left for domain in domains} == {left}


def test_the_same_command_resumes_a_killed_run(tmp_path, simulator, monkeypatch):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path / "whole", "--ndct", scan) == 0

    train_step = Pretraining._train_step

    def killed(training, drawn):
        if training.step == 5:
            raise KeyboardInterrupt
        train_step(training, drawn)

    with monkeypatch.context() as patch:
        patch.setattr(Pretraining, "_train_step", killed)
        assert pretrained(tmp_path / "killed", "--ndct", scan) == 3
    assert not (tmp_path / "killed/models").exists()
    assert pretrained(tmp_path / "killed", "--ndct", scan) == 0
    assert same(weights(tmp_path / "killed"), weights(tmp_path / "whole"))


def test_a_run_out_of_time_writes_a_model_and_explains_how_to_resume(tmp_path, simulator, capsys):
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
def test_a_gpu_gets_worker_processes(monkeypatch, platform, device, cores, workers):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(cores), raising=False)
    assert pretrain._workers(device) == workers


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux")
@pytest.mark.new_process
def test_worker_processes_give_the_same_model(tmp_path, simulator):
    scan = write_scan(tmp_path / "scan.nrrd")
    for name, workers in (("processes", 2), ("thread", 0)):  # no forks after a thread has drawn
        assert pretrained(tmp_path / name, "--ndct", scan, "--workers", workers) == 0
    assert same(weights(tmp_path / "thread"), weights(tmp_path / "processes"))


def test_the_seed_determines_the_model(tmp_path, simulator):
    scan = write_scan(tmp_path / "scan.nrrd")
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        assert pretrained(tmp_path / name, "--ndct", scan, "--seed", seed) == 0
    assert same(weights(tmp_path / "one"), weights(tmp_path / "again"))
    assert not same(weights(tmp_path / "one"), weights(tmp_path / "two"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "needs either --index or --ndct"),
        (["--index", "index.csv", "--ndct", "scan.nrrd"], "needs either --index or --ndct"),
        (["--index", "index.csv", "--ldct", "scan.nrrd"], "--ldct needs"),
        (["--ndct", "gone.nrrd"], "gone.nrrd"),
        (["--ndct", "scan.nrrd", "scan.nrrd", "--ldct", "scan.nrrd"], "the same number"),
        (["--ndct", "scan.nrrd", "--ldct", "wide.nrrd"], "same grid"),
        (["--ndct", "scan.nrrd", "--ldct", "moved.nrrd"], "same grid"),
        (["--ndct", "scan.nrrd", "--ndct-series", "1", "2"], "names 2 series for 1 scans"),
        (["--ndct", "scan.nrrd", "--ldct-series", "1"], "names 1 series for 0 scans"),
        (["--ndct", "scan.nrrd", "--steps", "0"], "steps must be positive"),
        (["--ndct", "scan.nrrd", "--clean", "0.1"], "--clean needs a denoiser as --start"),
        (["--ndct", "scan.nrrd", "--seed", "-1"], "seed must not be negative"),
        (["--ndct", "scan.nrrd", "--workers", "-1"], "workers must not be negative"),
        (["--ndct", "small.nrrd"], "24×24 pixels are too small for patches of 32"),
        (["--index", "gone.csv"], "gone.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_training_data_are_reported_in_one_line(
    tmp_path, simulator, capsys, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    for name, size in (("scan", SIZE), ("wide", SIZE + 16), ("small", 24)):
        write_scan(tmp_path / f"{name}.nrrd", size=size)
    moved = sitk.ReadImage(str(tmp_path / "scan.nrrd"))
    moved.SetOrigin((30, 0, 0))
    sitk.WriteImage(moved, str(tmp_path / "moved.nrrd"))
    assert pretrained(tmp_path, *arguments) == 2
    err = capsys.readouterr().err
    assert words in err.splitlines()[-1] and "Traceback" not in err
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", ["../mine", "a/b", ".hidden"])
def test_an_invalid_name_is_refused_before_the_training(tmp_path, simulator, capsys, name):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan, name=name) == 2
    assert "cannot name a model" in capsys.readouterr().err
    assert simulator == [] and sorted(tmp_path.iterdir()) == [scan]


def test_a_checkpoint_of_other_settings_is_not_resumed(tmp_path, simulator, capsys):
    scan = write_scan(tmp_path / "scan.nrrd")
    assert pretrained(tmp_path, "--ndct", scan, "--minutes", 0) == 0
    assert pretrained(tmp_path, "--ndct", scan, "--seed", 5) == 2
    assert "made with other settings" in capsys.readouterr().err
