"""Every variant of a forward pass is timed, and no variant changes the network."""

import torch
from pseudoct_research.performance.pass_variants import DEFAULT_VARIANT, time_variants
from PseudoCTDenoiseLib.models.networks import UNet


def test_every_variant_is_timed_and_leaves_network_and_threads_unchanged():
    torch.manual_seed(0)
    network = UNet([4, 8]).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    threads = torch.get_num_threads()
    seconds = time_variants(network, torch.rand(4, 32, 32), runs=1)
    assert next(iter(seconds)) == DEFAULT_VARIANT and len(seconds) == 8
    assert min(seconds.values()) > 0
    assert network.training and torch.get_num_threads() == threads
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
