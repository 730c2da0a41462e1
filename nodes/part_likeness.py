"""Part Likeness: FGIS, the likeness of two faces part by part."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import comfy.model_management
import comfy.utils
import numpy as np
import torch
from comfy_api.latest import io

from ..consistentid_core.errors import MissingModelError, NobodyError, NoFaceError
from ..consistentid_core.evaluation.metrics.fgis import (
    CROPS,
    TIGHT,
    PartEncoder,
    PartScores,
    compare_parts,
    encode_parts,
    face_square,
    mean_of_photos,
    part_crops,
)
from ..consistentid_core.evaluation.wording import describe_parts
from ..consistentid_core.faces.face_parts import find_parts
from ..consistentid_core.families import FAMILIES
from ..consistentid_core.files.catalogue import DINO
from ..consistentid_core.identity.face_analysis import FaceAnalyser
from ..consistentid_core.identity.face_choice import LARGE_TO_SMALL, detect_faces, photo_name
from ..consistentid_core.identity.providers import AUTO
from .host.face_inputs import AS_ID_EMBEDDING, face_provider, face_threshold
from .host.inputs import FileChoice
from .host.older import SHOWN_ON_CACHED_RUNS
from .host.pictures import to_pictures
from .models.face_parser import FaceParserModel
from .models.face_recognition import face_analyser
from .models.part_encoder import ClipEncoder, ManagedDino, find_dino_folder, list_dino_folders
from .models.types import CATEGORY, FaceParserType
from .previews.part_likeness import part_likeness_ui

NO_DINO = "none (connect clip_vision)"


class PartLikeness(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        models = list_dino_folders()
        return io.Schema(
            node_id="ConsistentIDPartLikeness",
            display_name="Part Likeness",
            category=CATEGORY,
            description="How alike face, eyes, ears, nose and mouth are in a photo of the person and in pictures: "
            "FGIS, the paper's fine-grained measure. Only parts that both show are compared.",
            search_aliases=[
                "fgis",
                "fine-grained identity similarity",
                "facial parts",
                "dino",
                "compare faces",
            ],
            is_output_node=True,
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                FaceParserType.Input("face_parser", tooltip="From Load Face Parser."),
                io.Image.Input(
                    "photos", tooltip="A photo of the person; of several the scores are averaged."
                ),
                io.Image.Input("image", tooltip="The pictures to judge."),
                FileChoice(
                    "dino",
                    options=[*models, NO_DINO],
                    default=models[0] if models else NO_DINO,
                    tooltip=f"A folder in models/dino with the files of DINO ViT-S/16 ({DINO.name}).",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="Any CLIP vision model, used in place of DINO. Its scores are higher and less apart, and "
                    "cannot be compared with DINO's.",
                ),
                io.Combo.Input(
                    "crops",
                    options=list(CROPS),
                    default=TIGHT,
                    optional=True,
                    tooltip="tight: the square around each part. masked: the face on black, the likeliest reading of "
                    "the paper, but mostly black is compared with black.",
                ),
                face_threshold(
                    "The lowest detection score of a face. The largest face of a picture is compared."
                ),
                face_provider(AS_ID_EMBEDDING),
            ],
            outputs=[
                io.Float.Output(
                    "scores",
                    is_output_list=True,
                    tooltip="The mean over the parts of each picture, a list for Likeness Gate; 0 without a face.",
                ),
                io.Float.Output(
                    "coverage",
                    is_output_list=True,
                    tooltip="The share of the photo's parts that each picture shows too.",
                ),
                io.String.Output("text", tooltip="The score of every part, in words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        face_parser: FaceParserModel,
        photos: torch.Tensor,
        image: torch.Tensor,
        dino: str,
        clip_vision=None,
        crops: str = TIGHT,
        det_threshold: float = 0.5,
        provider: str = AUTO,
    ) -> io.NodeOutput:
        own, pictures = to_pictures(photos), to_pictures(image)
        encoder = _encoder(dino, clip_vision)
        analyser = face_analyser(provider)
        squares = [
            _face_of(analyser, photo, n, len(own), det_threshold) for n, photo in enumerate(own, start=1)
        ]
        progress = comfy.utils.ProgressBar(len(pictures))
        seen: list[np.ndarray | None] = []
        for number, picture in enumerate(pictures):
            comfy.model_management.throw_exception_if_processing_interrupted()
            progress.update_absolute(number)
            seen.append(_largest_face(analyser, picture, det_threshold))
        found = [square for square in seen if square is not None]
        cut = _cut(face_parser, [*squares, *found], crops)
        references = cut[: len(squares)]
        if not any(references):
            raise NoFaceError(
                f"The face parser found no part of a face in {len(own)} photos of the person. Use a photo with a "
                "larger or less turned face."
            )
        vectors = encode_parts(encoder, cut)
        others = iter(zip(cut[len(squares) :], vectors[len(squares) :], strict=True))
        results: list[tuple[PartScores, dict[str, np.ndarray]]] = []
        for square in seen:
            crop, vector = next(others) if square is not None else ({}, {})
            results.append(
                (mean_of_photos([compare_parts(one, vector) for one in vectors[: len(squares)]]), crop)
            )
        progress.update_absolute(len(pictures))
        scores = [one for one, _ in results]
        return io.NodeOutput(
            [one.mean if one.scores else 0.0 for one in scores],
            [one.coverage for one in scores],
            describe_parts(scores, encoder.name, crops),
            ui=part_likeness_ui(references[0], results, encoder.name, crops),
        )


def _encoder(dino: str, clip_vision) -> PartEncoder:
    if clip_vision is not None:
        return ClipEncoder(clip_vision)
    if dino == NO_DINO:
        raise MissingModelError(
            f"Part Likeness has nothing to compare parts with. Put the files of {DINO.address} into "
            f"models/{DINO.place}/{DINO.name} and refresh the node list, or connect a CLIP vision model."
        )
    folder = find_dino_folder(dino)
    return _dino(folder, tuple(sorted(file.stat().st_mtime_ns for file in folder.iterdir())))


@lru_cache(maxsize=1)
def _dino(folder: Path, written: tuple[int, ...]) -> ManagedDino:
    """Kept as long as its files stay the same, since reading it takes longer than using it."""
    return ManagedDino(folder)


def _face_of(
    analyser: FaceAnalyser, photo: np.ndarray, number: int, count: int, threshold: float
) -> np.ndarray:
    """The square around the largest face of a photo; raises NobodyError if there is none."""
    name = f"{photo_name(photo, number, count)} of the person"
    pixels = photo[..., ::-1]  # RGB -> BGR
    faces = detect_faces(analyser, pixels, name, order=LARGE_TO_SMALL, threshold=threshold)
    return face_square(photo, faces[0].box)


def _largest_face(analyser: FaceAnalyser, picture: np.ndarray, threshold: float) -> np.ndarray | None:
    try:
        return _face_of(analyser, picture, 1, 1, threshold)
    except NobodyError:
        return None


def _cut(
    face_parser: FaceParserModel, squares: Sequence[np.ndarray], crops: str
) -> list[dict[str, np.ndarray]]:
    """The crops of the parts of each face, both of a pair together."""
    label_maps = face_parser.parse(squares, FAMILIES["sd15"].parse_size)
    return [
        part_crops(square, find_parts(label_map, pair="both"), crops)
        for square, label_map in zip(squares, label_maps, strict=True)
    ]


NODES = [PartLikeness]
