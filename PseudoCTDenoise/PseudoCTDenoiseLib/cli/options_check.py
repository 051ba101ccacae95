"""Check of options of `pseudoct denoise`, in a process of its own that loads torch for the caller.

The arguments are the options. The models are loaded, and nothing is read or written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..errors import BadInputError
from ..exit_codes import BAD_INPUT, DONE
from ..models.store import load_models
from ..printed_words import ERROR
from . import denoise
from .setting_arguments import read_settings


def main(options: Sequence[str]) -> int:
    """Return DONE, or print why every denoising would fail; argparse ends with BAD_INPUT too."""
    arguments = denoise.parse_arguments([*options, "--", "input", "output"])
    try:
        read_settings(arguments)
        load_models(arguments.model, arguments.models)
    except BadInputError as error:
        print(f"{ERROR}{error}", file=sys.stderr)
        return BAD_INPUT
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
