"""Does training teach who somebody is? Drawn people, a small model, our trainer; docs/learning.md has what came of it.

    python -m benchmarks.learning                      the full recipe, three seeds: docs/learning.md and its pictures
    python -m benchmarks.learning --recipe cut         what the tests run
    python -m benchmarks.learning --seeds 0            one seed

To be run with the Python of the environment that tools/test.py makes. Stopped and started again, it goes on.
"""

import argparse
import os
import platform
from datetime import date
from pathlib import Path

from tools import paths
from tools.console import run_command, say
from tools.host import start_host

from . import HOST_ARGUMENTS, report


def main() -> int:
    """Run the seeds, write numbers and pictures; 1 if a criterion is not met."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--recipe", choices=("full", "cut"), default="full", help="(default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    parser.add_argument(
        "--folder",
        type=Path,
        default=paths.HOST / "learning",
        help="where everything is kept (default: .host)",
    )
    parser.add_argument("--pictures", action="store_true", help="draw those of the page; full does anyway")
    options = parser.parse_args()
    # On the CPU everywhere: the figures are to be the same, and a graphics card would hardly be faster.
    start_host(os.environ.get("COMFYUI_PATH") or str(paths.COMFYUI), HOST_ARGUMENTS)

    import torch

    from .experiment import RECIPES, SHUFFLED, TRAINED, Experiment, verdicts
    from .figures import write_figures

    recipe, seeds, as_wanted = RECIPES[options.recipe], {}, True
    experiments = []
    for seed in options.seeds:
        experiment = Experiment(
            recipe, seed, options.folder, lambda text, seed=seed: say(f"seed {seed}: {text}")
        )
        found = experiment.run()
        experiments.append(experiment)
        seeds[str(seed)] = {}
        for training in (TRAINED, SHUFFLED):
            judged = verdicts(found["before"], found[training])
            for verdict in judged:
                say(f"seed {seed}, {training}: {'yes' if verdict.passed else 'NO '} {verdict.criterion}")
            as_wanted &= all(one.passed for one in judged) == (training == TRAINED)
            t = {"wrong": judged[2].numbers["t"], "nobody": judged[3].numbers["t"]}
            seeds[str(seed)][training] = report.row_values(found["before"], found[training], t)
    conditions = f"{date.today().isoformat()}, {platform.machine()}, PyTorch {torch.__version__}"
    report.write(recipe.name, {"recipe": vars(recipe), "conditions": conditions, "seeds": seeds})
    report.write_page()
    if recipe.name == "full" or options.pictures:
        write_figures(experiments)
    return 0 if as_wanted else 1


if __name__ == "__main__":
    run_command(main)
