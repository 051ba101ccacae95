"""Benchmark part `variants`: seconds of a forward pass in different implementations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from PseudoCTDenoiseLib.ct.hounsfield import normalise
from PseudoCTDenoiseLib.markdown_table import Column, markdown

from .bench_setup import BenchSetup, load_networks
from .pass_variants import time_variants


def measure(setup: BenchSetup) -> Iterator[dict[str, dict[str, float]]]:
    """Yield the seconds of each variant for the denoiser and for a noise model."""
    denoiser, noise_models = load_networks("fast")
    slices = normalise(torch.from_numpy(setup.scan.ldct.astype(np.float32)))
    networks = {"fast": denoiser, "a noise model": noise_models[0]}
    yield {name: time_variants(network, slices) for name, network in networks.items()}


def table(variants: Mapping[str, Mapping[str, float]]) -> str:
    """Return the Markdown table of the variants, one variant per row."""
    names = dict.fromkeys(name for seconds in variants.values() for name in seconds)
    lines = [
        {"variant": name} | {network: 1000 * seconds[name] for network, seconds in variants.items()}
        for name in names
    ]
    columns = [Column("variant", "Forward pass on one slice, on the CPU")]
    columns += [Column(name, f"{name} (ms)", decimals=0) for name in variants]
    return markdown(lines, columns)
