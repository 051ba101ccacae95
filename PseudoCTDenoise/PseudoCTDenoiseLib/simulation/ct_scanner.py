"""Scanner model of the low-dose simulator: geometry, tube output and electronic noise.

Fan beam over 360 degrees. The source rotates at 595 mm around the centre; the curved detector of
736 channels is 1085.6 mm from the source. Angles are in radians, lengths in mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

WATER_ATTENUATION = 0.0192
"""Linear attenuation coefficient of water in 1/mm at the beam's effective energy."""


@dataclass(frozen=True)
class CtScanner:
    """Geometry and tube output; the defaults describe a common 64-slice scanner.

    ``modulation`` is the exponent k of the tube current, ∝ exp(k · largest line integral of the
    view); ``bowtie`` is the fraction of the attenuation of a 32 cm water cylinder that the bowtie
    filter compensates; ``electronic_noise`` is the read-out variance in units of detected quanta.
    """

    source_to_centre: float = 595.0
    source_to_detector: float = 1085.6
    channels: int = 736
    channel_pitch: float = 1.2858
    views: int = 720
    modulation: float = 0.5
    bowtie: float = 0.5
    electronic_noise: float = 10.0

    @property
    def channel_angle(self) -> float:
        """Angle between adjacent channels, seen from the source."""
        return self.channel_pitch / self.source_to_detector

    @property
    def half_fan(self) -> float:
        """Half of the fan angle."""
        return self.channel_angle * self.channels / 2

    @property
    def field_radius(self) -> float:
        """Radius of the field of view, which every view covers completely."""
        return self.source_to_centre * math.sin(self.half_fan)


def fan_line_integrals(
    hu: torch.Tensor, pixel_mm: float, scanner: CtScanner, views: int = 180, channels: int = 184
) -> torch.Tensor:
    """Return line integrals of the attenuation along fan-beam rays.

    The default sampling is four times coarser than that of the scanner. This is sufficient because
    line integrals are smooth and only determine the variance of the noise.

    Parameters
    ----------
    hu : (slices, rows, columns), HU.

    Returns
    -------
    (slices, views, channels), without unit. The source of view v is at the angle 2π·v/views; the
    ray of channel c is at the angle (c + ½)·fan/channels − fan/2 from the central ray.
    """
    rows, columns = hu.shape[-2:]
    attenuation = WATER_ATTENUATION * (1 + hu / 1000).clamp(min=0)
    pooling = max(2, max(rows, columns) // 256)  # large images need no finer sampling
    attenuation = F.avg_pool2d(
        attenuation[:, None], pooling, ceil_mode=True, count_include_pad=False
    )

    radius = max(scanner.field_radius, pixel_mm * math.hypot(rows, columns) / 2)
    radius = min(radius, scanner.source_to_centre)
    step = pooling * pixel_mm
    depth = torch.arange(-radius, radius, step, device=hu.device) + scanner.source_to_centre
    fan = (torch.arange(channels, device=hu.device) + 0.5) / channels * 2 - 1
    direction = fan * scanner.half_fan
    # If the size is not a multiple of the pooling, the pooled image is larger and off-centre.
    half_height, half_width = (size * step / 2 for size in attenuation.shape[-2:])
    down, right = half_height - rows * pixel_mm / 2, half_width - columns * pixel_mm / 2

    integrals = []
    for view in range(views):
        source = 2 * math.pi * view / views
        x = scanner.source_to_centre * math.cos(source) - depth * torch.cos(
            source + direction[:, None]
        )
        y = scanner.source_to_centre * math.sin(source) - depth * torch.sin(
            source + direction[:, None]
        )
        grid = torch.stack([(x - right) / half_width, (y - down) / half_height], dim=-1)
        samples = F.grid_sample(
            attenuation, grid.expand(len(hu), -1, -1, -1), align_corners=False, mode="bilinear"
        )
        integrals.append(samples[:, 0].sum(dim=-1) * step)
    return torch.stack(integrals, dim=1)


def relative_fluence(line_integrals: torch.Tensor, scanner: CtScanner) -> torch.Tensor:
    """Return log(fluence / N0) of each fan-beam ray before it enters the patient.

    It combines the tube-current modulation along the views and the bowtie filter along the
    channels. Its shape is (slices, views, channels), as that of ``line_integrals``.
    """
    strongest = line_integrals.amax(dim=-1, keepdim=True)
    channels = line_integrals.shape[-1]
    fan = (torch.arange(channels, device=line_integrals.device) + 0.5) / channels * 2 - 1
    offset = scanner.source_to_centre * torch.sin(fan * scanner.half_fan)
    cylinder = 2 * WATER_ATTENUATION * (160.0**2 - offset**2).clamp(min=0).sqrt()
    return scanner.modulation * strongest + scanner.bowtie * (cylinder - cylinder.max())
