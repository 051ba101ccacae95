"""Fine-tuning: algorithm 1 of arXiv 2104.02326 step by step, and the default with its stop rule."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising import fine_tuning, stopping
from PseudoCTDenoiseLib.denoising.fine_tuning import fine_tune
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.pseudo_pairs import NetworkTargetPairs
from PseudoCTDenoiseLib.denoising.settings import DenoisingSettings
from PseudoCTDenoiseLib.errors import Cancelled
from PseudoCTDenoiseLib.models.networks import RedCnn, UNet
from torch import nn

SETTINGS = paper_settings(
    steps=7,
    moving_average=None,
    learning_rate=1e-3,
    patch_size=16,
    batch=2,
    seed=1,
)


def small_network(device="cpu"):
    torch.manual_seed(0)
    return UNet([4, 8]).to(device).eval()


def three_layers():
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(4, 1, 3, padding=1))


def scan(device="cpu", maps=2, size=20):
    generator = torch.Generator().manual_seed(0)
    slices = 0.26 + 0.01 * torch.randn(2, size, size, generator=generator)
    noise = 0.01 * torch.randn(maps, 2, size, size, generator=generator)
    return slices.to(device), noise.to(device)


def state(network):
    return {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


def close(first, second):
    return all(torch.allclose(first[key], second[key], rtol=1e-6, atol=1e-8) for key in first)


@pytest.fixture
def teachers(monkeypatch):
    """Return the teacher's weights each time that the pseudo-NDCT is computed."""
    seen = []
    refresh = NetworkTargetPairs.refresh

    def probe(pairs, teacher):
        seen.append(state(teacher))
        refresh(pairs, teacher)

    monkeypatch.setattr(NetworkTargetPairs, "refresh", probe)
    return seen


@pytest.mark.parametrize("period", [1, 3, 7])
def test_the_teacher_follows_the_student_every_c_steps(device, teachers, period):
    network, students = small_network(device), {}
    tuned = fine_tune(
        network,
        *scan(device),
        replace(SETTINGS, update_period=period),
        progress=lambda step, student: students.update({step: state(student)}),
    )
    # No target follows the last step.
    copies = [step for step in range(1, 7) if step % period == 0]
    assert len(teachers) == 1 + len(copies)
    assert same(teachers[0], state(network))
    for seen, step in zip(teachers[1:], copies, strict=True):
        assert same(seen, students[step])
    # Each step changes the student, so no two copies are equal.
    assert all(not same(students[step], students[step + 1]) for step in range(1, 7))
    # The steps after the last multiple of C count.
    assert same(state(tuned.student), students[7])


def test_a_moving_average_is_teacher_and_result(device, teachers):
    network, runs = small_network(device), []
    for keep in (None, 0.75):
        reported = {}
        tuned = fine_tune(
            network,
            *scan(device),
            replace(SETTINGS, update_period=3, moving_average=keep),
            progress=lambda step, now, reported=reported: reported.update({step: state(now)}),
        )
        runs.append(reported)
    students, averages = runs
    average = state(network)
    for step in range(1, 4):  # the teachers of the two runs differ after step 3
        average = {k: 0.75 * v + 0.25 * students[step][k] for k, v in average.items()}
        assert close(averages[step], average)
    assert not close(averages[3], students[3])
    assert same(teachers[-2], averages[3]) and same(teachers[-1], averages[6])
    assert same(state(tuned.student), averages[7])


def test_without_an_update_period_the_teacher_stays_the_pretrained_network(device, teachers):
    network = small_network(device)
    tuned = fine_tune(network, *scan(device), replace(SETTINGS, update_period=None))
    assert len(teachers) == 1
    assert same(teachers[0], state(network))
    assert not same(state(tuned.student), state(network))


def test_the_network_that_is_passed_is_not_changed(device):
    network = small_network(device)
    before = state(network)
    tuned = fine_tune(network, *scan(device), replace(SETTINGS, update_period=2))
    assert same(state(network), before) and not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not tuned.student.training


