"""The moving average of a network's weights while it is trained."""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def moving_average(network: nn.Module, keep: float | None) -> AveragedModel | None:
    """An average that keeps the share ``keep`` of itself at each update; None for no average."""
    if keep is None:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(keep))


def averaged(network: nn.Module, average: AveragedModel | None) -> nn.Module:
    """The network of the averaged weights; without an average, the network itself."""
    return network if average is None else average.module
