"""Pre-training: the same seed gives the same weights, with or without interruption."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.training import step_patches
from pseudoct_research.training.pretraining import (
    Pretraining,
    PretrainingSettings,
    validation_patches,
)
from pseudoct_research.training.supervision import supervise
from pseudoct_research.training.training_domain import TrainingDomain, exactly
from pseudoct_research.training.training_pairs import NoisySlice, draw_patches
from PseudoCTDenoiseLib.errors import BadInputError, Cancelled

SETTINGS = PretrainingSettings(
    parameters={"widths": [4, 8]},
    steps=12,
    batch=2,
    patch_size=16,
    learning_rate=1e-2,
    validate_every=4,
)
DECAY = replace(SETTINGS, schedule="decay")
PLATEAU = replace(SETTINGS, schedule="plateau", patience=0, learning_rate=1e-7)


def noisy_slices(offset=None):
    """Return slices of soft tissue with noise of 40 HU, or with a constant offset instead."""
    rng = np.random.default_rng(0)
    ndct = rng.integers(0, 80, (3, 32, 32)).astype(np.int16)
    noise = rng.normal(0, 40, (3, 2, 32, 32)).astype(np.float32)
    if offset is not None:
        noise[:] = offset
    return [NoisySlice(*pair) for pair in zip(ndct, noise, strict=True)]


VALIDATION = {
    "soft": validation_patches(noisy_slices(), 6, 20, exactly(0.25, 0.0)),
    "sharp": validation_patches(noisy_slices(), 6, 20, exactly(0.25, 1.0)),
}


def training(folder, settings=SETTINGS, *, slices=None, validation=VALIDATION, device="cpu"):
    slices = noisy_slices() if slices is None else slices
    return Pretraining(settings, slices, validation, folder / "run.npz", str(device))


def outcome(run):
    """Return all results of a run except its duration."""
    return {
        "weights": {key: value.cpu() for key, value in run.network.state_dict().items()},
        "best": {key: torch.as_tensor(value) for key, value in run.best.items()},
        "adam": {
            f"{index} {name}": value.cpu()
            for index, moments in run.optimizer.state_dict()["state"].items()
            for name, value in moments.items()
        },
        "curve": [{k: v for k, v in row.items() if k != "minutes"} for row in run.curve],
        "schedule": run.schedule.state_dict(),
        "learning rate": run.optimizer.param_groups[0]["lr"],
        "recent loss": run._recent_loss,
        "step": run.step,
    }


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, dict) and any(torch.is_tensor(item) for item in value.values()):
            assert value.keys() == other[name].keys()
            assert all(torch.equal(value[key], other[name][key]) for key in value), name
        else:
            assert value == other[name], name


class Killed(BaseException):
    pass


def killed_after(step, run):
    """Abort a run after a step without saving."""

    def progress(done, steps, row):
        if done == step:
            raise Killed

    with pytest.raises(Killed):
        run.run(progress=progress)


def whole_and_resumed(folder, settings, killed):
    """Return an uninterrupted run, and one that was killed after a step and resumed."""
    whole = training(folder / "whole", settings)
    whole.run()
    killed_after(killed, training(folder / "cut", settings))
    resumed = training(folder / "cut", settings)
    assert resumed.step == killed // 4 * 4
    resumed.run()
    return whole, resumed


def test_the_schedule_decay_keeps_the_learning_rate_and_then_lowers_it_to_zero(tmp_path):
    run = training(tmp_path, replace(DECAY, steps=20, validate_every=2))
    run.run()
    rates = [row["learning_rate"] for row in run.curve]
    assert rates == pytest.approx([1e-2] * 8 + [5e-3, 0.0])


@pytest.mark.parametrize("settings", [SETTINGS, DECAY, PLATEAU], ids=["cosine", "decay", "plateau"])
def test_the_same_seed_gives_the_same_weights(tmp_path, device, settings):
    runs = [training(tmp_path / name, settings, device=device) for name in ("one", "two")]
    for run in runs:
        run.run()
    assert_equal(outcome(runs[0]), outcome(runs[1]))
    other = training(tmp_path / "three", replace(settings, seed=1), device=device)
    other.run()
    weights = [run.network.head.weight for run in (runs[0], other)]
    assert not torch.equal(*weights)


@pytest.mark.parametrize("settings", [SETTINGS, DECAY, PLATEAU], ids=["cosine", "decay", "plateau"])
@pytest.mark.parametrize("widths", [[4, 8], [5, 18, 33]], ids=str)
@pytest.mark.parametrize("kills", [(4,), (6,), (5, 11)], ids=str)
def test_a_killed_run_ends_like_an_uninterrupted_one(tmp_path, device, settings, widths, kills):
    """A kill loses the steps after the last validation, which are repeated."""
    settings = replace(settings, parameters={"widths": widths})
    whole = training(tmp_path / "whole", settings, device=device)
    whole.run()
    if settings.schedule == "plateau":
        assert len({row["learning_rate"] for row in whole.curve}) > 1

    for step in kills:
        run = training(tmp_path / "killed", settings, device=device)
        killed_after(step, run)
    resumed = training(tmp_path / "killed", settings, device=device)
    assert resumed.step == kills[-1] // 4 * 4
    resumed.run()
    assert_equal(outcome(resumed), outcome(whole))


def test_a_stopped_run_resumes_at_its_step(tmp_path):
    whole = training(tmp_path / "whole")
    whole.run()
    first = training(tmp_path / "stopped")
    killed_after(7, first)
    first.save()
    second = training(tmp_path / "stopped")
    assert second.step == 7
    second.run()
    assert_equal(outcome(second), outcome(whole))


def test_zero_minutes_train_nothing_and_write_a_checkpoint(tmp_path):
    run = training(tmp_path)
    before = outcome(run)
    run.run(minutes=0)
    assert run.step == 0 and not run.done and run.curve == []
    assert_equal(outcome(training(tmp_path)), before)


def test_a_finished_run_is_unchanged(tmp_path):
    training(tmp_path).run()
    done = training(tmp_path)
    assert done.done
    before = outcome(done)
    done.run(progress=lambda *_: pytest.fail("trained on"))
    assert_equal(outcome(done), before)


def test_a_checkpoint_without_the_setting_reuse_is_resumed(tmp_path):
    training(tmp_path).run(minutes=0)
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        arrays = dict(file)
    status = json.loads(str(arrays["status"]))
    del status["settings"]["reuse"]
    np.savez(tmp_path / "run.npz", **(arrays | {"status": np.array(json.dumps(status))}))
    training(tmp_path).run()
    with pytest.raises(BadInputError, match="other settings. Remove it"):
        training(tmp_path, replace(SETTINGS, reuse=2))


@pytest.mark.parametrize(
    "change",
    [{"steps": 13}, {"seed": 1}, {"loss": "mse"}, {"domain": None}]
    + [{"parameters": {"widths": [4, 9]}}, {"domain": TrainingDomain(doses=(0.1, 0.2))}],
    ids=str,
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, change):
    training(tmp_path).run(minutes=0)
    with pytest.raises(BadInputError, match="other settings. Remove it"):
        training(tmp_path, replace(SETTINGS, **change))


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "flipped", "foreign", "pickled"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    training(tmp_path).run(minutes=0)
    file = tmp_path / "run.npz"
    content = file.read_bytes()
    if damage == "foreign":
        np.savez(file, weights=np.zeros(3))
    elif damage == "pickled":
        np.savez(file, status=np.array([{}], dtype=object))
    else:
        position = content.index(b"weights/") + 200
        flipped = content[:position] + bytes([content[position] ^ 255]) + content[position + 1 :]
        damaged = {"empty": b"", "cut": content[:-100], "text": b"no zip", "flipped": flipped}
        file.write_bytes(damaged[damage])
    with pytest.raises(BadInputError, match="Remove it to start again") as caught:
        training(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_curve_is_written_next_to_the_checkpoint_as_csv(tmp_path):
    run = training(tmp_path)
    run.run()
    rows = list(csv.DictReader((tmp_path / "run.csv").open()))
    assert [float(row["step"]) for row in rows] == [4, 8, 12]
    assert [float(row["validation_loss"]) for row in rows] == [
        row["validation_loss"] for row in run.curve
    ]


def test_progress_is_called_for_every_step_and_validation(tmp_path):
    heard = []
    training(tmp_path).run(progress=lambda *now: heard.append(now))
    assert [(step, steps) for step, steps, _ in heard] == [(n, 12) for n in range(1, 13)]
    rows = {step: row for step, _, row in heard if row}
    assert rows.keys() == {4, 8, 12} and all(rows[step]["step"] == step for step in rows)


def test_an_exception_in_progress_ends_the_run(tmp_path):
    def cancel(*_):
        raise Cancelled

    run = training(tmp_path)
    with pytest.raises(Cancelled):
        run.run(progress=cancel)
    assert run.step == 1


def gradient_norm_after_a_step(folder, limit):
    run = training(folder, replace(SETTINGS, gradient_limit=limit))
    killed_after(1, run)
    return torch.stack([p.grad.norm() for p in run.network.parameters()]).norm().item()


def test_the_norm_of_the_gradient_is_clipped(tmp_path):
    free = gradient_norm_after_a_step(tmp_path / "free", None)
    assert gradient_norm_after_a_step(tmp_path / "high", 2 * free) == pytest.approx(free)
    assert gradient_norm_after_a_step(tmp_path / "low", free / 4) == pytest.approx(
        free / 4, rel=1e-3
    )


@pytest.mark.parametrize("role", ["denoiser", "noise model"])
def test_the_loss_falls_and_the_network_learns_its_role(tmp_path, role):
    """LDCT is NDCT plus 40 HU: a denoiser subtracts them, a noise model predicts them."""
    settings = replace(
        SETTINGS,
        role=role,
        parameters={"widths": [4, 8], "residual": role == "denoiser"},
        steps=120,
        domain=None,
    )
    slices = noisy_slices(offset=40)
    run = training(tmp_path, settings, slices=slices, validation={})
    losses = []
    run.run(progress=lambda *_: losses.append(run._recent_loss))
    ldct, ndct = draw_patches(slices, 1, 32, np.random.default_rng(0))
    with torch.no_grad():
        output = run.best_network()(ldct)
    wanted = ndct if role == "denoiser" else ldct - ndct
    assert 4096 * (output - wanted).abs().mean() < 8
    assert losses[-1] < 0.5 * losses[0]


def idle_row(folder, role, **changes):
    """Return the validation of a network that removes or predicts no noise."""
    parameters = {"widths": [4, 8], "residual": role == "denoiser"}
    settings = replace(
        SETTINGS, role=role, parameters=parameters, steps=1, learning_rate=1e-30, **changes
    )
    run = training(folder, settings)
    torch.nn.init.zeros_(run.network.tail.weight)
    torch.nn.init.zeros_(run.network.tail.bias)
    run.run()
    return run.best_row()


SELF_SUPERVISED = ["n2n-gaussian", "n2v"]


@pytest.mark.parametrize("supervision", SELF_SUPERVISED)
def test_self_supervised_training_does_not_use_the_ndct(tmp_path, supervision):
    settings = replace(SETTINGS, supervision=supervision, balance=False, domain=None)
    slices = noisy_slices()
    # The same LDCT, split differently into NDCT and noise.
    others = [NoisySlice(noisy.ndct + np.int16(9), noisy.noise - 9) for noisy in slices]
    runs = [
        training(tmp_path / name, settings, slices=data, validation={})
        for name, data in {"one": slices, "other": others}.items()
    ]
    for run in runs:
        run.run()
    one, other = (run.network.state_dict() for run in runs)
    assert all(torch.allclose(one[key], other[key], atol=1e-6) for key in one)


@pytest.mark.parametrize("supervision", SELF_SUPERVISED)
def test_a_killed_self_supervised_run_ends_like_an_uninterrupted_one(tmp_path, supervision):
    settings = replace(SETTINGS, supervision=supervision, balance=False, precision="bfloat16")
    whole, resumed = whole_and_resumed(tmp_path, settings, 6)
    assert_equal(outcome(resumed), outcome(whole))


def test_a_killed_run_with_reuse_ends_like_an_uninterrupted_one(tmp_path, monkeypatch):
    monkeypatch.setattr(step_patches, "POOL", 2)
    whole, resumed = whole_and_resumed(tmp_path, replace(SETTINGS, reuse=2), 10)
    assert_equal(outcome(resumed), outcome(whole))
    drawn_again = training(tmp_path / "again")
    drawn_again.run()
    assert outcome(drawn_again)["curve"] != outcome(whole)["curve"]


def test_masked_validation_uses_hidden_pixels_only(tmp_path):
    row = idle_row(tmp_path, "denoiser", supervision="n2v", balance=False)
    losses = []
    for ldct, ndct in VALIDATION.values():
        generator = torch.Generator().manual_seed(0)
        batches = [
            supervise("n2v", low, normal, generator, 0.0)
            for low, normal in zip(ldct.split(4), ndct.split(4), strict=True)
        ]
        # The identity network returns its input.
        off = [(batch.input - batch.target)[batch.mask].abs().mean() * 4096 for batch in batches]
        losses.append((off[0] * 4 + off[1] * 2) / 6)
    assert row["validation_loss"] == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)


@pytest.mark.parametrize("role", ["denoiser", "noise model"])
@pytest.mark.parametrize("loss", ["l1", "mse"])
def test_validation_reports_the_loss_in_hu_and_the_gain_over_ldct(tmp_path, role, loss):
    row = idle_row(tmp_path, role, loss=loss, balance=False)
    noise = torch.stack([4096 * (ldct - ndct) for ldct, ndct in VALIDATION.values()])
    expected = noise.abs().mean() if loss == "l1" else noise.square().mean()
    assert row["validation_loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert row["gain_soft_db"] == pytest.approx(0, abs=1e-4)
    assert row["gain_sharp_db"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("role", ["denoiser", "noise model"])
def test_a_balanced_loss_is_relative_to_the_noise_of_each_patch(tmp_path, role):
    noise = torch.cat([ldct - ndct for ldct, ndct in VALIDATION.values()]).flatten(1)
    expected = (noise.abs().mean(dim=1) / noise.std(dim=1)).mean()
    row = idle_row(tmp_path, role, balance=True)
    assert row["validation_loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_the_gain_is_a_difference_of_psnr(tmp_path):
    run = training(tmp_path, replace(SETTINGS, steps=1, learning_rate=1e-30))
    run.run()
    ldct, ndct = VALIDATION["soft"]
    with torch.no_grad():
        output = run.network(ldct)
    gain = 10 * torch.log10((ldct - ndct).square().mean() / (output - ndct).square().mean())
    assert run.curve[0]["gain_soft_db"] == pytest.approx(gain.item(), abs=1e-3)


def test_the_weights_of_the_lowest_validation_loss_are_saved(tmp_path):
    run = training(tmp_path)
    kept = {}

    def spoil(step, steps, row):
        if row:
            kept[step] = {key: v.clone() for key, v in run.network.state_dict().items()}
        if step == 8:
            with torch.no_grad():
                run.network.tail.bias += 1.0  # 128 HU

    run.run(progress=spoil)
    losses = {row["step"]: row["validation_loss"] for row in run.curve}
    best = min(losses, key=losses.get)
    assert best != 12 and run.best_row()["step"] == best
    for network in (run.best_network(), training(tmp_path).best_network()):
        state = network.state_dict()
        assert not network.training
        assert all(torch.equal(state[key], kept[best][key]) for key in state)


def test_validation_patches_are_fixed_and_have_one_dose():
    domain = exactly(0.25, 0.5)
    first, again = (validation_patches(noisy_slices(), 3, 16, domain) for _ in range(2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert first[0].shape == first[1].shape == (3, 1, 16, 16)
    halved = torch.sub(*validation_patches(noisy_slices(), 3, 16, exactly(4 / 7, 0.5)))
    assert torch.allclose(halved, torch.sub(*first) / 2, atol=1e-6)


def test_the_average_of_the_weights_is_validated_and_saved(tmp_path):
    settings = replace(SETTINGS, moving_average=0.5, steps=4, validate_every=1)
    run = training(tmp_path, settings)
    averaged = {name: value.clone() for name, value in run.network.state_dict().items()}
    for step in range(1, 5):
        run._train_step(run.patches[step])
        for name, value in run.network.state_dict().items():
            averaged[name] = value if step == 1 else (averaged[name] + value) / 2
        averaged = {name: value.clone() for name, value in averaged.items()}
    for name, value in run.result.state_dict().items():
        assert torch.allclose(value, averaged[name], atol=1e-7)
        assert not torch.equal(value, run.network.state_dict()[name])


def test_a_killed_run_with_averaged_weights_ends_like_an_uninterrupted_one(tmp_path):
    whole, resumed = whole_and_resumed(tmp_path, replace(SETTINGS, moving_average=0.9), 6)
    assert_equal(outcome(whole), outcome(resumed))
    for name, value in whole.result.state_dict().items():
        assert torch.equal(value, resumed.result.state_dict()[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("role", "segmenter"),
        ("supervision", "n2x"),
        ("precision", "float8"),
        ("loss", "huber"),
        ("schedule", "step"),
        ("steps", 0),
        ("batch", -1),
        ("patch_size", 0),
        ("validate_every", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("reuse", 0),
        ("gradient_limit", 0.0),
        ("gradient_limit", float("nan")),
        ("seed", -1),
    ],
)
def test_invalid_settings_are_refused_by_name(name, value):
    with pytest.raises(BadInputError, match=name):
        PretrainingSettings(**{name: value})


def test_the_balance_needs_pairs():
    with pytest.raises(BadInputError, match="balance needs pairs, not"):
        PretrainingSettings(supervision="n2v", balance=True)


def test_reuse_needs_pairs():
    with pytest.raises(BadInputError, match="reuse needs pairs, not n2v"):
        PretrainingSettings(supervision="n2v", balance=False, reuse=2)


def test_an_unknown_network_is_refused_before_training(tmp_path):
    with pytest.raises(BadInputError, match="Transformer"):
        training(tmp_path, replace(SETTINGS, architecture="Transformer"))


def test_a_checkpoint_holds_its_settings_as_plain_text(tmp_path):
    training(tmp_path).run(minutes=0)
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        status = json.loads(str(file["status"]))
    assert status["settings"]["parameters"] == {"widths": [4, 8]}
    assert status["step"] == 0 and status["settings"]["domain"]["doses"] == [0.05, 0.7]
