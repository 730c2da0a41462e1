"""Building training data: each step of the chain, storing, and one or two workers.

Parser and recogniser are of the true architecture; the stand-in of the detector is not and costs less than the
released one, and the caption is the fixed sentence. With LLaVA, captions take most of the time.
"""

import tempfile
import time
from pathlib import Path

from tools import paths
from tools.standins import catalogue

from ..job import Job
from ..rows import Row, interleave, ratio, seconds, size

#: Photos in a round of one or two workers: enough to outweigh their start, which is not counted.
_PHOTOS = 40


def measure(job: Job) -> dict[str, Row]:
    from consistentid_core.data.steps import Settings

    wanted = {key: catalogue.FULL[key] for key in (catalogue.FACE_PARSER, catalogue.INSIGHTFACE)}
    models = job.models(wanted)
    parser, faces = (models[key].folder / models[key].name for key in wanted)
    settings = Settings(
        face_parser=str(parser),
        insightface=(str(_root_of(faces)),),
        device=job.device,
        provider="CUDA" if job.device == "cuda" else "CPU",
    )
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder, "photos"), _PHOTOS)
        return {
            **measure_steps(Path(folder), settings, job.rounds),
            **measure_workers(Path(folder), settings),
        }


def write_photos(folder: Path, how_many: int) -> None:
    """So many photos of 768 x 768 pixels, each a little different."""
    from PIL import Image, ImageDraw

    folder.mkdir()
    with Image.open(paths.WORKFLOWS / "assets" / "astronaut.png") as astronaut:
        photo = astronaut.convert("RGB").resize((768, 768))
    for number in range(how_many):
        one = photo.copy()
        ImageDraw.Draw(one).rectangle((number, 0, number + 3, 3), fill="white")
        one.save(folder / f"{number:02}.jpg", quality=92)


def measure_steps(folder: Path, settings, rounds: int) -> dict[str, Row]:
    """One photo through each step in turn."""
    from consistentid_core.data.build import finish_rows, open_store, plan
    from consistentid_core.data.steps import STEPS

    stores = {form: open_store(folder / f"steps_{form}", form) for form in ("folder", "shards")}
    (first, *_) = plan(folder / "photos", stores["folder"]).pending
    taken = {}
    steps = {name: make(settings) for name, make in STEPS.items()}
    row = first
    for name, step in steps.items():
        taken[name] = row
        row = step(row)
    cases = {name: (lambda name=name: _time(lambda: steps[name](taken[name]))) for name in steps}
    cases |= {
        form: (lambda store=store: _time(lambda: finish_rows([row], store))) for form, store in stores.items()
    }
    spent = interleave(cases, rounds)
    whole = [sum(values) for values in zip(*(spent[name] for name in (*steps, "folder")), strict=True)]
    titles = {
        "read": "reading a photo, square copy",
        "parse": "face parser",
        "recognise": "face vectors of photo and copy (stand-in detector)",
        "caption": "caption: the fixed sentence",
        "folder": "storing it in folders, overlay included",
    }
    return {
        **{name: seconds(title, spent[name], whole) for name, title in titles.items()},
        "shards": seconds("storing it in a shard of its own instead", spent["shards"]),
        "portrait": seconds("a portrait, all steps and folders", whole),
        "folder_bytes": size("a portrait in folders", _size(stores["folder"].root)),
        "shard_bytes": size("a portrait in shards", _size(stores["shards"].root)),
    }


def measure_workers(folder: Path, settings) -> dict[str, Row]:
    """All photos with Ray, by one worker a step and by two; without the first batch, which waits for the start."""
    from consistentid_core.data.build import open_store, plan
    from consistentid_core.data.progress import Progress
    from consistentid_core.data.ray_engine import BATCH, Workers, build_with_ray

    each = {}
    for workers in (1, 2):
        store = open_store(folder / f"ray{workers}", "shards")
        pending = plan(folder / "photos", store).pending
        build_with_ray(pending, store, settings, Progress("", len(pending)), workers=Workers(workers))
        stored = sorted(path.stat().st_mtime for path in store.root.glob("shards/*.tar"))
        each[workers] = (stored[-1] - stored[BATCH - 1]) / (len(stored) - BATCH)
    return {
        "one_worker": seconds("a portrait with one worker a step (Ray)", [each[1]]),
        "two_workers": ratio("the same with two workers a step ÷ one", [each[2]], [each[1]]),
    }


def _time(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _root_of(buffalo: Path) -> Path:
    """The InsightFace folder that a ``buffalo_l`` folder or one of its files lies in."""
    parents = (buffalo, *buffalo.parents)
    return next(folder.parent.parent for folder in parents if folder.name == "buffalo_l")
