"""The networks: the layers of the paper, slices of any size, deterministic output."""

import pytest
import torch
from PseudoCTDenoiseLib.errors import BadInputError
from PseudoCTDenoiseLib.models.networks import (
    RedCnn,
    UNet,
    build_network,
    have_one_trunk,
)
from torch import nn

TINY = {
    "red-cnn": lambda: RedCnn(channels=4),
    "u-net": lambda: UNet(widths=[4, 8]),
    "noise u-net": lambda: UNet(widths=[4, 8], residual=False),
    "u-net, three levels, no unshuffle": lambda: UNet(widths=[4, 4, 4], unshuffle=1),
}


@pytest.fixture(params=TINY)
def network(request, device):
    torch.manual_seed(0)
    return TINY[request.param]().to(device).eval()


def slices(rows, columns, device="cpu", count=1):
    generator = torch.Generator().manual_seed(rows * 1000 + columns)
    return torch.rand(count, 1, rows, columns, generator=generator).to(device)


def test_red_cnn_has_the_papers_layers_and_weights():
    network = RedCnn()
    layers = [*network.encoder, *network.decoder]
    assert [type(layer) for layer in layers] == [nn.Conv2d] * 5 + [nn.ConvTranspose2d] * 5
    assert all(layer.kernel_size == (5, 5) and layer.stride == (1, 1) for layer in layers)
    assert all(layer.padding == (0, 0) for layer in layers)
    widths = [(layer.in_channels, layer.out_channels) for layer in layers]
    assert widths == [(1, 96), *[(96, 96)] * 8, (96, 1)]
    # 2·(25·96) + 8·(25·96²) weights, 9·96 + 1 biases
    assert sum(p.numel() for p in network.parameters()) == 1_848_865


def test_red_cnn_has_three_shortcuts():
    network = RedCnn(channels=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for layer in [*network.encoder, *network.decoder]:
            layer.weight[0, 0, 2, 2] = 1
        x = 0.25 + slices(60, 50)
        # Every layer copies its input, so each shortcut adds what stands out from water once more.
        wanted = (x + 3 * (x - 0.25))[..., 20:-20, 20:-20]
        assert torch.allclose(network(x)[..., 20:-20, 20:-20], wanted, atol=1e-5)
        for layer in network.decoder:
            layer.weight.zero_()
        assert torch.equal(network(x), x)


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (20, 21), (33, 50), (513, 200)], ids=str)
@torch.no_grad()
def test_a_slice_of_any_size_keeps_its_size(network, device, size):
    output = network(slices(*size, device, count=2))
    assert output.shape == (2, 1, *size) and output.isfinite().all()


@torch.no_grad()
def test_slices_of_a_batch_are_independent(network, device):
    x = slices(30, 30, device, count=3)
    assert torch.allclose(network(x)[1:2], network(x[1:2]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "shift", "reach"),
    [("red-cnn", (3, 1), 20), ("u-net", (4, 8), 28), ("noise u-net", (8, 4), 28)],
)
@torch.no_grad()
def test_the_output_shifts_with_the_input(name, shift, reach):
    torch.manual_seed(1)
    network = TINY[name]()
    x = slices(96, 92)
    down, right = shift
    moved = network(x[..., down:, right:])
    whole = network(x)[..., down:, right:]
    inside = (..., slice(reach, -reach), slice(reach, -reach))
    assert torch.allclose(moved[inside], whole[inside], atol=1e-6)
    # A network that ignores its input would pass the line above.
    assert network(x).std() > 1e-3


def test_a_residual_u_net_is_its_input_minus_the_predicted_noise():
    denoiser, noise_model = UNet([4, 8], residual=True), UNet([4, 8], residual=False)
    noise_model.load_state_dict(denoiser.state_dict())
    x = slices(31, 45)
    assert torch.equal(denoiser(x), x - noise_model(x))


def test_u_nets_have_one_trunk_if_only_their_last_layers_differ():
    torch.manual_seed(0)
    one, same, other = UNet([4, 8]), UNet([4, 8], residual=False), UNet([4, 8])
    assert not have_one_trunk([one, same])
    same.load_state_dict(one.state_dict())
    with torch.no_grad():
        for name, weight in same.named_parameters():
            if name in same.last_layers():
                weight += 1
    assert have_one_trunk([one, same]) and not have_one_trunk([one, same, other])
    assert not have_one_trunk([one, UNet([4, 16])]) and not have_one_trunk([RedCnn(2), RedCnn(2)])
    image = torch.rand(1, 1, 20, 26)
    with torch.no_grad():
        assert torch.equal(same.finish(image, one.features(image)), same(image))


def test_a_u_net_with_a_zero_last_layer_is_the_identity():
    denoiser = UNet([4, 8])
    nn.init.zeros_(denoiser.tail.weight)
    nn.init.zeros_(denoiser.tail.bias)
    x = slices(10, 10)
    assert torch.equal(denoiser(x), x)


def test_every_weight_has_a_gradient(network, device):
    network(slices(40, 40, device)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_half_precision_stays_close_to_float32(network, device, precision):
    x = slices(40, 40, device)
    exact = network(x)
    with torch.autocast(device.type, precision):
        output = network(x)
    assert output.shape == exact.shape
    assert (output.float() - exact).abs().max() < 0.02


@torch.no_grad()
def test_the_image_itself_is_never_rounded_to_half_precision(network, device):
    seen = []
    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda _, given, out: seen.append(out.dtype))
    with torch.autocast(device.type, torch.bfloat16):
        network(slices(40, 40, device))
    first, *later = seen
    assert first == torch.float32
    assert set(later) == {torch.bfloat16}


def test_the_same_manifest_builds_the_same_network():
    network = build_network("UNet", {"widths": [4, 8], "unshuffle": 1, "residual": False})
    assert isinstance(network, UNet) and not network.residual and network.unshuffle == 1
    assert build_network("RedCnn", {"channels": 3}).encoder[1].in_channels == 3


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [
        ("Transformer", {}),
        ("redcnn", {}),
        ("RedCnn", {"widths": [4]}),
        ("RedCnn", {"channels": "many"}),
        ("RedCnn", {"channels": -1}),
        ("UNet", {"widths": []}),
        ("UNet", {"widths": [4, None]}),
        ("UNet", {"unshuffle": None}),
        ("UNet", ["widths"]),
    ],
)
def test_an_unknown_network_is_refused_by_name(architecture, parameters):
    with pytest.raises(BadInputError, match=architecture) as caught:
        build_network(architecture, parameters)
    assert "\n" not in str(caught.value)


def test_the_shipped_fast_takes_less_than_a_hundredth_of_the_operations_of_red_cnn():
    """Check a number in the README."""
    from PseudoCTDenoiseLib.models.store import load_model
    from torch.utils.flop_counter import FlopCounterMode

    def operations(network):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network.to("meta")(torch.empty(1, 1, 512, 512, device="meta"))
        return counter.get_total_flops()

    ratio = operations(RedCnn(96)) / operations(load_model("fast")[0])
    assert ratio == pytest.approx(111, rel=0.1) and ratio > 100
