"""The model files of the pack: what is there, fetch what is missing, check it, convert it.

    python -m consistentid_core.files list
    python -m consistentid_core.files fetch sd15
    python -m consistentid_core.files verify
    python -m consistentid_core.files convert ../../models/consistentid/ConsistentID-v1.bin

Run it in the pack's folder with ComfyUI's Python. Only fetch opens a connection, and only after its question
about the licences. What was fetched in part goes on with the same command.

Exit codes: 0 all is well; 1 an error that is named, or files that verify finds damaged; 2 called wrongly, or
the licences were not accepted; 130 ended by Ctrl-C.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ..command_line import run_command
from ..errors import DownloadError
from ..finding import Candidate, content_of, fitting
from .atomic import write_whole
from .catalogue import (
    CLIP_VISION,
    CONSISTENTID_SD15,
    CONSISTENTID_SDXL,
    DETECTOR,
    EXAMPLE_FILES,
    FACE_PARSER,
    JUDGE,
    MODEL_FILES,
    RECOGNISER,
    Archive,
    ModelFile,
)
from .convert import convert
from .fetch import Source, checksum, fetch
from .fetch_folder import fetch_folder, is_whole
from .resolve import candidate_folders
from .unpack import unpack
from .weights_file import PICKLE_EXTENSIONS, SAFETENSORS_EXTENSIONS

#: Where ComfyUI keeps its models, seen from the pack in its custom_nodes.
_MODELS = Path(__file__).resolve().parents[4] / "models"

_OF_BOTH = (FACE_PARSER, DETECTOR, RECOGNISER, CLIP_VISION)
#: All that a portrait needs besides a checkpoint, by base model.
SETS = {"sd15": (CONSISTENTID_SD15, *_OF_BOTH), "sdxl": (CONSISTENTID_SDXL, *_OF_BOTH)}
#: Every single file, by its key.
FILES = {file.key: file for file in (*MODEL_FILES, *EXAMPLE_FILES, JUDGE)}


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(_parser(), arguments, stopped="What is there stays; the same command goes on from it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m consistentid_core.files",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="list | fetch | verify | convert")

    listing = commands.add_parser("list", help="say which files are there, and where the others come from")
    listing.set_defaults(run=_list)

    fetching = commands.add_parser("fetch", help="fetch files that are missing")
    fetching.add_argument(
        "what",
        nargs="*",
        default=["sd15"],
        type=_known,
        help=f"{' or '.join(SETS)}: all that a portrait needs besides a checkpoint (sd15 if nothing is named); or "
        f"single files: {', '.join(FILES)}",
    )
    fetching.add_argument(
        "--accept-licence", action="store_true", help="accept the licences without a question"
    )
    fetching.set_defaults(run=_fetch)

    verifying = commands.add_parser("verify", help="compare the files that are there with what was published")
    verifying.set_defaults(run=_verify)

    converting = commands.add_parser("convert", help="make .safetensors of .bin, .pt, .pth or .ckpt")
    converting.add_argument("file", type=Path, nargs="+", help="a ConsistentID file or a face parser")
    converting.add_argument("--replace", action="store_true", help="write over a conversion that is there")
    converting.set_defaults(run=_convert)

    for command in (listing, fetching, verifying):
        command.add_argument("--models", type=Path, default=_MODELS, help="ComfyUI's models folder")
    return parser


def _known(what: str) -> str:
    if what not in SETS and what not in FILES:
        raise argparse.ArgumentTypeError(f"there is no '{what}'; choose of {', '.join((*SETS, *FILES))}")
    return what


# --- list -------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    models = _models_folder(options)
    for file in MODEL_FILES:
        found = list(_found(file, models))
        for path in found:
            print(f"found    {file.what}: {path}")
        if not found:
            print(f"missing  {file.what}: {_describe(file)}\n         fetch {file.key}; {file.address}")
    return 0


def _describe(file: ModelFile) -> str:
    archive = f" from {file.archive.name}" if file.archive else ""
    return f"{file.name}{archive}, {_size(file.size)}, to models/{file.place}; licence: {file.licence}"


def _found(file: ModelFile, models: Path) -> Iterator[Path]:
    """Where a file is: weights are known by what they hold, the others by their names."""
    if file in (DETECTOR, RECOGNISER):
        folders = candidate_folders(models / folder for folder in file.folders)
        yield from (folder / file.name for folder in folders if (folder / file.name).is_file())
    elif file.is_folder:
        places = [models / folder / file.name for folder in file.folders]
        yield from (place for place in places if is_whole(place))
    elif file in MODEL_FILES:
        yield from (one.path for one in fitting(_weights(file, models), file))
    else:  # nothing of the pack reads it, so nothing tells it by content
        yield from (path for path in [models / file.place / file.name] if path.is_file())


def _weights(file: ModelFile, models: Path) -> list[Candidate]:
    extensions = (*SAFETENSORS_EXTENSIONS, *PICKLE_EXTENSIONS)
    paths = (path for folder in file.folders for path in sorted((models / folder).rglob("*")))
    return [
        Candidate(path.name, path) for path in paths if path.suffix.lower() in extensions and path.is_file()
    ]


# --- fetch ------------------------------------------------------------------------------------------------


def _fetch(options: argparse.Namespace) -> int:
    models = _models_folder(options)
    wanted = dict.fromkeys(file for what in options.what for file in SETS.get(what) or (FILES[what],))
    missing = []
    for file in wanted:
        # Those of one archive are of use in one folder.
        others = [other for other in wanted if file.archive and other.archive == file.archive]
        together = (
            one
            for one in _found(file, models)
            if all((one.parent / other.name).is_file() for other in others)
        )
        path = next(together, None)
        if path is None:
            missing.append(file)
        else:
            print(f"{file.what}: there already, {path}")
    if not missing:
        return 0
    print(f"\nTo fetch, into {models}:")
    for file in missing:
        print(f"  {file.what}: {_describe(file)}{_replaces(file, models)}")
    if not (options.accept_licence or _asks()):
        print(
            "Nothing was fetched: the licences were not accepted. Say yes to the question, or give --accept-licence.",
            file=sys.stderr,
        )
        return 2
    for archive in dict.fromkeys(file.archive for file in missing):
        of_archive = [file for file in missing if file.archive == archive]
        if archive is not None:
            _fetch_archive(archive, of_archive, models)
            continue
        for file in of_archive:
            _fetch_one(file, models / file.place / file.name)
    print("Done. In ComfyUI press R to refresh the lists.")
    return 0


def _replaces(file: ModelFile, models: Path) -> str:
    """What a file takes the place of: one of its name that is something else."""
    target = models / file.place / file.name
    if file.archive or not target.is_file():
        return ""
    return f"; in place of {target}, which is {content_of(target).kind}"


def _asks() -> bool:
    """Whether somebody is there and says yes."""
    if not sys.stdin.isatty():
        return False
    try:
        answer = input("\nFetch these and accept their licences? [y/N] ")
    except EOFError:  # Ctrl-D
        return False
    return answer.strip().lower() in ("y", "yes")


def _fetch_one(file: ModelFile, target: Path) -> None:
    if file.is_folder:
        fetch_folder(file.address, target)
        return
    with _Progress(file.name) as on_progress:
        fetch(Source(file.address, file.size, file.sha256), target, on_progress=on_progress)
    # Where no checksum is known, at least it must be what it is called.
    if file in MODEL_FILES and content_of(target).file is not file:
        kind = content_of(target).kind
        target.unlink()
        raise DownloadError(
            f"What came from {file.address} is no {file.what} but {kind}. It was deleted. Look at the address in a "
            "browser."
        )


def _fetch_archive(archive: Archive, files: Sequence[ModelFile], models: Path) -> None:
    packed = models / files[0].folders[0] / archive.name
    with _Progress(archive.name) as on_progress:
        fetch(Source(archive.address, archive.size, archive.sha256), packed, on_progress=on_progress)
    for file, data in unpack(packed, files):
        target = models / file.place / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, data)
    packed.unlink()


class _Progress:
    """A bar on the terminal, with bytes, rate and the time that is left."""

    def __init__(self, name: str):
        from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

        every = 0.2 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(desc=name, unit="B", unit_scale=True, mininterval=every)

    def __enter__(self) -> Callable[[int, int | None], None]:
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _show(self, done: int, total: int | None) -> None:
        if self._bar.total is None and total is not None:
            self._bar.reset(total)
            self._bar.initial = done  # the rate is of what comes now
        self._bar.update(done - self._bar.n)


# --- verify -----------------------------------------------------------------------------------------------


def _verify(options: argparse.Namespace) -> int:
    models = _models_folder(options)
    damaged = 0
    for file in MODEL_FILES:
        for path in dict.fromkeys((*_found(file, models), *_misnamed(file, models))):
            verdict, is_well = _compared(file, path)
            damaged += not is_well
            print(f"{'ok     ' if is_well else 'DAMAGED'}  {file.what}: {path}: {verdict}")
    if damaged:
        print(f"\n{damaged} damaged: delete them, and fetch them again.", file=sys.stderr)
    return 1 if damaged else 0


def _misnamed(file: ModelFile, models: Path) -> Iterable[Path]:
    """Files under the very name of this one that are not it."""
    if file.is_folder or file in (DETECTOR, RECOGNISER):
        return ()
    weights = _weights(file, models)
    return [one.path for one in weights if one.name == file.name and content_of(one.path).file is not file]


def _compared(file: ModelFile, path: Path) -> tuple[str, bool]:
    """What a comparison with the published file says, and whether the file can be used."""
    if file.is_folder:
        return "a folder; no checksum is published", True
    by_content = file not in (DETECTOR, RECOGNISER)
    if by_content and content_of(path).file is not file:
        return content_of(path).kind, False
    if path.stat().st_size == file.size:
        is_same = file.sha256 is None or checksum(path) == file.sha256
        return ("as published" if is_same else "the published size, but another sha256"), is_same
    if not by_content:
        return f"{path.stat().st_size:,} bytes, published are {file.size:,}", False
    return f"keys and shapes fit, {path.stat().st_size:,} bytes; no checksum is known of this edition", True


# --- convert ----------------------------------------------------------------------------------------------


def _convert(options: argparse.Namespace) -> int:
    for path in options.file:
        print(f"wrote {convert(path, replace=options.replace)}: the same tensors as {path.name}")
    return 0


def _models_folder(options: argparse.Namespace) -> Path:
    if not options.models.is_dir():
        raise FileNotFoundError(
            f"'{options.models}' is no folder. Name ComfyUI's models folder with --models."
        )
    return options.models


def _size(size: int | None) -> str:
    if size is None:
        return "size not published"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
