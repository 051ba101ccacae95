"""List the models, check their weights, or print the model card of one of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import nn

from ..markdown_table import Column, markdown
from ..models.card import model_card
from ..models.catalog import SHIPPED_MODELS
from ..models.store import list_models, load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models",
        type=Path,
        default=SHIPPED_MODELS,
        help="folder of models (default: the shipped models)",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="load each model to check its weights")
    action.add_argument(
        "--card", metavar="NAME", help="print the model card of a model as Markdown"
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.card is not None:
        network, manifest = load_model(arguments.card, arguments.models)
        print(model_card(manifest, _weights(network)), end="")
        return
    rows = []
    for manifest in list_models(arguments.models):
        rows.append(
            {
                "name": manifest.name,
                "role": manifest.role,
                "network": manifest.architecture,
                "steps": manifest.steps,
                "patients": len(manifest.training.get("scans", ())),
                "metrics": ", ".join(f"{k} {v:g}" for k, v in manifest.metrics.items()),
            }
        )
        if arguments.check:
            network, _ = load_model(manifest.name, arguments.models)
            rows[-1]["weights"] = f"{_weights(network) / 1e6:.2f} M, intact"
    headings = {
        "name": "Model",
        "role": "Role",
        "network": "Network",
        "steps": "Steps",
        "patients": "Patients",
        "metrics": "On validation scans",
        "weights": "Weights",
    }
    shown = [Column(key, text) for key, text in headings.items() if rows and key in rows[0]]
    if rows:
        print(markdown(rows, shown))
    else:
        print(f"No models in {arguments.models}. Choose another folder with --models.")


def _weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
