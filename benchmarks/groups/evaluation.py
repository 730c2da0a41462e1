"""Scoring pictures: what it takes beyond reading them and the networks' own time.

Networks are of the true architectures with random weights (CLIP ViT-B/32, DINO ViT-S/16, Inception, IResNet-50,
BiSeNet, AlexNet); the stand-in of the detector is not and costs less than the released one, so the ratio is of
networks that are too fast.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from tools import judges, paths
from tools.standins import catalogue

from ..job import Job
from ..rows import Row, interleave, ratio, seconds, size
from ..stopwatch import Stopwatch

#: Pictures in a round, of the size of the paper's.
_PICTURES, _SIZE = 6, (512, 768)


def measure(job: Job) -> dict[str, Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        collection = write_pictures(folder)
        networks = true_networks(job, folder)
        return measure_scoring(collection, networks, folder, job.rounds)


def write_pictures(folder: Path, how_many: int = _PICTURES) -> Any:
    """So many different pictures of one person, as PNG, and a reference."""
    from PIL import Image, ImageDraw

    from consistentid_core.evaluation.pictures import Collection, Item, Subject

    with Image.open(paths.WORKFLOWS / "assets" / "astronaut.png") as astronaut:
        portrait = astronaut.convert("RGB").resize(_SIZE)
    portrait.save(folder / "reference.png")
    subject = Subject("somebody", folder / "reference.png")
    items = []
    for number in range(how_many):
        one = portrait.copy()
        ImageDraw.Draw(one).rectangle((8 * number, 0, 8 * number + 6, 6), fill="white")
        one.save(folder / f"{number:02}.png")
        items.append(Item(f"{number}", folder / f"{number:02}.png", (subject,), f"a photo, {number}"))
    return Collection("benchmark", items)


def true_networks(job: Job, folder: Path) -> Any:
    """All networks that judge, on the device of the job."""
    import torch
    from torchmetrics.functional.image.lpips import _LPIPS
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer, ViTConfig, ViTModel

    from consistentid_core.evaluation.clip import ClipEncoder
    from consistentid_core.evaluation.dino import DinoEncoder
    from consistentid_core.evaluation.inception import load_inception
    from consistentid_core.evaluation.networks import Files, load_networks
    from consistentid_core.evaluation.perceptual import Perceptual

    wanted = {key: catalogue.FULL[key] for key in (catalogue.FACE_PARSER, catalogue.INSIGHTFACE)}
    parser, faces = job.models(wanted).values()
    buffalo = faces.folder / faces.name
    insightface = next(one.parent.parent for one in (buffalo, *buffalo.parents) if one.name == "buffalo_l")
    provider = "CUDA" if job.device == "cuda" else "CPU"
    networks = load_networks(
        Files(
            insightface=insightface,
            face_parser=parser.folder / parser.name,
            device=job.device,
            provider=provider,
        )
    )
    tokenizer = CLIPTokenizer.from_pretrained(Path(job.comfyui) / "comfy" / "sd1_tokenizer")
    clip = CLIPModel(CLIPConfig()).train(False).to(job.device)
    networks.clips = [ClipEncoder(clip, tokenizer, name="clip", sha256="clip")]
    small = ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536)
    dino = ViTModel(small, add_pooling_layer=False).train(False)
    networks.dino = DinoEncoder(dino, name="dino", sha256="dino").to(torch.device(job.device))
    networks.inception = load_inception(judges.write_inception(folder), job.device)
    alexnet = _LPIPS(net="alex", pnet_rand=True).to(job.device)
    networks.perceptual = Perceptual(alexnet, name="alexnet", sha256="alexnet", device=job.device)
    return networks


def measure_scoring(collection: Any, networks: Any, folder: Path, rounds: int) -> dict[str, Row]:
    """Score everything anew, beside reading the pictures alone; and once more with all that is kept."""
    from consistentid_core.data.sources import open_photo
    from consistentid_core.evaluation.feature_store import FeatureStore
    from consistentid_core.evaluation.score import score

    inside: list[float] = []
    count = len(collection.items) + 1
    kept = folder / "kept"
    score(collection, networks, FeatureStore(kept))

    def read() -> float:
        files = (*(item.picture for item in collection.items), collection.items[0].subjects[0].reference)
        return _time(lambda: [open_photo(file.read_bytes()) for file in files])

    def anew() -> float:
        with (
            tempfile.TemporaryDirectory() as name,
            Stopwatch({"networks": targets(networks)}, time.perf_counter) as watch,
        ):
            spent = _time(lambda: score(collection, networks, FeatureStore(Path(name))))
            inside.append(watch.seconds["networks"])
        return spent

    def again() -> float:
        return _time(lambda: score(collection, networks, FeatureStore(kept)))

    spent = interleave({"read": read, "anew": anew, "again": again}, rounds)
    own = inside[1:]  # the first round warms up
    base = [a + b for a, b in zip(spent["read"], own, strict=True)]
    return {
        "scoring": ratio("scoring pictures ÷ reading them + the networks' own time", spent["anew"], base),
        "picture": seconds("a picture, all metrics", [value / count for value in spent["anew"]]),
        "networks": seconds(
            "of it in networks", [value / count for value in own], [v / count for v in spent["anew"]]
        ),
        "again": ratio("scoring the same again ÷ the first time", spent["again"], spent["anew"]),
        "kept_bytes": size("what is kept of a picture", _size(kept) // count),
    }


def targets(networks: Any) -> list[tuple[Any, str]]:
    """Every call into a network, by its class: where its own time begins and ends."""
    import onnxruntime

    from consistentid_core.faces.bisenet import BiSeNet

    clip = networks.clips[0]._model
    modules = (clip.vision_model, clip.text_model, networks.dino.model, networks.inception._network)
    classes = dict.fromkeys(type(one) for one in (*modules, networks.perceptual._network))
    return [(one, "forward") for one in (*classes, BiSeNet)] + [(onnxruntime.InferenceSession, "run")]


def _time(call: Any) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
