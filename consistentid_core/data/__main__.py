"""Build training data from a folder of portraits, and check a set.

    python -m consistentid_core.data build PHOTOS SET --models ComfyUI/models
    python -m consistentid_core.data check SET

A build that is ended, however, goes on with the same command. Exit codes of build: 0 done, 1 stopped by an
error it names, 130 by Ctrl-C; of check: 0 all is well, 1 training would lose or read less of some portraits,
2 nothing to train on.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from ..command_line import run_command
from ..errors import ConsistentIDError, MissingModelError
from ..files.catalogue import FACE_PARSER
from ..files.resolve import named
from ..identity.providers import AUTO, PROVIDERS
from .build import SHARD_ROWS, build_here, open_store, plan
from .check import Tokenizer, check_set, describe
from .progress import Progress
from .ray_engine import Workers, build_with_ray
from .report import write_report
from .steps import Settings, check_settings

#: Where ComfyUI keeps its models and CLIP's tokenizer, seen from the pack in its custom_nodes.
_COMFYUI = Path(__file__).resolve().parents[4]


def main(arguments: Sequence[str] | None = None) -> int:
    # InsightFace uses what scikit-image is about to rename, and says so for every photo.
    warnings.filterwarnings("ignore", category=FutureWarning, module="insightface")
    return run_command(
        _parser(), arguments,
        stopped="What is stored stays; the same command goes on from there.",
        errors=(ConsistentIDError, ValueError, OSError),
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m consistentid_core.data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="build | check")

    build = commands.add_parser("build", help="build a set from a folder of photos")
    build.add_argument("photos", type=Path, help="folder with photos, sub-folders included")
    build.add_argument("set", type=Path, help="folder of the set; made if it is not there")
    build.add_argument("--models", type=Path, default=_COMFYUI / "models", help="ComfyUI's models folder")
    build.add_argument(
        "--face-parser", type=Path, help="file of the face parser; found in --models by default"
    )
    build.add_argument(
        "--insightface", type=Path, help="folder that holds buffalo_l; insightface in --models by default"
    )
    build.add_argument(
        "--captions",
        default="sentence",
        help="sentence (the original's fixed one), file:PATH (JSON, JSONL or CSV) or llava:FOLDER",
    )
    build.add_argument(
        "--form",
        choices=("folder", "shards"),
        default="folder",
        help="folder: the original's layout, to look into; shards: tar and Parquet, for large sets",
    )
    build.add_argument("--shard-rows", type=int, default=SHARD_ROWS, help="portraits in a shard")
    build.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local: this process; ray: pools of workers",
    )
    build.add_argument("--workers", type=int, default=1, help="ray: workers of each step")
    build.add_argument(
        "--gpus", type=float, default=0.0, help="ray: share of a graphics card for each worker"
    )
    build.add_argument("--address", default="", help="ray: of a running cluster")
    build.add_argument("--device", default="cpu", help="of parser and captioner: cpu, cuda, mps")
    build.add_argument("--provider", choices=(AUTO, *PROVIDERS), default=AUTO, help="for face recognition")
    build.add_argument(
        "--keep-faceless", action="store_true", help="keep photos without a face, as the original"
    )
    build.add_argument("--retry", action="store_true", help="try photos again that were put aside")
    build.set_defaults(run=_build)

    check = commands.add_parser("check", help="say what training would use of a set")
    check.add_argument("set", type=Path)
    check.add_argument(
        "--tokenizer",
        type=Path,
        default=_COMFYUI / "comfy" / "sd1_tokenizer",
        help="folder with CLIP's tokenizer, to count tokens; ComfyUI's own by default",
    )
    check.set_defaults(run=_check)
    return parser


def _build(options: argparse.Namespace) -> int:
    for name in ("workers", "shard_rows"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} is {getattr(options, name)}; give 1 or more.")
    store = open_store(options.set, options.form)
    settings = Settings(
        face_parser=str(options.face_parser or _find_face_parser(options.models)),
        insightface=(str(options.insightface or options.models / "insightface"),),
        captions=options.captions,
        device=options.device,
        provider=options.provider,
        keep_faceless=options.keep_faceless,
    )
    check_settings(settings)
    todo = plan(options.photos, store, retry=options.retry, progress=_shown("Reading photos"))
    print(
        f"{len(todo.pending):,} photos to build, {todo.done:,} done before, {todo.held:,} put aside before, "
        f"{len(todo.refused):,} files not taken",
        file=sys.stderr,
    )
    progress = Progress("Building", len(todo.pending))
    at_once = options.shard_rows if options.form == "shards" else 1
    if todo.pending and options.engine == "ray":
        workers = Workers(options.workers, options.gpus, options.address)
        build_with_ray(todo.pending, store, settings, progress, workers=workers, rows_at_once=at_once)
    elif todo.pending:
        build_here(todo.pending, store, settings, progress, rows_at_once=at_once)
    progress.end()
    portraits = store.finish()
    report = write_report(options.set)
    print(f"{portraits:,} portraits in '{options.set}'. Report: {report}")
    return 0


def _check(options: argparse.Namespace) -> int:
    progress = Progress("Checking", _size(options.set))
    findings = check_set(options.set, tokenize=_tokenizer(options.tokenizer), each=progress.step)
    progress.end()
    print(describe(findings))
    return findings.exit_code


def _size(root: Path) -> int:
    from .folder_store import record_files
    from .reading import open_portraits
    from .records import JSON

    return len(record_files(root)) if (root / JSON).is_dir() else len(open_portraits(root))


def _find_face_parser(models: Path) -> Path:
    searched = [models / folder for folder in FACE_PARSER.folders]
    for folder in searched:
        for name in named(FACE_PARSER, folder):
            return folder / name
    raise MissingModelError(
        f"No {FACE_PARSER.what} found in {', '.join(map(str, searched))}. Fetch {FACE_PARSER} from "
        f"{FACE_PARSER.address}, or name the file with --face-parser; --models names ComfyUI's models folder."
    )


def _tokenizer(folder: Path) -> Tokenizer | None:
    """CLIP's tokenizer from a folder, or None if it is not there."""
    if not (folder / "vocab.json").is_file():
        return None
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder)
    return lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]


def _shown(what: str) -> Callable[[int], Progress]:
    return lambda total: Progress(what, total)


if __name__ == "__main__":
    sys.exit(main())
