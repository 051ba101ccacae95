"""The choice of a device returns one that works, and the reason in words."""

import pytest
import torch
from PseudoCTDenoiseLib.denoising import device as compute_device
from PseudoCTDenoiseLib.denoising.device import (
    ComputeDevice,
    autocast_precision,
    choose_device,
)
from PseudoCTDenoiseLib.denoising.settings import DEVICES, PRECISIONS
from PseudoCTDenoiseLib.errors import BadInputError

CPU = ComputeDevice("cpu", "selected by the user")


def refusal(wanted):
    with pytest.raises(BadInputError) as caught:
        choose_device(wanted)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def broken_cuda(monkeypatch):
    """Simulate a driver that reports a GPU on which no kernel runs."""

    def ones(*shape, device=None):
        raise error

    error = RuntimeError("CUDA error: no kernel image is available\nCompile with TORCH_USE…")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch, "ones", ones)


def test_the_cpu_is_always_available(broken_cuda):
    device = choose_device("cpu")
    assert device == CPU and device.torch == torch.device("cpu")


@pytest.mark.parametrize("wanted", ["gpu", "cuda:", "cuda:x", "mps:1", "CPU", "", None])
def test_an_unknown_device_is_refused_with_the_known_ones(wanted):
    text = refusal(wanted)
    assert f"'{wanted}'" in text and all(name in text for name in DEVICES)


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_missing_device_is_refused_with_the_reason(without_gpu, wanted):
    text = refusal(wanted)
    assert f"'{wanted}' does not work" in text and "Choose auto or cpu" in text
    assert "CUDA" in text or "no Apple GPU" in text


@pytest.mark.parametrize(
    ("built", "why"), [(None, "this torch is built without CUDA"), ("12.8", "no CUDA device")]
)
def test_without_cuda_the_reason_is_torch_or_the_machine(without_gpu, monkeypatch, built, why):
    monkeypatch.setattr(torch.version, "cuda", built)
    assert why in refusal("cuda")


@pytest.mark.parametrize(("platform", "why"), [("linux", "CUDA"), ("darwin", "Apple")])
def test_auto_tests_the_kind_of_gpu_of_the_system(without_gpu, monkeypatch, platform, why):
    monkeypatch.setattr("sys.platform", platform)
    assert why in choose_device().reason


def test_a_device_that_does_not_work_is_refused_with_the_drivers_first_line(broken_cuda):
    assert "no kernel image is available. Choose" in refusal("cuda")


def test_auto_falls_back_to_the_cpu_with_a_reason(without_gpu):
    device = choose_device()
    assert device.name == "cpu"
    assert "no working GPU" in device.reason and "CUDA" in device.reason


def test_auto_skips_a_device_that_does_not_work(broken_cuda):
    device = choose_device("auto")
    assert device.name == "cpu" and "no kernel image" in device.reason


def test_auto_skips_a_device_with_wrong_results(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch, "ones", lambda *shape, device: torch.zeros(*shape))
    assert "wrong result" in choose_device("auto").reason


def test_auto_takes_a_device_with_the_right_result(monkeypatch):
    ones = torch.ones
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", lambda *shape, device: ones(*shape))
    assert choose_device("auto") == ComputeDevice("cuda", "found and working")


@pytest.fixture
def two_gpus(monkeypatch):
    """Simulate two GPUs on which everything works; return the calls that select one."""
    ones, selected = torch.ones, []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", selected.append)
    monkeypatch.setattr(torch, "ones", lambda *shape, device: ones(*shape))
    return selected


def test_one_of_several_gpus_is_chosen_by_its_index(two_gpus):
    device = choose_device("cuda:1")
    assert device == ComputeDevice("cuda:1", "selected by the user")
    assert device.torch == torch.device("cuda", 1) and two_gpus == ["cuda:1"]
    assert choose_device("cuda").name == "cuda" and two_gpus == ["cuda:1"]


def test_an_index_that_does_not_exist_is_refused_with_those_that_do(two_gpus):
    assert "'cuda:2' does not work" in refusal("cuda:2")
    assert "the CUDA devices of this machine are cuda:0, cuda:1. Choose" in refusal("cuda:2")
    assert two_gpus == []


def test_an_error_without_a_message_is_still_a_reason(monkeypatch):
    def ones(*shape, device=None):
        raise RuntimeError

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", ones)
    assert "RuntimeError" in refusal("cuda")


def test_auto_takes_a_working_gpu(device):
    if device.type != "cuda":
        pytest.skip("for a machine with CUDA")
    assert choose_device().name == "cuda" and choose_device("cuda").reason == "selected by the user"


def test_a_device_is_described_with_the_version_of_torch(device):
    text = choose_device(device.type).description
    assert torch.__version__ in text
    assert ("threads" in text) if device.type == "cpu" else ("GiB" in text)


@pytest.mark.parametrize("name", [name for name in PRECISIONS if name != "auto"])
def test_a_precision_that_is_chosen_is_used(name):
    assert autocast_precision(name, CPU) is getattr(torch, name)


@pytest.mark.parametrize(
    ("able", "speed", "expected"),
    [
        (True, 3.0, torch.bfloat16),
        (True, 1.1, torch.float32),
        (True, 0.5, torch.float32),
        (False, 3.0, torch.float32),
    ],
)
def test_auto_takes_bfloat16_if_the_cpu_is_faster_with_it(monkeypatch, able, speed, expected):
    monkeypatch.setattr(compute_device, "_cpu_multiplies_bfloat16", lambda: able)
    monkeypatch.setattr(compute_device, "_bfloat16_speed", lambda: speed)
    assert autocast_precision("auto", CPU) is expected


def test_the_speed_up_is_measured_on_one_thread_and_the_number_is_restored():
    threads = torch.get_num_threads()
    assert compute_device._bfloat16_speed.__wrapped__() > 0
    assert torch.get_num_threads() == threads


def test_the_speed_up_is_measured_once():
    assert compute_device._bfloat16_speed() > 0
    assert compute_device._bfloat16_speed() == compute_device._bfloat16_speed()


@pytest.mark.parametrize(
    ("capability", "bf16", "amx", "expected"),
    [
        ("AVX512", True, False, True),
        ("AVX512", False, True, True),
        ("AVX512", False, False, False),
        ("AVX2", True, True, False),
        ("DEFAULT", True, True, False),
    ],
)
def test_only_avx_512_with_bf16_or_amx_multiplies_bfloat16(
    monkeypatch, capability, bf16, amx, expected
):
    cpu = torch.cpu
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(cpu, "_is_avx512_bf16_supported", lambda: bf16, raising=False)
    monkeypatch.setattr(cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    assert compute_device._cpu_multiplies_bfloat16() is expected


def test_an_apple_gpu_computes_in_float32():
    assert autocast_precision("auto", ComputeDevice("mps", "")) is torch.float32
