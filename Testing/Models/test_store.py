"""The model store returns the saved model or rejects it with a clear message."""

import hashlib
import io
import json
import os
import sys
import zipfile
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from limited_reader import READ, REFUSED, LimitedReader
from mutated_files import SEEDS, damage
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.catalog import DENOISER, NOISE_MODEL, model_paths
from PseudoCTDenoiseLib.models.networks import UNet
from PseudoCTDenoiseLib.models.store import (
    Manifest,
    list_models,
    load_model,
    load_models,
    load_noise_models,
    read_manifest,
    save_model,
)

WIDTHS = {"widths": [4, 8]}
MANIFEST = Manifest("fast", DENOISER, "UNet", WIDTHS, steps=7, training={"scans": ["A é"]})


def network(seed=0):
    torch.manual_seed(seed)
    return UNet(**WIDTHS)


@pytest.fixture
def folder(tmp_path):
    save_model(network(), MANIFEST, tmp_path)
    return tmp_path


def weights_of(folder):
    return folder / "PseudoCTDenoise_fast.npz"


def manifest_of(folder):
    return folder / "PseudoCTDenoise_fast.json"


def refusal(action, *arguments):
    """Return the one-line message with which an action is rejected."""
    with pytest.raises(BadInputError) as caught:
        action(*arguments)
    text = str(caught.value)
    assert text and "\n" not in text
    return text


def rewrite(folder, content=None, **changes):
    """Replace weights and manifest entries, with a matching SHA-256."""
    if content is not None:
        weights_of(folder).write_bytes(content)
        changes["sha256"] = hashlib.sha256(content).hexdigest()
    values = json.loads(manifest_of(folder).read_text(encoding="utf-8"))
    manifest_of(folder).write_text(json.dumps({**values, **changes}), encoding="utf-8")


def archive(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def test_a_model_is_loaded_with_half_precision_weights_in_evaluation_mode(folder):
    loaded, manifest = load_model("fast", folder)
    expected = {key: value.half().float() for key, value in network().state_dict().items()}
    state = loaded.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    assert not loaded.training
    assert replace(manifest, sha256="") == MANIFEST


def test_the_manifest_holds_the_sha_256_of_the_weights(folder):
    digest = hashlib.sha256(weights_of(folder).read_bytes()).hexdigest()
    assert read_manifest(manifest_of(folder)).sha256 == digest
    assert save_model(network(), MANIFEST, folder / "other").sha256 == digest


def test_a_manifest_from_before_validity_was_stated_is_read(folder):
    values = json.loads(manifest_of(folder).read_text(encoding="utf-8"))
    del values["validity"], values["known_failures"]
    manifest_of(folder).write_text(json.dumps(values), encoding="utf-8")
    manifest = load_model("fast", folder)[1]
    assert manifest.validity == manifest.known_failures == []


def test_the_same_weights_give_the_same_bytes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2e9)
    save_model(network(), MANIFEST, tmp_path / "later")
    for path in (weights_of(folder), manifest_of(folder)):
        assert path.read_bytes() == (tmp_path / "later" / path.name).read_bytes()
    save_model(network(seed=1), MANIFEST, tmp_path / "others")
    assert weights_of(folder).read_bytes() != weights_of(tmp_path / "others").read_bytes()


def test_weights_need_no_pickle_to_be_read(folder):
    with zipfile.ZipFile(weights_of(folder)) as file:
        headers = [file.read(name)[:200] for name in file.namelist()]
    assert headers and all(b"'<f2'" in header for header in headers)


def test_a_dot_in_a_name_is_not_a_suffix(folder):
    save_model(network(seed=1), replace(MANIFEST, name="fast.2"), folder)
    old, new = load_model("fast", folder)[0], load_model("fast.2", folder)[0]
    assert not torch.equal(old.head.weight, new.head.weight)


def test_models_are_listed_by_name_and_noise_models_loaded(folder):
    for name in ("noise_2", "noise_1"):
        save_model(network(), replace(MANIFEST, name=name, role=NOISE_MODEL), folder)
    assert [m.name for m in list_models(folder)] == ["fast", "noise_1", "noise_2"]
    assert [m.name for _, m in load_noise_models(folder)] == ["noise_1", "noise_2"]
    assert list_models(folder / "nowhere") == []


def test_a_denoiser_is_loaded_with_its_noise_models(folder):
    save_model(network(), replace(MANIFEST, name="own", noise_models=["noise_1"]), folder)
    for name in ("noise_2", "noise_1"):
        save_model(network(), replace(MANIFEST, name=name, role=NOISE_MODEL), folder)

    def names(*arguments, **options):
        models = load_models(*arguments, **options)
        return [manifest.name for manifest in models.manifests]

    assert names("own", folder) == ["own", "noise_1"]
    assert names("fast", folder) == ["fast", "noise_1", "noise_2"]
    assert names("own", folder, with_noise_models=False) == ["own"]
    assert names("fast")[0] == "fast"
    assert "is a noise model" in refusal(load_models, "noise_1", folder)


