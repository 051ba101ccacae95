"""Research commands of `pseudoct`, named by an entry point of this package."""

_COMMANDS = {
    "phantom": ("phantom.phantom_command", "generate the torso phantom"),
    "compare": ("evaluation.compare_command", "compare methods on pairs of LDCT and NDCT"),
    "evaluate": (
        "evaluation.evaluate_command",
        "compare methods on scans at simulated low dose",
    ),
    "study": (
        "evaluation.study_command",
        "ablation of the default method by component, pre-trained model, dose and step",
    ),
    "real-pairs": (
        "evaluation.real_pairs_command",
        "measure the default method on slices of the AAPM challenge at full and quarter dose",
    ),
    "check-simulator": (
        "evaluation.check_simulator_command",
        "check the fit of the simulator's noise to a scanner's",
    ),
    "quality": (
        "image_quality.quality_command",
        "measure noise, resolution, HU bias and detectability of a denoiser",
    ),
    "pretrain": ("training.pretrain_command", "train a denoiser or a noise model"),
    "trials": ("training.trials_command", "compare networks and training settings by short runs"),
    "bench": (
        "performance.bench_command",
        "time the methods on scans of many sizes, and profile a job",
    ),
    "table1": ("paper.table1_command", "the paper's table 1"),
    "figures": ("paper.figures_command", "the paper's figures 2 and 3"),
    "ablate": ("paper.ablate_command", "ablation of the paper's loop by setting"),
}
COMMANDS = {name: (f"{__package__}.{module}", text) for name, (module, text) in _COMMANDS.items()}
"""Name → (module with ``add_arguments`` and ``run``, summary)."""
