"""What a new photo costs, part by part, and what a changed prompt costs: the nodes of the portrait workflow.

Rounds use photos that differ in brightness, so nothing of an earlier one is found in a cache. The facial parts come
from a label map, because the stand-in for the face parser sees none; the parser runs and is timed all the same.
"""

import tempfile
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tools import paths

from ..job import Job
from ..rows import Row, count, interleave, ratio, seconds
from ..stopwatch import Stopwatch, Target

_ASSETS = paths.WORKFLOWS / "assets"
_PROMPT = "cinematic photo of a woman in a forest, number {}"
_NEGATIVE = "monochrome, lowres, bad anatomy, number {}"

#: What the parts of the cold path are called in the table, in the order of the workflow.
PARTS = {
    "parse": "parsing the face",
    "embed": "detecting and recognising the face",
    "clip": "CLIP vision, photo and parts",
    "encoder": "facial encoder",
    "text": "encoding the texts",
    "fuse": "fusing parts and words",
    "projection": "ID tokens, their keys and values",
    "lora": "LoRA handed to the model (merged by the sampler)",
}


def measure(job: Job) -> dict[str, Row]:
    job.start_host()
    import folder_paths
    import torch

    with tempfile.TemporaryDirectory() as temp, torch.inference_mode():
        folder_paths.set_temp_directory(temp)  # previews are a part of what the nodes do
        return measure_workflow(Workflow.load(job), job)


@dataclass
class Workflow:
    """The models of the portrait workflow, and its nodes in their order.

    model, clip, clip_vision: as ComfyUI's loaders give them.  consistentid, parser: as the pack's do.
    """

    family: str
    model: Any
    clip: Any
    clip_vision: Any
    consistentid: Any
    parser: Any

    def __post_init__(self) -> None:
        from ..adapter import run_node

        self._photo, self._labels = _picture("astronaut.png"), _picture("astronaut_labels.png")
        template = {"sd15": "SD1.5", "sdxl": "SDXL"}[self.family]
        (self._caption,) = run_node("ConsistentIDFaceCaptioner", mode="template", template=template)
        self._parse_size = {"sd15": "512", "sdxl": "1280"}[self.family]

    @classmethod
    def load(cls, job: Job) -> "Workflow":
        import comfy.clip_vision
        import comfy.sd

        from tools.standins import catalogue

        from ..adapter import load_adapter, load_unet, offer, run_node

        # Of SDXL the UNet that is measured has no text encoders; those of the narrow stand-in are of full size.
        texts = (catalogue.SDXL if job.family == "sdxl" else catalogue.FULL)[catalogue.CHECKPOINT]
        others = (catalogue.CLIP_VISION, catalogue.FACE_PARSER, catalogue.INSIGHTFACE)
        measured = job.models(catalogue.MEASURED[job.family])
        models = job.models({"text": texts, **{key: catalogue.FULL[key] for key in others}})
        offer(models.values())
        path = {key: str(one.folder / one.name) for key, one in models.items()}
        return cls(
            job.family,
            load_unet(measured[catalogue.CHECKPOINT]),
            comfy.sd.load_checkpoint_guess_config(path["text"], output_vae=False, output_model=False)[1],
            comfy.clip_vision.load(path[catalogue.CLIP_VISION]),
            load_adapter(measured[catalogue.CONSISTENTID]),
            run_node("ConsistentIDFaceParserLoader", model_name=models[catalogue.FACE_PARSER].name)[0],
        )

    def photo(self, number: int):
        """The portrait, a little darker for each number."""
        return (self._photo - number / 255).clamp(0, 1)

    def parse(self, photo) -> None:
        from ..adapter import run_node

        run_node(
            "ConsistentIDFaceParser",
            face_parser=self.parser,
            image=photo,
            parse_size=self._parse_size,
            no_face="no parts (original)",
        )

    def parts(self, photo):
        from ..adapter import run_node

        return run_node("ConsistentIDFacePartsFromMap", image=photo, label_map=self._labels)[0]

    def encode(self, face_parts, number: int) -> None:
        from ..adapter import run_node

        run_node(
            "ConsistentIDFaceEncoder",
            clip=self.clip,
            clip_vision=self.clip_vision,
            consistentid=self.consistentid,
            face_parts=face_parts,
            prompt=_PROMPT.format(number),
            negative_prompt=_NEGATIVE.format(number),
            caption=self._caption,
            mode="original",
            merge_percent=0.6,
        )

    def embed(self, photo):
        from ..adapter import run_node

        return run_node("ConsistentIDEmbedding", image=photo)[0]

    def apply(self, id_embed, face_parts) -> None:
        from ..adapter import run_node

        run_node(
            "ConsistentIDApply",
            model=self.model,
            consistentid=self.consistentid,
            id_embed=id_embed,
            clip_vision=self.clip_vision,
            face_parts=face_parts,
            weight=1.0,
            lora_weight=1.0,
            start_percent=0.0,
            end_percent=1.0,
        )

    def encode_plainly(self, number: int) -> None:
        """Both texts by ComfyUI's CLIP Text Encode."""
        for text in (_PROMPT.format(number), _NEGATIVE.format(number)):
            self.clip.encode_from_tokens_scheduled(self.clip.tokenize(text))


