"""Exponential moving average of a network's weights during training."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def moving_average(network: nn.Module, decay: float | None) -> AveragedModel | None:
    """Return an average that keeps the fraction ``decay`` at each update; None without a decay."""
    if decay is None:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


def averaged(network: nn.Module, average: AveragedModel | None) -> nn.Module:
    """Return the network with the averaged weights, or without an average the network itself."""
    return network if average is None else average.module