def test_frozen_weights_are_tuned_too():
    network = small_network().requires_grad_(False)
    tuned = fine_tune(network, *scan(), SETTINGS)
    assert not same(state(tuned.student), state(network))
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("loss", ["mse", "l1"])
@pytest.mark.parametrize("period", [None, 2])
def test_the_update_is_that_of_adam_written_out(loss, period):
    """Three steps on a whole slice with one map, so that no random choice matters."""
    slices, noise = scan(maps=1)
    slices, noise = slices[:1], noise[:, :1]
    settings = replace(
        SETTINGS,
        steps=3,
        batch=1,
        patch_size=20,
        flips=False,
        loss=loss,
        update_period=period,
    )
    tuned = fine_tune(three_layers(), slices, noise, settings)

    rate, beta_1, beta_2, epsilon = settings.learning_rate, 0.9, 0.999, 1e-8
    student, teacher = three_layers().double(), three_layers().double()
    X, Z = slices[:, None].double(), noise[0, :, None].double()
    first = [torch.zeros_like(p) for p in student.parameters()]
    second = [torch.zeros_like(p) for p in student.parameters()]
    losses = []
    for step in range(1, 4):
        with torch.no_grad():
            pseudo_ndct = teacher(X)
        difference = 4096 * (student(pseudo_ndct + Z) - pseudo_ndct)
        error = difference.square().mean() if loss == "mse" else difference.abs().mean()
        losses.append(error.item())
        gradients = torch.autograd.grad(error, list(student.parameters()))
        with torch.no_grad():
            for p, g, m, v in zip(student.parameters(), gradients, first, second, strict=True):
                m.mul_(beta_1).add_((1 - beta_1) * g)
                v.mul_(beta_2).add_((1 - beta_2) * g**2)
                mean, spread = m / (1 - beta_1**step), v / (1 - beta_2**step)
                p.sub_(rate * mean / (spread.sqrt() + epsilon))
        if period and step % period == 0:
            teacher.load_state_dict(student.state_dict())

    assert tuned.record.losses == pytest.approx(losses, rel=1e-3)
    for found, expected in zip(tuned.student.parameters(), student.parameters(), strict=True):
        assert torch.allclose(found.double(), expected, atol=4e-6)


def test_the_losses_are_in_hu_squared_and_one_for_each_step():
    class Same(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return x * self.scale

    slices, noise = scan(maps=1)
    constant = torch.full_like(noise, 10 / 4096)
    reported = []
    settings = replace(SETTINGS, learning_rate=1e-30)
    tuned = fine_tune(
        Same(), slices, constant, settings, progress=lambda step, _: reported.append(step)
    )
    assert tuned.record.losses == pytest.approx([100] * 7, rel=1e-3)
    assert reported == list(range(1, 8))


@pytest.mark.parametrize("make", [three_layers, lambda: RedCnn(channels=3), small_network])
def test_any_network_can_be_tuned(make):
    network = make()
    tuned = fine_tune(network, *scan(), replace(SETTINGS, update_period=3))
    assert type(tuned.student) is type(network)
    assert not same(state(tuned.student), state(network))
    with torch.no_grad():
        assert tuned.student(torch.rand(1, 1, 9, 11)).shape == (1, 1, 9, 11)


@pytest.mark.parametrize("settings", [SETTINGS, paper_settings(steps=5, patch_size=16, batch=2)])
def test_the_same_seed_gives_the_same_result(device, settings):
    runs = [fine_tune(small_network(device), *scan(device), settings) for _ in range(2)]
    assert runs[0].record.losses == runs[1].record.losses
    assert same(state(runs[0].student), state(runs[1].student))
    other = fine_tune(small_network(device), *scan(device), replace(settings, seed=9))
    assert other.record.losses != runs[0].record.losses


def test_global_random_numbers_do_not_matter():
    torch.manual_seed(1)
    network = small_network()
    first = fine_tune(network, *scan(), SETTINGS)
    torch.rand(100)
    np.random.default_rng().random()
    assert fine_tune(network, *scan(), SETTINGS).record.losses == first.record.losses


def test_tuning_makes_the_loss_fall():
    settings = replace(SETTINGS, steps=60, learning_rate=3e-3)
    losses = fine_tune(three_layers(), *scan(), settings).record.losses
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])


def test_no_steps_change_nothing():
    network = small_network()
    tuned = fine_tune(network, *scan(), replace(SETTINGS, steps=0, update_period=5))
    assert tuned.record.losses == []
    assert tuned.student is network


@pytest.mark.parametrize("patience", [3, None])
def test_a_network_without_steps_is_not_called_tuned(patience):
    settings = replace(SETTINGS, steps=0, patience=patience)
    assert fine_tune(small_network(), *scan(), settings).record.share == 0


def test_a_cancel_ends_the_tuning_at_once():
    steps = []

    def cancel(step, student):
        steps.append(step)
        if step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        fine_tune(small_network(), *scan(), SETTINGS, progress=cancel)
    assert steps == [1, 2]


DEFAULT = DenoisingSettings(
    steps=8, patience=4, moving_average=None, learning_rate=1e-3, patch_size=16, batch=2
)


class GivenRisk:
    """Stands in for the estimate of the risk and returns given values, for any network."""

    def __init__(self, values, energy=100.0):
        self.values = iter(values)
        self.removed_energy = energy

    def __call__(self, network):
        return next(self.values)


def default_tuning(network, slices, settings=DEFAULT, pixel_mm=0.8, progress=None):
    report = progress or (lambda step, student: None)
    no_maps = slices.new_empty(0, *slices.shape)
    return fine_tune(network, slices, no_maps, settings, pixel_mm=pixel_mm, progress=report)


