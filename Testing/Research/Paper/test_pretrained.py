"""Networks of the experiment and their training data."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pseudoct_research.paper import pretrained
from pseudoct_research.paper.pretrained import (
    ALL_SUBJECTS,
    STARTS,
    noise_model_settings,
    pretrain,
    runs,
    start_settings,
)
from pseudoct_research.training.supervision import supervise
from pseudoct_research.training.training_pairs import NoisySlice, draw_patches
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.store import load_model, load_noise_models


@pytest.mark.parametrize("start", STARTS)
def test_every_start_has_the_papers_settings_but_another_learning_rate(start):
    settings = start_settings("paper", start)
    assert (settings.architecture, settings.parameters) == ("RedCnn", {"channels": 96})
    assert (settings.loss, settings.learning_rate, settings.schedule) == ("l1", 5e-4, "decay")
    # Rescaling would reveal hidden pixels.
    rescale = None if start == "n2v" else (0.5, 2.0)
    assert (settings.patch_size, settings.augmentation.rescale) == (64, rescale)
    assert settings.augmentation.flips and not settings.augmentation.rotations
    assert settings.domain is None and not settings.balance
    assert settings.supervision == ("n2c" if start == "n2n-draws" else start)


def test_noise_models_are_u_nets_with_the_papers_settings_but_a_higher_learning_rate():
    settings, start = noise_model_settings(), start_settings("paper", "n2c")
    names = ("role", "architecture", "parameters", "steps", "learning_rate", "schedule")
    own = {name: getattr(settings, name) for name in names}
    assert (own["architecture"], own["schedule"]) == ("UNet", "plateau")
    assert replace(start, **own) == settings


def test_there_is_a_noise_model_per_subject_and_one_of_all_subjects(data):
    names = dict(runs("red-cnn-32", data, ["n2c", "n2v"]))
    assert names == {
        "red-cnn-32": "n2c",
        "red-cnn-32-n2v": "n2v",
        "paper-noise-a": "A",
        "paper-noise-b": "B",
        "paper-noise-c": "C",
        "paper-noise-all": ALL_SUBJECTS,
    }
    assert list(dict(runs("paper", data, ["n2c"], with_models=False))) == ["paper"]


@pytest.mark.parametrize(
    ("lesson", "subjects", "wanted"),
    [
        ("n2c", "BAC", "ndct"),
        ("n2v", "BAC", "ndct"),
        ("A", "A", "ndct"),
        ("C", "C", "ndct"),
        (ALL_SUBJECTS, "BAC", "ndct"),
        ("n2n-draws", "BAC", "second"),
    ],
)
def test_each_model_is_trained_on_its_subjects(data, lesson, subjects, wanted):
    slices = pretrained._training_slices(lesson, data)
    chosen = [n for n, pair in enumerate(data.training) if pair.patient in subjects]
    targets = [data.second_draw[n] if wanted == "second" else data.training[n].ndct for n in chosen]
    assert np.array_equal([noisy.ndct for noisy in slices], np.concatenate(targets))
    shown = [noisy.ndct + noisy.noise[0] for noisy in slices]
    assert np.array_equal(shown, np.concatenate([data.training[n].ldct for n in chosen]))


def test_two_draws_are_validated_on_a_second_draw_and_others_on_the_ndct(data):
    pair = data.validation[0]
    for lesson in ("n2c", "n2v", "A", ALL_SUBJECTS):
        low, wanted = pretrained._validation(lesson, data)["soft"]
        assert (low - wanted).std() * 4096 == pytest.approx((pair.ldct - pair.ndct).std(), rel=0.1)
    low, wanted = pretrained._validation("n2n-draws", data)["soft"]
    assert (low - wanted).std() * 4096 == pytest.approx(28, rel=0.1)


def test_hidden_pixels_do_not_appear_in_the_patch(data):
    """Continuous values make accidental equality of two pixels improbable."""
    rng = np.random.default_rng(0)
    slices = [NoisySlice(rng.normal(50, 5, (160, 160)), rng.normal(0, 20, (1, 160, 160)))]
    settings = start_settings("red-cnn-32", "n2v")
    for seed in range(20):
        ldct, ndct = draw_patches(
            slices, 2, 64, np.random.default_rng(seed), None, settings.augmentation
        )
        generator = torch.Generator().manual_seed(seed)
        shown, wanted, where = supervise(settings.supervision, ldct, ndct, generator, 0.0)
        for image, hidden, true in zip(shown, where, wanted, strict=True):
            assert torch.isin(true[hidden], image).float().mean() < 0.05


def test_a_second_draw_is_needed_for_two_draws(data):
    with pytest.raises(BadInputError, match="two dose draws"):
        pretrained._training_slices("n2n-draws", replace(data, second_draw=None))


def test_a_finished_model_is_saved_with_noise_models_and_sources(tiny, data, tmp_path):
    assert pretrain("red-cnn-32", "n2c", "red-cnn-32", data, tmp_path, "cpu")
    _, manifest = load_model("red-cnn-32", tmp_path / "models")
    assert manifest.noise_models == ["paper-noise-a", "paper-noise-b", "paper-noise-c"]
    assert manifest.training["scans"] == data.credits and "gain_soft_db" in manifest.metrics
    assert pretrain("paper-noise-b", "B", "red-cnn-32", data, tmp_path, "cpu")
    _, of_b = load_model("paper-noise-b", tmp_path / "models")
    assert [scan["patient"] for scan in of_b.training["scans"]] == ["B"]
    models = load_noise_models(tmp_path / "models", ["paper-noise-b"])
    assert [m.name for _, m in models] == ["paper-noise-b"]


def test_training_resumes_after_the_time_is_over(tiny, data, tmp_path):
    job = ("red-cnn-32-n2v", "n2v", "red-cnn-32", data, tmp_path, "cpu")
    assert not pretrain(*job, minutes=0)
    assert not (tmp_path / "models").exists()
    steps = []
    assert pretrain(*job, progress=lambda step, steps_, row: steps.append(step))
    assert steps == [1, 2]
    assert pretrain(*job, progress=lambda *_: pytest.fail("trained again"))


def test_a_model_of_other_training_data_is_refused_but_test_patients_may_differ(
    tiny, data, tmp_path
):
    def again(data):
        return pretrain("paper-noise-b", "B", "red-cnn-32", data, tmp_path, "cpu")

    assert again(data)
    assert again(replace(data, description={"measured on": "val"}, measured=[]))
    with pytest.raises(BadInputError, match="has other training data"):
        again(replace(data, training_description={"patients": ["A", "B", "D"]}))
