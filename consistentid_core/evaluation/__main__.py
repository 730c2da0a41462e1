"""Draw the pictures of a protocol, score them, and show what came out.

    python -m consistentid_core.evaluation plan PEOPLE RUN --workflow WORKFLOW --protocol paper
    python -m consistentid_core.evaluation run RUN --server 127.0.0.1:8188
    python -m consistentid_core.evaluation score RUN --insightface FOLDER --recogniser FILE --clip FOLDER ...
    python -m consistentid_core.evaluation report RUN
    python -m consistentid_core.evaluation compare RUN_A RUN_B

Every command goes on where it was ended. Options can stand in a file, one a line: ``score RUN @networks.txt``.
Exit codes: 0 done, 1 stopped by an error it names, 2 pictures are missing, 130 by Ctrl-C.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..command_line import run_command
from ..data.progress import Progress
from ..data.sources import find_sources
from ..errors import ConsistentIDError, EvaluationError
from ..identity.face_choice import FACE_ORDERS, LARGE_TO_SMALL
from ..identity.providers import AUTO, PROVIDERS
from .compare import compare
from .compare import described as compared
from .feature_store import FeatureStore
from .networks import Files, load_networks
from .people import find_people
from .pictures import collect
from .plan import described, make_plan, read_plan, write_plan
from .prompts import read_prompts
from .protocols import PROTOCOLS
from .report import write_report
from .result import FILE as RESULT
from .result import read_result, write_result
from .run import run_plan, summary
from .score import score
from .servers import Server
from .workflow import read_workflow

_FEATURES = "features"


def main(arguments: Sequence[str] | None = None) -> int:
    # InsightFace uses what scikit-image is about to rename, and says so for every photo.
    warnings.filterwarnings("ignore", category=FutureWarning, module="insightface")
    return run_command(
        _parser(), arguments,
        stopped="What is there stays; the same command goes on from there.",
        errors=(ConsistentIDError, ValueError, OSError),
    )  # fmt: skip


class _ReadingOptions(argparse.ArgumentParser):
    """Of a file of options, each line is an option and its value; paths may have spaces."""

    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        return [] if arg_line.startswith("#") else arg_line.strip().split(maxsplit=1)


def _parser() -> argparse.ArgumentParser:
    parser = _ReadingOptions(
        prog="python -m consistentid_core.evaluation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        fromfile_prefix_chars="@",
    )
    commands = parser.add_subparsers(required=True, metavar="plan | run | score | report | compare")

    plan = commands.add_parser("plan", help="write the jobs of a protocol")
    plan.add_argument("people", type=Path, help="folder with a folder of photos for each person")
    plan.add_argument("folder", type=Path, metavar="run", help="folder of the run; made if it is not there")
    plan.add_argument("--workflow", type=Path, required=True, help="API format, such as one in workflows/api")
    plan.add_argument("--protocol", choices=PROTOCOLS, default="paper", help="(default: %(default)s)")
    plan.add_argument("--prompts", type=Path, help=".txt, .json or .csv in place of the protocol's own")
    plan.add_argument("--pictures", type=int, help="of each person and prompt; the protocol's by default")
    plan.add_argument("--seed", type=int, default=2024, help="(default: %(default)s)")
    plan.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="inputs of the workflow: steps=20 width=512",
    )
    plan.add_argument("--no-plain", action="store_true", help="draw nothing without the person")
    plan.add_argument("--plain-workflow", type=Path, help="of the plain model; for workflows of other packs")
    plan.add_argument("--skip-unusable", action="store_true", help="leave out photos that cannot be used")
    plan.set_defaults(run=_plan)

    run = commands.add_parser("run", help="draw the pictures on one or several ComfyUI servers")
    run.add_argument("folder", type=Path, metavar="run")
    run.add_argument(
        "--server", nargs="+", default=["http://127.0.0.1:8188"], help="addresses (default: %(default)s)"
    )
    run.add_argument(
        "--patience", type=float, default=60.0, help="seconds a server may be gone (default: %(default)s)"
    )
    run.add_argument("--stop-at-failure", action="store_true", help="end with the first picture that fails")
    run.set_defaults(run=_run)

    scoring = commands.add_parser("score", help="compute all metrics that the given networks allow")
    scoring.add_argument("folder", type=Path, help="a run, MultiID-Bench's folder, or pictures with a table")
    scoring.add_argument("--table", type=Path, help="CSV or JSON: picture, reference, person, prompt ...")
    scoring.add_argument("--insightface", type=Path, help="folder that holds buffalo_l; finds the faces")
    scoring.add_argument(
        "--recogniser",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="further ONNX files that judge",
    )
    scoring.add_argument(
        "--bgr-recogniser",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="the same for networks that were trained on BGR, as AdaFace was",
    )
    scoring.add_argument("--face-parser", type=Path, help="BiSeNet's file, for FGIS")
    scoring.add_argument("--dino", type=Path, help="folder of DINO ViT-S/16, for FGIS and DINO")
    scoring.add_argument(
        "--clip", type=Path, nargs="+", action="extend", default=[], help="folders: ViT-L/14, ViT-B/32"
    )
    scoring.add_argument("--inception", type=Path, help="torch-fidelity's file, for FID and KID")
    scoring.add_argument("--lpips", type=Path, help="torchvision's AlexNet, for diversity")
    scoring.add_argument(
        "--photos", type=Path, help="folder that FID compares with; the people's photos by default"
    )
    scoring.add_argument(
        "--face", choices=FACE_ORDERS, default=LARGE_TO_SMALL, help="which of several faces is meant"
    )
    scoring.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: %(default)s)")
    scoring.add_argument("--provider", choices=(AUTO, *PROVIDERS), default=AUTO, help="for face networks")
    scoring.add_argument("--batch", type=int, default=16, help="pictures at once (default: %(default)s)")
    scoring.add_argument("--stop-at-problem", action="store_true", help="end if a picture cannot be used")
    scoring.add_argument("--output", type=Path, help=f"file of the result; {RESULT} in the folder by default")
    scoring.set_defaults(run=_score)

    report = commands.add_parser("report", help="write HTML, CSV and JSON of a result")
    report.add_argument("result", type=Path, help=f"{RESULT}, or its folder")
    report.add_argument("--output", type=Path, help="folder to write to; that of the result by default")
    report.set_defaults(run=_report)

    both = commands.add_parser("compare", help="pair two results, picture by picture")
    both.add_argument("a", type=Path, help=f"{RESULT}, or its folder")
    both.add_argument("b", type=Path)
    both.add_argument("--output", type=Path, help="also write it as JSON")
    both.set_defaults(run=_compare)
    return parser


def _plan(options: argparse.Namespace) -> int:
    _at_least_one(options, "pictures")
    people, refused = find_people(options.people)
    if refused and not options.skip_unusable:
        listed = "".join(f"\n  {one.name}: {one.reason} ({one.detail})" for one in refused[:20])
        raise EvaluationError(
            f"{len(refused)} photos or people cannot be used:{listed}\nMend or remove them, or add --skip-unusable."
        )
    protocol = PROTOCOLS[options.protocol]
    prompts = read_prompts(options.prompts) if options.prompts is not None else protocol.prompts()
    plan = make_plan(
        protocol,
        people,
        prompts,
        read_workflow(options.workflow),
        pictures=options.pictures,
        seed=options.seed,
        settings=_settings(options.set),
        plain=not options.no_plain,
        plain_workflow=None if options.plain_workflow is None else read_workflow(options.plain_workflow),
    )
    path = write_plan(options.folder, plan)
    for one in refused:
        print(f"left out: {one.name}: {one.reason} ({one.detail})", file=sys.stderr)
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"{described(plan, prompts)}. Plan: {path}")
    return 0


def _run(options: argparse.Namespace) -> int:
    plan = read_plan(options.folder)
    servers = [Server(url) for url in dict.fromkeys(options.server)]
    outcome = run_plan(
        plan,
        options.folder,
        servers,
        patience=options.patience,
        stop_at_failure=options.stop_at_failure,
    )
    print(summary(outcome, options.folder))
    return 2 if outcome.left or outcome.failed else 0


def _score(options: argparse.Namespace) -> int:
    _at_least_one(options, "batch")
    collection = collect(options.folder, options.table)
    networks = load_networks(
        Files(
            insightface=options.insightface,
            recognisers=tuple(options.recogniser),
            bgr_recognisers=tuple(options.bgr_recogniser),
            face_parser=options.face_parser,
            dino=options.dino,
            clips=tuple(options.clip),
            inception=options.inception,
            lpips=options.lpips,
            device=options.device,
            provider=options.provider,
        )
    )
    photos = [Path(one.path) for one in find_sources(options.photos)[0]] if options.photos is not None else []
    if options.photos is not None and not photos:
        raise EvaluationError(
            f"No photos are in '{options.photos}'. Name a folder of photos, or leave --photos out."
        )
    output = options.output or options.folder / RESULT
    result = score(
        collection,
        networks,
        FeatureStore(output.parent / _FEATURES),
        photos=photos,
        order=options.face,
        batch=options.batch,
        stop_at_problem=options.stop_at_problem,
        progress=_shown("Looking at pictures"),
    )
    write_result(output, result)
    counts = result["counts"]
    for one in result["problems"][:20]:
        print(f"left out: {one['name']}: {one['reason']} ({one['detail']})", file=sys.stderr)
    for one in result["not_computed"]:
        print(f"not computed: {one['metric']}: {one['why']}", file=sys.stderr)
    print(
        f"{counts['pictures']:,} pictures of {counts['people']:,} people scored, {len(result['metrics'])} metrics, "
        f"{counts['problems']:,} problems. Result: {output}"
    )
    return 0


def _report(options: argparse.Namespace) -> int:
    result = read_result(options.result)
    folder = options.output or (options.result if options.result.is_dir() else options.result.parent)
    print(f"Report: {write_report(folder, result)}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    found = compare(read_result(options.a), read_result(options.b))
    if options.output is not None:
        write_result(options.output, found)
    print(compared(found))
    return 0


def _settings(texts: Sequence[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ValueError(f"--set {text} is not of the form steps=20.")
        settings[name] = _number(value)
    return settings


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _at_least_one(options: argparse.Namespace, name: str) -> None:
    value = getattr(options, name)
    if value is not None and value < 1:
        raise ValueError(f"--{name} is {value}; give 1 or more.")


def _shown(what: str) -> Callable[[int], Progress]:
    return lambda total: Progress(what, total)


if __name__ == "__main__":
    sys.exit(main())