def _picture(name: str):
    import numpy as np
    import torch
    from PIL import Image

    picture = np.asarray(Image.open(_ASSETS / name).convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(picture).unsqueeze(0)


def measure_workflow(workflow: Workflow, job: Job) -> dict[str, Row]:
    from ..device import clock_of, finish, time_of

    passes: list[int] = []  # pictures in each
    workflow.clip_vision.model.register_forward_pre_hook(
        lambda module, args, kwargs: passes.append(len(kwargs["pixel_values"])), with_kwargs=True
    )

    def cold(number: int) -> dict[str, float]:
        """Seconds of a new photo, whole and by part."""
        passes.clear()
        photo = workflow.photo(number)
        parts = workflow.parts(photo)
        with Stopwatch(_targets(workflow), clock_of(job.device), lambda: finish(job.device)) as watch:
            parse = time_of(lambda: workflow.parse(photo), job.device)
            encode = time_of(lambda: workflow.encode(parts, 0), job.device)
            started: list = []
            embed = time_of(lambda: started.append(workflow.embed(photo)), job.device)
            apply = time_of(lambda: workflow.apply(started[0], parts), job.device)
        whole = parse + encode + embed + apply
        taken = {**watch.seconds, "parse": parse, "embed": embed}
        return {"whole": whole, **taken, "rest": whole - sum(taken.values())}

    first = cold(0)
    rounds = [cold(number) for number in range(1, job.rounds + 1)]
    cold_passes = list(passes)

    parts = workflow.parts(workflow.photo(0))
    workflow.encode(parts, 0)
    passes.clear()
    number = iter(range(1, 1_000_000))
    warm = interleave(
        {
            "hosts": lambda: time_of(lambda: workflow.encode_plainly(next(number)), job.device),
            "noise": lambda: time_of(lambda: workflow.encode_plainly(next(number)), job.device),
            "ours": lambda: time_of(lambda: workflow.encode(parts, next(number)), job.device),
        },
        job.rounds,
    )
    return {
        "first": seconds("the first photo of all", [first["whole"]]),
        **_cold_rows(rounds),
        "cold_passes": count("passes through CLIP vision for a new photo", len(cold_passes)),
        "cold_pictures": count("pictures in them", sum(cold_passes)),
        "warm": seconds("a changed prompt", warm["ours"]),
        "warm_noise": ratio("CLIP Text Encode of both texts, again ÷ itself", warm["noise"], warm["hosts"]),
        "warm_ratio": ratio("a changed prompt ÷ CLIP Text Encode of both texts", warm["ours"], warm["hosts"]),
        "warm_passes": count("passes through CLIP vision for a changed prompt", len(passes)),
    }


def _targets(workflow: Workflow) -> dict[str, list[Target]]:
    """What is timed inside the nodes; the parser and the recogniser are nodes of their own."""
    from consistentid_pack.consistentid_core.networks.facial_encoder import FacialEncoder
    from consistentid_pack.consistentid_core.networks.id_key_values import IDKeyValueProjection
    from consistentid_pack.consistentid_core.networks.projection import IDProjection
    from consistentid_pack.nodes import apply

    return {
        "clip": [(workflow.clip_vision.model, "forward")],
        "encoder": [(FacialEncoder, "encode_parts")],
        "text": [(type(workflow.clip), "encode_from_tokens_scheduled")],
        "fuse": [(FacialEncoder, "fuse")],
        "projection": [(IDProjection, "forward"), (IDKeyValueProjection, "forward")],
        "lora": [(apply, "merge_lora")],
    }


def _cold_rows(rounds: list[dict[str, float]]) -> dict[str, Row]:
    """The whole of a new photo, then its parts with their shares."""
    taken = defaultdict(list)
    for one in rounds:
        for name, value in one.items():
            taken[name].append(value)
    whole = taken["whole"]
    rows = {"cold": seconds("a new photo", whole)}
    for name, what in {**PARTS, "rest": "the rest: pictures, previews, moving models"}.items():
        rows[f"cold_{name}"] = seconds(f"— {what}", taken[name], whole)
    return rows
