"""Check the fit of the low-dose simulator's noise, on the phantom, to the noise of a scanner."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PseudoCTDenoiseLib.cli.output_guard import Output, add_overwrite_argument, check_outputs
from PseudoCTDenoiseLib.cli.setting_arguments import add_device_argument
from PseudoCTDenoiseLib.cli.side_outputs import SideOutputs
from PseudoCTDenoiseLib.ct.comparison_figure import check_png_path
from PseudoCTDenoiseLib.denoising.device import choose_device
from PseudoCTDenoiseLib.markdown_table import Column, markdown
from PseudoCTDenoiseLib.output_paths import check_writable

from ..results.pictures import spectra_picture
from ..results.results_table import check_block, replace_block
from .simulator_check import RealNoise, SimulatedNoise, acceptance, read_facts, simulated_noise

FACTS = Path("../shared/data/noise_facts.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--facts",
        type=Path,
        help=f"JSON with noise measurements of a real scanner (default: {FACTS})",
    )
    parser.add_argument("--plot", type=Path, help="PNG for the noise power spectra")
    parser.add_argument("--page", type=Path, help="Markdown page whose block SIMULATOR is replaced")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default: 0)")
    add_device_argument(parser)
    add_overwrite_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    if arguments.plot:
        check_png_path(arguments.plot)
    if arguments.page:
        check_writable(arguments.page)
        check_block(arguments.page, "SIMULATOR")
    outputs = [Output(arguments.plot)] if arguments.plot else []
    outputs += [Output(arguments.page, is_own=True)] if arguments.page else []
    check_outputs(outputs, [arguments.facts or FACTS], overwrite=arguments.overwrite)
    facts = _facts(arguments.facts)
    device = choose_device(arguments.device)
    print(f"Device: {device.description} ({device.reason})", file=sys.stderr)
    with tqdm(unit="draw") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        measured = simulated_noise(seed=arguments.seed, device=device.name, progress=show)

    checks = [c for name, noise in measured.items() for c in acceptance(noise, facts.get(name))]
    rows = [
        {
            "kernel": check.kernel,
            "metric": check.metric,
            "measured": check.measured,
            "expected": check.expected,
            "tolerance": None if check.expected is None else check.tolerance,
            "passed": {True: "yes", False: "NO", None: None}[check.passed],
        }
        for check in checks
    ]
    columns = [
        Column("kernel", "kernel"),
        Column("metric", "metric"),
        Column("measured", "simulated", 3),
        Column("expected", "real scans, or the law" if facts else "the law", 3),
        Column("tolerance", "tolerance ±", 3),
        Column("passed", "within"),
    ]
    print(markdown(rows, columns))
    side_outputs = SideOutputs()
    if arguments.page:
        with side_outputs.writing(arguments.page):
            replace_block(arguments.page, "SIMULATOR", markdown(rows, columns))
    for noise in measured.values():
        print(
            f"{noise.kernel} kernel: N0 = {noise.quanta:.0f} photons per ray, fitted once; "
            f"{noise.sigma_hu:.1f} HU added in the liver at 25 % dose."
        )
    if facts:
        print(
            "The real measurements come from one scanner of one vendor. The simulator was fitted "
            "to them, so the table checks the fit."
        )
    if arguments.plot:
        with side_outputs.writing(arguments.plot):
            _plot(arguments.plot, measured, facts)
            print(f"Noise power spectra: {arguments.plot}")
    return 1 if any(check.passed is False for check in checks) else side_outputs.exit_code


def _facts(path: Path | None) -> dict[str, RealNoise]:
    if path is None and not FACTS.is_file():
        print(
            f"The file {FACTS} does not exist, so the noise is not compared with a real scanner. "
            "Give another file with --facts.",
            file=sys.stderr,
        )
        return {}
    return read_facts(path or FACTS)


def _plot(path: Path, measured: dict[str, SimulatedNoise], facts: dict[str, RealNoise]) -> None:
    spectra_picture(
        path,
        {
            f"simulated, {name}": (noise.frequency_per_cm, noise.spectrum)
            for name, noise in measured.items()
        },
        {
            f"real {patient}": curve
            for name, noise in facts.items()
            for patient, curve in noise.patients.items()
        },
        title="Noise between full and quarter dose",
    )
