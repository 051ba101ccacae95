"""Make the low-dose twin of a normal-dose scan, or check the simulator."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..engine.compute_device import DEVICES, choose_device
from ..engine.errors import BadInputError
from ..engine.evaluation.metrics import psnr_4096, soft_tissue_noise
from ..engine.evaluation.pictures import check_picture_path, spectra_picture
from ..engine.evaluation.results_table import Column, check_block, markdown, replace_block
from ..engine.files.volume_files import check_output_path, check_place, read_volume, write_volume
from ..engine.report import NOTICE
from ..engine.simulation.low_dose import LowDoseSimulator, simulate_low_dose
from ..engine.simulation.reconstruction_kernels import KERNELS
from ..engine.simulation.simulator_check import (
    RealNoise,
    SimulatedNoise,
    acceptance,
    read_facts,
    simulated_noise,
)

FACTS = Path("../shared/data/noise_facts.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", nargs="?", type=Path, help="normal-dose scan (file or folder)")
    parser.add_argument("output", nargs="?", type=Path, help="file for its low-dose twin")
    parser.add_argument("--dose", type=float, default=0.25, help="fraction of the scan's dose")
    parser.add_argument(
        "--kernel", choices=KERNELS, default="soft", help="the scan's reconstruction kernel"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=DEVICES, default="auto")
    check = parser.add_argument_group("instead of a scan")
    check.add_argument(
        "--check", action="store_true", help="hold noise on the phantom against a real scanner's"
    )
    check.add_argument(
        "--facts", type=Path, help=f"JSON of the real scanner's figures (default: {FACTS})"
    )
    check.add_argument("--plot", type=Path, help="PNG for the noise power spectra")
    check.add_argument(
        "--page", type=Path, help="Markdown page whose block SIMULATOR is replaced by the table"
    )


def run(arguments: argparse.Namespace) -> int | None:
    if arguments.check:
        return _check(arguments)
    if arguments.facts or arguments.plot or arguments.page:
        raise BadInputError("--facts, --plot and --page belong to --check: add it.")
    if arguments.input is None or arguments.output is None:
        raise BadInputError("Give a scan and an output file, or --check.")
    _simulate(arguments)


def _simulate(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    if not 0 < arguments.dose <= 1:
        raise BadInputError(f"--dose {arguments.dose:g} is not above 0 and at most 1.")
    check_output_path(arguments.output)
    device = _device(arguments.device)
    scan = read_volume(arguments.input)
    check_output_path(arguments.output, scan)
    rows_mm, columns_mm = scan.pixel_size
    if abs(rows_mm - columns_mm) > 0.01 * rows_mm:
        raise BadInputError(
            f"{scan.name} has pixels of {columns_mm:g} x {rows_mm:g} mm: "
            "resample it to square ones."
        )

    kernel = KERNELS[arguments.kernel]
    simulator = LowDoseSimulator(rows_mm).fitted(scan.hu, kernel=kernel, seed=arguments.seed)
    with tqdm(total=len(scan.hu), unit="slice") as bar:
        low_dose = simulate_low_dose(
            scan.hu,
            simulator,
            arguments.dose,
            kernel,
            seed=arguments.seed,
            device=device,
            progress=lambda done, _: bar.update(done - bar.n),
        )
    write_volume(arguments.output, low_dose, scan, note=NOTICE)

    before, after = soft_tissue_noise(scan.hu), soft_tissue_noise(low_dose)
    print(f"Tube output fitted to the scan: N0 = {simulator.quanta:.0f} quanta a ray.")
    print(f"Noise in flat soft tissue: {before:.1f} HU at the scan's dose, ", end="")
    print(f"{after:.1f} HU at {arguments.dose:g} of it.")
    print(f"PSNR of the twin against the scan: {psnr_4096(low_dose, scan.hu):.2f} dB (range 4096).")
    print(f"Low-dose twin ({kernel.name} kernel, seed {arguments.seed}): {arguments.output}")


def _check(arguments: argparse.Namespace) -> int | None:
    from tqdm import tqdm

    if arguments.input:
        raise BadInputError("--check measures on the phantom: leave the scan out.")
    if arguments.plot:
        check_picture_path(arguments.plot)
    if arguments.page:
        check_place(arguments.page)
        check_block(arguments.page, "SIMULATOR")
    facts = _facts(arguments.facts)
    device = _device(arguments.device)
    with tqdm(unit="draw") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        measured = simulated_noise(seed=arguments.seed, device=device, progress=show)

    checks = [c for name, noise in measured.items() for c in acceptance(noise, facts.get(name))]
    rows = [
        {
            "kernel": check.kernel,
            "figure": check.figure,
            "measured": check.measured,
            "expected": check.expected,
            "tolerance": None if check.expected is None else check.tolerance,
            "passed": {True: "yes", False: "NO", None: None}[check.passed],
        }
        for check in checks
    ]
    columns = [
        Column("kernel", "kernel"),
        Column("figure", "figure"),
        Column("measured", "simulated", 3),
        Column("expected", "real scans, or the law" if facts else "the law", 3),
        Column("tolerance", "tolerance ±", 3),
        Column("passed", "within"),
    ]
    print(markdown(rows, columns))
    if arguments.page:
        replace_block(arguments.page, "SIMULATOR", markdown(rows, columns))
    for noise in measured.values():
        print(
            f"{noise.kernel} kernel: N0 = {noise.quanta:.0f} quanta a ray, fitted once; "
            f"{noise.sigma_hu:.1f} HU added in the liver at a quarter dose."
        )
    if facts:
        print("The real figures come from one scanner of one vendor.")
    if arguments.plot:
        _plot(arguments.plot, measured, facts)
        print(f"Noise power spectra: {arguments.plot}")
    return 1 if any(check.passed is False for check in checks) else None


def _facts(path: Path | None) -> dict[str, RealNoise]:
    if path is None and not FACTS.is_file():
        print(
            f"There is no file {FACTS}, so the noise is compared with no real scanner; --facts "
            "names another file.",
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


def _device(wanted: str) -> str:
    device = choose_device(wanted)
    print(f"Device: {device.description} ({device.reason})", file=sys.stderr)
    return device.name