def test_an_entry_of_an_earlier_version_is_ignored(folder):
    path = model_paths("fast", folder).manifest
    manifest = read_manifest(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("{", '{"neighbour_model": "stack",', 1), encoding="utf-8")
    assert read_manifest(path) == manifest


def test_an_unknown_model_is_refused_with_a_list_of_models(folder):
    save_model(network(), replace(MANIFEST, name="noise", role=NOISE_MODEL), folder)
    assert "Available: fast." in refusal(load_model, "slow", folder)
    assert "Available: none." in refusal(load_model, "slow", folder / "nowhere")


@pytest.mark.parametrize("name", ["../fast", "sub/../fast", "..", ".", "", "/fast", "a\nb", "a\\b"])
def test_a_name_cannot_leave_the_folder(folder, name):
    inner = folder / "PseudoCTDenoise_sub"
    (folder / "PseudoCTDenoise_..").mkdir()
    inner.mkdir()
    before = sorted(folder.rglob("*"))
    with pytest.raises(BadInputError):
        load_model(name, inner)
    with pytest.raises(BadInputError, match="cannot name a model"):
        save_model(network(), replace(MANIFEST, name=name), inner)
    assert sorted(folder.rglob("*")) == before


def test_tampered_weights_are_refused(folder):
    content = bytearray(weights_of(folder).read_bytes())
    content[len(content) // 2] ^= 1
    weights_of(folder).write_bytes(content)
    assert "SHA-256" in refusal(load_model, "fast", folder)


def test_missing_weights_are_refused(folder):
    weights_of(folder).unlink()
    assert "'fast' are missing" in refusal(load_model, "fast", folder)


@pytest.mark.parametrize("length", [0, 1, 100, -2])
def test_a_truncated_manifest_is_refused(folder, length):
    manifest_of(folder).write_bytes(manifest_of(folder).read_bytes()[:length])
    assert "PseudoCTDenoise_fast.json" in refusal(load_model, "fast", folder)
    assert list_models(folder) == []


@pytest.mark.parametrize("text", ["[]", "7", "null", '{"name": "fast"}', '{"surprise": 1}', "ä"])
def test_json_that_is_not_a_manifest_is_refused(folder, text):
    manifest_of(folder).write_text(text, encoding="latin-1")
    assert "manifest" in refusal(load_model, "fast", folder)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"normalisation": {"offset_hu": 1000.0, "range_hu": 2000.0}}, "normalisation"),
        ({"role": "segmenter"}, "segmenter"),
        ({"name": "slow"}, "slow"),
        ({"name": 3}, "3"),
        ({"architecture": "Transformer"}, "Transformer"),
        ({"parameters": {"depth": 3}}, "depth"),
        ({"parameters": {"widths": [8, 8]}}, "do not fit"),
        ({"parameters": {"widths": []}}, "Wrong parameters"),
        ({"parameters": {"widths": [4, 8] * 100}}, "Wrong parameters"),
        ({"parameters": {"widths": [4096, 4096]}}, "at most"),
        ({"parameters": {"widths": [10**15]}}, "Wrong parameters"),
        ({"parameters": {"widths": [4, 0.5]}}, "Wrong parameters"),
        ({"parameters": {"widths": {"a": 1}}}, "Wrong parameters"),
        ({"parameters": {"widths": [4, 8], "unshuffle": 0}}, "Wrong parameters"),
        ({"parameters": {"widths": [4, 8], "unshuffle": -1}}, "Wrong parameters"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder, change, word):
    rewrite(folder, **change)
    assert word in refusal(load_model, "fast", folder)


def test_a_broken_model_does_not_hide_the_others(folder):
    save_model(network(), replace(MANIFEST, name="own"), folder)
    manifest_of(folder).write_text("[]")
    assert [model.name for model in list_models(folder)] == ["own"]
    assert "Available: own." in refusal(load_model, "none", folder)
    assert load_model("own", folder)[1].name == "own"


def test_noise_models_are_not_left_out_because_one_is_broken(folder):
    """Which models take part decides over the result."""
    for name in ("noise_1", "noise_2"):
        save_model(network(), replace(MANIFEST, name=name, role=NOISE_MODEL), folder)
    (folder / "PseudoCTDenoise_noise_2.json").write_text("[]")
    assert "PseudoCTDenoise_noise_2.json" in refusal(load_noise_models, folder)
    assert len(load_noise_models(folder, ["noise_1"])) == 1


