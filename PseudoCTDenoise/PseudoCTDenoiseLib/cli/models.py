"""List the models, check their weights, or print the model card of one of them.

A model that cannot be used is listed as broken. With --check it also counts as an error.
"""

from __future__ import annotations

import argparse
import sys
from operator import itemgetter
from typing import Any

from torch import nn

from ..errors import BadInputError
from ..exit_codes import BAD_INPUT, DONE
from ..markdown_table import Column, markdown
from ..models.card import model_card
from ..models.catalog import DENOISER
from ..models.manifest import Manifest, broken_models, list_models
from ..models.store import load_model, load_models
from ..printed_words import ERROR
from .setting_arguments import add_models_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_models_argument(parser)
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--check",
        action="store_true",
        help="load each model, and the models that a denoiser needs, to check their weights",
    )
    action.add_argument(
        "--card", metavar="NAME", help="print the model card of a model as Markdown"
    )


def run(arguments: argparse.Namespace) -> int:
    if not arguments.models.is_dir():
        raise BadInputError(
            f"There is no folder {arguments.models}. Choose another folder with --models."
        )
    if arguments.card is not None:
        network, manifest = load_model(arguments.card, arguments.models)
        print(model_card(manifest, _weights(network)), end="")
        return DONE
    no_models = f"No models in {arguments.models}. Choose another folder with --models."
    rows = [_row(manifest) for manifest in list_models(arguments.models)]
    broken = broken_models(arguments.models)
    problems = [model.problem for model in broken]
    for row in rows if arguments.check else ():
        try:
            network, _ = load_model(row["name"], arguments.models)
            row["weights"] = f"{_weights(network) / 1e6:.2f} M, intact"
        except BadInputError as error:
            row["weights"] = "broken"
            problems.append(str(error))
            continue
        try:
            if row["role"] == DENOISER:
                load_models(row["name"], arguments.models)
        except BadInputError as error:  # of a model that it needs
            problems.append(str(error))
    rows += [{"name": model.name, "role": "broken"} for model in broken]
    headings = {
        "name": "Model",
        "role": "Role",
        "network": "Network",
        "steps": "Steps",
        "patients": "Patients",
        "metrics": "On validation scans",
        "weights": "Weights",
    }
    shown = [Column(key, text) for key, text in headings.items() if any(key in row for row in rows)]
    if rows:
        print(markdown(sorted(rows, key=itemgetter("name")), shown))
    elif not arguments.check:
        print(no_models)
    elif not problems:
        problems.append(no_models)
    for problem in dict.fromkeys(problems):
        print(f"{ERROR}{problem}", file=sys.stderr)
    return BAD_INPUT if arguments.check and problems else DONE


def _row(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "role": manifest.role,
        "network": manifest.architecture,
        "steps": manifest.steps,
        "patients": len(manifest.training.get("scans", ())),
        "metrics": ", ".join(f"{k} {v:g}" for k, v in manifest.metrics.items()),
    }


def _weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
