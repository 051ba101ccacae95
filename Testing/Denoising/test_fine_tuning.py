"""What fine-tuning promises: algorithm 1 of arXiv 2104.02326, step by step."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PseudoCTDenoiseLib.denoising import fine_tuning
from PseudoCTDenoiseLib.denoising.fine_tuning import (
    StopRule,
    believed_share,
    fine_tune,
    go_part_of_the_way,
)
from PseudoCTDenoiseLib.denoising.presets import paper_settings
from PseudoCTDenoiseLib.denoising.pseudo_pairs import PseudoPairs
from PseudoCTDenoiseLib.errors import BadInputError, Cancelled
from PseudoCTDenoiseLib.models.networks import RedCnn, UNet
from torch import nn

SETTINGS = paper_settings(
    steps=7,
    update_period=None,
    rescale=None,
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


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def close(one, other):
    return all(torch.allclose(one[key], other[key], rtol=1e-6, atol=1e-8) for key in one)


@pytest.fixture
def teachers(monkeypatch):
    """The teacher's weights each time that the pseudo-NDCT is made from it."""
    seen = []
    refresh = PseudoPairs.refresh

    def probe(pairs, teacher):
        seen.append(state(teacher))
        refresh(pairs, teacher)

    monkeypatch.setattr(PseudoPairs, "refresh", probe)
    return seen


@pytest.mark.parametrize("period", [1, 3, 7])
def test_the_teacher_follows_the_student_every_c_steps(device, teachers, period):
    network, students = small_network(device), {}
    tuned = fine_tune(
        network,
        *scan(device),
        replace(SETTINGS, update_period=period),
        progress=lambda step, loss, student: students.update({step: state(student)}),
    )
    # After the last step nothing is left to be done with a new target.
    copies = [step for step in range(1, 7) if step % period == 0]
    assert len(teachers) == 1 + len(copies)
    assert same(teachers[0], state(network))
    for seen, step in zip(teachers[1:], copies, strict=True):
        assert same(seen, students[step])
    # Each step moves the student, so no two copies could be mistaken for each other.
    assert all(not same(students[step], students[step + 1]) for step in range(1, 7))
    # A last copy after the loop: no step after the last multiple of C is lost.
    assert same(state(tuned.teacher), students[7]) and same(state(tuned.student), students[7])


def test_a_moving_average_is_teacher_and_result(device, teachers):
    network, runs = small_network(device), []
    for keep in (None, 0.75):
        heard = {}
        tuned = fine_tune(
            network,
            *scan(device),
            replace(SETTINGS, update_period=3, moving_average=keep),
            progress=lambda step, loss, now, heard=heard: heard.update({step: state(now)}),
        )
        runs.append(heard)
    students, averages = runs
    average = state(network)
    for step in range(1, 4):  # from the first new teacher on the two runs differ
        average = {k: 0.75 * v + 0.25 * students[step][k] for k, v in average.items()}
        assert close(averages[step], average)
    assert not close(averages[3], students[3])
    assert same(teachers[-2], averages[3]) and same(teachers[-1], averages[6])
    assert same(state(tuned.student), averages[7]) and same(state(tuned.teacher), averages[7])


def test_without_the_update_the_teacher_stays_what_came_in(device, teachers):
    network = small_network(device)
    tuned = fine_tune(network, *scan(device), replace(SETTINGS, update_period=None))
    assert len(teachers) == 1
    assert same(state(tuned.teacher), state(network))
    assert not same(state(tuned.student), state(network))


def test_the_network_that_came_in_is_left_as_it_is(device):
    network = small_network(device)
    before = state(network)
    tuned = fine_tune(network, *scan(device), replace(SETTINGS, update_period=2))
    assert same(state(network), before) and not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not tuned.student.training and not tuned.teacher.training


@pytest.mark.parametrize(
    ("network", "late"),
    [(UNet([4, 8]), ("grow", "up", "tail")), (RedCnn(channels=2), ("decoder",))],
    ids=["UNet", "RedCnn"],
)
def test_of_late_layers_alone_only_they_move(network, late):
    before = state(network)
    tuned = fine_tune(network, *scan(), replace(SETTINGS, tuned_layers="late"))
    after = state(tuned.student)
    moved = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert moved == set(late)


def test_a_network_without_late_layers_is_refused():
    with pytest.raises(BadInputError, match="Sequential names no late layers"):
        fine_tune(three_layers(), *scan(), replace(SETTINGS, tuned_layers="late"))