def hostile_archives(complete):
    """Yield archives of a few kB that ask for gigabytes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 28,)}
    )
    for name, content in (
        ("head.bias.npy", header.getvalue() + bytes(16)),
        ("head.bias.npy", header.getvalue() + bytes(64 << 20)),
        ("more.npy", bytes(64 << 20)),
        ("head.bias.npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535),
        ("head.bias.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\x7f"),
    ):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for key, value in complete.items():
                if f"{key}.npy" != name:
                    array = io.BytesIO()
                    np.save(array, value)
                    file.writestr(f"{key}.npy", array.getvalue())
            file.writestr(name, content)
        yield packed.getvalue()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_a_small_archive_does_not_take_gigabytes(folder):
    complete = {key: value.numpy() for key, value in network().state_dict().items()}
    with LimitedReader(models=True) as reader:
        assert reader.read(manifest_of(folder)).kind == READ
        for content in hostile_archives(complete):
            rewrite(folder, content)
            outcome = reader.read(manifest_of(folder))
            assert (outcome.kind, "Weights of model" in outcome.text) == (REFUSED, True), outcome
        values = json.loads(manifest_of(folder).read_text())
        for parameters in ({"widths": [4096, 4096]}, {"widths": [4096], "unshuffle": 4096}):
            manifest_of(folder).write_text(json.dumps(values | {"parameters": parameters}))
            outcome = reader.read(manifest_of(folder))
            assert (outcome.kind, "Wrong parameters" in outcome.text) == (REFUSED, True), outcome


def test_endless_weights_are_refused(folder):
    weights_of(folder).unlink()
    weights_of(folder).symlink_to("/dev/zero")
    assert "are missing" in refusal(load_model, "fast", folder)
    weights_of(folder).unlink()
    with open(weights_of(folder), "wb") as file:
        file.truncate(1 << 40)  # takes no place on the disk
    assert "are damaged" in refusal(load_model, "fast", folder)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(kind=st.sampled_from(["Manifest of a model", "Weights of a model"]), seed=st.integers(0))
def test_a_damaged_model_is_loaded_or_refused(tmp_path_factory, kind, seed):
    folder = tmp_path_factory.mktemp("damaged")
    path = SEEDS[kind](folder)
    damage(kind, path, Random(seed))
    try:
        network, _ = load_model("own", folder)
    except BadInputError as error:
        assert str(error).isprintable() and len(str(error)) < 600
    else:
        assert all(value.isfinite().all() for value in network.state_dict().values())


def test_pickled_objects_are_never_loaded(folder, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    arrays = {key: value.numpy() for key, value in network().state_dict().items()}
    arrays["head.bias"] = np.array([Bomb()] * 4, dtype=object)
    rewrite(folder, archive(**arrays))
    refusal(load_model, "fast", folder)
    rewrite(folder, np.array([Bomb()], dtype=object).dumps())
    refusal(load_model, "fast", folder)
    assert not (tmp_path / "exploded").exists()


def test_weights_that_are_not_an_archive_of_numbers_are_refused(folder):
    whole = weights_of(folder).read_bytes()
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    complete = {key: value.numpy() for key, value in network().state_dict().items()}
    for content in (
        b"",
        b"PK",
        b"no archive",
        whole[: len(whole) // 2],
        single.getvalue(),
        archive(),
        archive(**{**complete, "head.bias": np.array(list("abcd"))}),
        archive(**{**complete, "extra": np.zeros(1)}),
        archive(**{**complete, "head.bias": np.full(4, np.nan)}),
        archive(**{**complete, "head.bias": np.full(4, 1e300)}),
        archive(**{**complete, "head.bias": np.zeros(4, np.int16)}),
        archive(**{**complete, "head.bias": np.zeros((2, 2))}),
        archive(**{**complete, "head.bias": np.zeros(4, [("x", "<f4")])}),
    ):
        rewrite(folder, content)
        assert "do not fit" in refusal(load_model, "fast", folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_weights_that_diverged_are_not_saved(folder, value):
    before = weights_of(folder).read_bytes()
    diverged = network()
    with torch.no_grad():
        diverged.head.weight[0] = value
    assert "diverged" in refusal(save_model, diverged, MANIFEST, folder)
    assert weights_of(folder).read_bytes() == before


def test_a_kill_leaves_the_old_model_or_one_that_is_refused(folder, monkeypatch):
    """Check that new weights are never loaded with the old manifest."""
    renames = []

    def killed(*paths):
        if len(renames) == survived:
            raise KeyboardInterrupt
        renames.append(paths)
        real(*paths)

    real = os.replace
    monkeypatch.setattr(os, "replace", killed)
    old = load_model("fast", folder)[0].head.weight
    for survived in (0, 1):
        renames.clear()
        with pytest.raises(KeyboardInterrupt):
            save_model(network(seed=1), replace(MANIFEST, steps=8), folder)
        files = sorted(path.name for path in folder.iterdir())
        assert files == ["PseudoCTDenoise_fast.json", "PseudoCTDenoise_fast.npz"]
        if survived == 0:
            loaded, manifest = load_model("fast", folder)
            assert torch.equal(loaded.head.weight, old) and manifest.steps == 7
        else:
            assert "damaged" in refusal(load_model, "fast", folder)
    survived = 2
    renames.clear()
    save_model(network(seed=1), replace(MANIFEST, steps=8), folder)
    assert load_model("fast", folder)[1].steps == 8