def tuned_with_risks(monkeypatch, values, energy=100.0, **changes):
    """Return a tuning with the given risk every two steps, its start, and the weights by step."""
    monkeypatch.setattr(stopping, "RISK_EVERY", 2)
    monkeypatch.setattr(fine_tuning, "SureEstimate", lambda *_: GivenRisk(values, energy))
    network, snapshots = small_network(), {}
    tuned = default_tuning(
        network,
        scan(size=24)[0],
        replace(DEFAULT, **changes),
        progress=lambda step, student: snapshots.update({step: state(student)}),
    )
    return tuned, state(network), snapshots


def test_the_weights_of_the_lowest_risk_are_the_result(monkeypatch):
    risks = [9.0, 2.0, 3.0, 4.0]
    tuned, _, seen = tuned_with_risks(monkeypatch, risks)
    assert tuned.record.risks == dict(zip([0, 2, 4, 6], risks, strict=True))
    assert len(tuned.record.losses) == 6 and tuned.record.best_step == 2
    assert same(state(tuned.student), seen[2])


def test_the_start_is_the_result_if_no_step_is_better(monkeypatch):
    tuned, start, _ = tuned_with_risks(monkeypatch, [1.0, 2.0, 3.0])
    assert len(tuned.record.losses) == 4 and same(state(tuned.student), start)


@pytest.mark.parametrize("risk", [-10.1, -255.0])
def test_the_start_is_the_result_if_the_risk_is_implausible(monkeypatch, risk):
    """The error of an image is not negative. Then the decrease before it is worth nothing, too."""
    tuned, start, _ = tuned_with_risks(monkeypatch, [45.0, 9.0, risk, 5.0])
    assert tuned.record.risks == {0: 45.0, 2: 9.0, 4: risk}
    assert tuned.record.implausible and tuned.record.best_step == 0 and tuned.record.share == 0
    assert same(state(tuned.student), start)
    text = fine_tuning.tuning_warning([tuned.record])
    assert "noise unlike the simulated noise" in text and f"fell to {risk:.0f} HU²" in text


def test_a_risk_that_is_slightly_negative_counts(monkeypatch):
    risks = [45.0, -9.0, -9.9, -9.9, -9.9]
    tuned, _, seen = tuned_with_risks(monkeypatch, risks)
    assert not tuned.record.implausible and tuned.record.share == 1
    assert same(state(tuned.student), seen[8])
    assert fine_tuning.tuning_warning([replace(tuned.record, noise_hu=20.0)]) is None


def test_after_a_small_decrease_of_the_risk_the_weights_are_averaged(monkeypatch):
    tuned, start, seen = tuned_with_risks(monkeypatch, [9.0, 8.0, 7.0, 6.0, 5.0], energy=1000.0)
    half = {key: (start[key] + seen[8][key]) / 2 for key in start}
    assert close(state(tuned.student), half) and not same(start, half)


def test_without_a_risk_the_loss_stops_the_tuning(monkeypatch):
    monkeypatch.setattr(stopping, "SMOOTHING_STEPS", 4)
    settings = replace(SETTINGS, steps=50, learning_rate=1e-30, patience=3, update_period=10)
    slices, noise = scan(maps=1)
    tuned = fine_tune(small_network(), slices, torch.zeros_like(noise), settings)
    assert 7 <= len(tuned.record.losses) < 50


@pytest.mark.parametrize("noise_range", [(1e6, 1e9), (0, 1e-6)])
def test_a_scan_whose_noise_is_out_of_range_is_not_tuned(monkeypatch, noise_range):
    monkeypatch.setattr(fine_tuning, "TUNING_NOISE_RANGE_HU", noise_range)
    tuned, start, seen = tuned_with_risks(monkeypatch, [9.0])
    assert not seen and not tuned.record.losses
    assert tuned.record.best_step == 0 and tuned.record.share == 0
    assert 1e-6 < tuned.record.noise_hu < 1e6
    assert same(state(tuned.student), start)


def test_slices_without_a_body_are_not_tuned(monkeypatch):
    monkeypatch.setattr(fine_tuning, "TUNING_NOISE_RANGE_HU", (0, 1e9))
    slices, _ = scan(size=40)
    air = slices - 0.23  # about −900 HU
    tuned = default_tuning(small_network(), air).record
    assert not tuned.losses and not tuned.has_body and tuned.noise_hu is None
    assert "too little of a body" in fine_tuning.tuning_warning([tuned])
    with_body = default_tuning(small_network(), slices).record
    assert with_body.losses and with_body.has_body


@pytest.mark.slow
def test_the_default_tuning_repeats_and_depends_on_the_pixel_size():
    slices, _ = scan(size=40)
    first, again, other = (
        default_tuning(small_network(), slices, replace(DEFAULT, patience=None), pixel_mm).record
        for pixel_mm in (0.4, 0.4, 0.8)
    )
    assert first == again
    assert first.texture != other.texture and first.losses != other.losses