def test_frozen_weights_are_tuned_all_the_same():
    network = small_network().requires_grad_(False)
    tuned = fine_tune(network, *scan(), SETTINGS)
    assert not same(state(tuned.student), state(network))
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("loss", ["mse", "l1"])
@pytest.mark.parametrize("sign", ["as-is", "mirrored"])
@pytest.mark.parametrize("period", [None, 2])
def test_the_update_is_the_one_written_out_by_hand(loss, sign, period):
    """Three steps on a whole slice with one map: nothing is left to chance."""
    slices, noise = scan(maps=1)
    slices, noise = slices[:1], noise[:, :1]
    settings = replace(
        SETTINGS,
        steps=3,
        batch=1,
        patch_size=20,
        flips=False,
        loss=loss,
        noise_sign=sign,
        update_period=period,
    )
    tuned = fine_tune(three_layers(), slices, noise, settings)

    rate, beta_1, beta_2, epsilon = settings.learning_rate, 0.9, 0.999, 1e-8
    student, teacher = three_layers().double(), three_layers().double()
    X, Z = slices[:, None].double(), noise[0, :, None].double()
    Z = Z if sign == "as-is" else -Z
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
    heard = []
    settings = replace(SETTINGS, learning_rate=1e-30)
    tuned = fine_tune(
        Same(), slices, constant, settings, progress=lambda *now: heard.append(now[:2])
    )
    assert tuned.record.losses == pytest.approx([100] * 7, rel=1e-3)
    assert heard == list(enumerate(tuned.record.losses, start=1))


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


def test_global_random_numbers_have_no_part_in_it():
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
    assert same(state(tuned.student), state(network)) and same(state(tuned.teacher), state(network))


def test_a_cancel_ends_the_tuning_at_once():
    steps = []

    def cancel(step, loss, student):
        steps.append(step)
        if step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        fine_tune(small_network(), *scan(), SETTINGS, progress=cancel)
    assert steps == [1, 2]


def stops_after(values, patience):
    """Step of the end and of the lowest value, for values from step 1 on; None: no end."""
    rule = StopRule(patience)
    end = next((step for step, value in enumerate(values, 1) if rule(step, value)), None)
    return end, rule.best_step


@pytest.mark.parametrize("patience", [1, 5, 30])
def test_a_flat_curve_stops_after_the_patience(patience):
    assert stops_after([4.0] * 200, patience) == (1 + patience, 1)


def test_a_falling_curve_never_stops():
    assert stops_after(np.linspace(9, 1, 300), 1) == (None, 300)


@pytest.mark.parametrize("patience", [3, 10, 25])
def test_a_curve_that_rises_again_stops_the_patience_after_its_lowest(patience):
    values = [*np.linspace(10, 1, 50), *np.linspace(1.1, 10, 100)]
    assert stops_after(values, patience) == (50 + patience, 50)


def test_a_second_fall_within_the_patience_goes_on():
    assert stops_after([4.0] * 10 + [3.0] * 100, 15) == (11 + 15, 11)


def test_without_patience_all_steps_are_run():
    assert stops_after([4.0] * 500, None) == (None, 1)


def test_steps_may_lie_apart_as_where_the_risk_is_estimated_now_and_then():
    rule = StopRule(40)
    curve = {0: 9.0, 20: 7.0, 40: 6.5, 60: 6.6, 80: 6.7, 100: 6.8}
    assert [step for step, value in curve.items() if rule(step, value)] == [80, 100]
    assert rule.best_step == 40


FLAT_CURVES = [
    ({0: 9.0, 20: 6.0, 40: 6.3, 60: 6.4, 80: 6.2}, 80),
    ({0: 9.0, 20: 6.0, 40: 6.6, 60: 6.4, 80: 6.6}, 60),
    ({0: 9.0, 20: 9.2, 40: 9.3, 60: 9.4, 80: 9.1}, 0),
    ({0: 9.0, 20: 8.8, 40: 9.1, 60: 8.9, 80: 9.0}, 60),
]


@pytest.mark.parametrize(("curve", "best"), FLAT_CURVES)
def test_of_steps_within_the_tolerance_the_latest_counts_but_never_one_no_better_than_the_first(
    curve, best
):
    rule = StopRule(1000, tolerance=0.5)
    for step, value in curve.items():
        rule(step, value)
    assert rule.best_step == best


