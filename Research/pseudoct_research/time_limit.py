"""The option ``--minutes`` of commands that resume."""

from __future__ import annotations

import argparse


def add_time_limit(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default=float("inf"),
        help="start no new work after this time; the same command resumes the run",
    )


def _minutes(text: str) -> float:
    duration = float(text)
    if not duration >= 0:
        raise ValueError
    return duration