def test_a_curve_within_the_tolerance_has_not_ended():
    rule = StopRule(40, tolerance=0.5)
    curve = {0: 9.0, 20: 6.0, 40: 6.4, 60: 6.4, 80: 6.6, 100: 6.6}
    assert [step for step, value in curve.items() if rule(step, value)] == [100]


class Constructed:
    """Stands in for the risk: its values step by step, whatever the network."""

    def __init__(self, values, energy=100.0):
        self.values = iter(values)
        self.removed_energy = energy

    def believable_level(self, *_):
        return 1.0

    def __call__(self, *_):
        return next(self.values)


def tuned_on(monkeypatch, values, energy=100.0, **changes):
    """A tuning whose risk, every two steps, is what the values say; and its start."""
    monkeypatch.setattr(fine_tuning, "RISK_EVERY", 2)
    monkeypatch.setattr(fine_tuning, "ScanRisk", lambda *_: Constructed(values, energy))
    settings = replace(
        SETTINGS, teacher="scan", noise_source="simulator", steps=8, patience=4, **changes
    )
    network, snapshots = small_network(), {}
    slices, _ = scan()
    tuned = fine_tune(
        network,
        slices,
        slices.new_empty(0, *slices.shape),
        settings,
        progress=lambda step, _, student: snapshots.update({step: state(student)}),
    )
    return tuned, state(network), snapshots


def test_the_weights_of_the_lowest_risk_are_the_result(monkeypatch):
    tuned, _, seen = tuned_on(monkeypatch, [9.0, 2.0, 3.0, 4.0])
    assert tuned.record.risks == {0: 9.0, 2: 2.0, 4: 3.0, 6: 4.0} and len(tuned.record.losses) == 6
    assert same(state(tuned.student), seen[2])


def test_where_no_step_is_better_the_start_is_the_result(monkeypatch):
    tuned, start, _ = tuned_on(monkeypatch, [1.0, 2.0, 3.0])
    assert len(tuned.record.losses) == 4 and same(state(tuned.student), start)


def test_of_a_small_fall_of_the_risk_half_of_the_way_is_gone(monkeypatch):
    tuned, start, seen = tuned_on(monkeypatch, [9.0, 8.0, 7.0, 6.0, 5.0], energy=1000.0)
    half = {key: (start[key] + seen[8][key]) / 2 for key in start}
    assert close(state(tuned.student), half) and not same(start, half)


def test_the_stop_rule_ends_the_tuning(monkeypatch):
    monkeypatch.setattr(fine_tuning, "SMOOTHING_STEPS", 4)
    settings = replace(SETTINGS, steps=50, learning_rate=1e-30, patience=3, update_period=10)
    slices, noise = scan(maps=1)
    tuned = fine_tune(small_network(), slices, torch.zeros_like(noise), settings)
    assert 7 <= len(tuned.record.losses) < 50
    assert same(state(tuned.teacher), state(tuned.student))


@pytest.mark.parametrize("worth", [(1e6, 1e9), (0, 1e-6)])
def test_a_scan_of_hardly_any_noise_or_too_much_is_left_to_the_start(monkeypatch, worth):
    monkeypatch.setattr(fine_tuning, "WORTH_TUNING_HU", worth)
    tuned, start, seen = tuned_on(monkeypatch, [9.0])
    assert not seen and not tuned.record.losses
    assert tuned.record.best_step == 0 and tuned.record.share == 0
    assert 1e-6 < tuned.record.noise_hu < 1e6
    assert same(state(tuned.student), start)


@pytest.mark.parametrize(
    ("step", "fallen", "share"),
    [(0, 0.0, 0.0), (20, 0.049, 0.5), (20, 0.051, 1.0), (20, -0.1, 0.5), (40, 0.6, 1.0)],
)
def test_the_whole_way_is_gone_where_the_risk_fell_by_a_twentieth(step, fallen, share):
    risks = {0: 100.0, 20: 100.0, 40: 100.0} | ({step: 100.0 - 80 * fallen} if step else {})
    assert believed_share(risks, step, 80.0) == share


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_part_of_the_way_lies_between_start_and_result(share):
    start, result = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    for network, value in ((start, 1.0), (result, 3.0)):
        torch.nn.init.constant_(network.weight, value)
    go_part_of_the_way(result, start, share)
    assert (result.weight == 1 + 2 * share).all() and (start.weight == 1).all()
