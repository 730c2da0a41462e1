"""Load Face Recogniser, Face Likeness, Likeness Gate: a number for how like the person a picture is."""

from collections.abc import Callable, Sequence
from pathlib import Path

import comfy.model_management
import comfy.utils
import numpy as np
import torch
from comfy_api.latest import io, ui
from comfy_execution.graph_utils import ExecutionBlocker

from ..consistentid_core.errors import LikenessError, NoFaceError
from ..consistentid_core.evaluation.gate import BEST, GATES, THRESHOLD, pass_gate, select_rows
from ..consistentid_core.evaluation.judging import (
    LARGEST,
    WHICH_FACE,
    JudgedPicture,
    judge_pictures,
    recognise_photos,
)
from ..consistentid_core.evaluation.metrics.null_levels import levels_for
from ..consistentid_core.evaluation.recognisers import COLOUR_ORDERS, RGB, Conditioner, is_conditioner
from ..consistentid_core.evaluation.wording import RecogniserReport, describe_likeness
from ..consistentid_core.files.catalogue import JUDGE
from ..consistentid_core.identity.face_choice import LARGE_TO_SMALL
from ..consistentid_core.identity.id_embedding import ERROR, IDEmbedding
from ..consistentid_core.identity.providers import AUTO
from .host import folders
from .host.face_inputs import AS_ID_EMBEDDING, face_choice, face_provider
from .host.inputs import FileChoice
from .host.older import SHOWN_ON_CACHED_RUNS
from .host.pictures import to_pictures
from .models.face_recognition import FaceRecogniserModel, face_analyser
from .models.types import CATEGORY, FaceRecogniserType, IDEmbedType
from .previews.likeness import likeness_ui

BEST_PHOTO, MEAN_OF_PHOTOS = "best", "mean"
COUNT_AS_0 = "count as 0"
ALL_PASS = "let all pass"


class LoadFaceRecogniser(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        files = folders.list_weights(*folders.FACE_RECOGNITION, extensions=folders.ONNX)
        return io.Schema(
            node_id="ConsistentIDRecogniserLoader",
            display_name="Load Face Recogniser",
            category=CATEGORY,
            description="A second face recogniser to judge likeness with: any ArcFace-type network in an ONNX file, "
            "told by its shape. One that did not condition the picture is the fairer judge.",
            search_aliases=["arcface", "sface", "adaface", "antelopev2", "glintr100", "face similarity"],
            inputs=[
                FileChoice(
                    "recogniser_name",
                    options=files,
                    default=next(
                        (file for file in files if JUDGE.is_called(file)), files[0] if files else None
                    ),
                    tooltip="An ONNX file in models/face_recognition or models/insightface, from faces of 112x112 to "
                    "vectors of 128 to 1024 numbers: SFace, ArcFace, AdaFace.",
                ),
                io.Combo.Input(
                    "colours",
                    options=list(COLOUR_ORDERS),
                    default=RGB,
                    optional=True,
                    tooltip="The colour order the network was trained on: RGB for nearly all, BGR for AdaFace.",
                ),
            ],
            outputs=[FaceRecogniserType.Output("recogniser", tooltip="The judge, for Face Likeness.")],
        )

    @classmethod
    def fingerprint_inputs(cls, recogniser_name: str, colours: str = RGB):
        return folders.file_stamp(recogniser_name, *folders.FACE_RECOGNITION)

    @classmethod
    def execute(cls, recogniser_name: str, colours: str = RGB) -> io.NodeOutput:
        path = folders.find_weights(recogniser_name, *folders.FACE_RECOGNITION)
        return io.NodeOutput(FaceRecogniserModel(Path(path), colours))


class FaceLikeness(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDLikeness",
            display_name="Face Likeness",
            category=CATEGORY,
            description="How like the person each picture is: the cosine of two faces' recognition vectors, beside "
            "what two photos of one person and photos of two people usually score.",
            search_aliases=["face similarity", "identity score", "face distance", "compare faces", "facesim"],
            is_output_node=True,
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Image.Input("image", tooltip="The pictures to judge."),
                IDEmbedType.Input(
                    "id_embed",
                    optional=True,
                    tooltip="The person, from ID Embedding or Load ID Embedding. Not used if photos are connected.",
                ),
                io.Image.Input(
                    "photos",
                    optional=True,
                    tooltip="Photos of the person; needed with a recogniser of your own. From two on, what photos of "
                    "this very person score among themselves is shown beside the pictures.",
                ),
                FaceRecogniserType.Input(
                    "recogniser",
                    optional=True,
                    tooltip="The judge, from Load Face Recogniser. Without it the recogniser of ID Embedding judges, "
                    "which conditioned the picture and flatters it.",
                ),
                io.Combo.Input(
                    "score",
                    options=[BEST_PHOTO, MEAN_OF_PHOTOS],
                    default=BEST_PHOTO,
                    optional=True,
                    tooltip="With several photos: the score against the most similar of them, or the mean over all.",
                ),
                io.Combo.Input(
                    "which_face",
                    options=list(WHICH_FACE),
                    default=LARGEST,
                    optional=True,
                    tooltip="Which face of a picture with several is compared.",
                ),
                io.Boolean.Input(
                    "best_first",
                    default=False,
                    optional=True,
                    tooltip="Sort the pictures, the most similar first. Leave it off if latents or masks go through "
                    "Likeness Gate with them: these stay in the old order.",
                ),
                io.Combo.Input(
                    "no_face",
                    options=[COUNT_AS_0, ERROR],
                    default=COUNT_AS_0,
                    optional=True,
                    tooltip="What to do with a picture without a face: count it as 0, or stop.",
                ),
                *face_choice(
                    order="How the faces of a photo are counted for face_index, as in ID Embedding.",
                    index="Which face of each photo is the person, as in ID Embedding.",
                    threshold="The lowest detection score of a face.",
                ),
                face_provider(AS_ID_EMBEDDING),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The pictures, in their old order or the best first."),
                io.Float.Output(
                    "scores",
                    is_output_list=True,
                    tooltip="The score of each picture, a list for Likeness Gate.",
                ),
                io.Float.Output("best", tooltip="The highest score."),
                io.Float.Output("mean", tooltip="The mean score."),
                io.String.Output("text", tooltip="All scores and what to compare them with, in words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        id_embed: IDEmbedding | None = None,
        photos: torch.Tensor | None = None,
        recogniser: FaceRecogniserModel | None = None,
        score: str = BEST_PHOTO,
        which_face: str = LARGEST,
        best_first: bool = False,
        no_face: str = COUNT_AS_0,
        order: str = LARGE_TO_SMALL,
        face_index: int = 0,
        det_threshold: float = 0.5,
        provider: str = AUTO,
    ) -> io.NodeOutput:
        pictures = to_pictures(image)
        _check_person(id_embed, photos, recogniser)
        analyser = face_analyser(provider)
        if photos is not None:
            recognisers = [*([recogniser.loaded()] if recogniser else []), Conditioner(analyser)]
            vectors = recognise_photos(
                analyser,
                recognisers,
                to_pictures(photos),
                order=order,
                index=face_index,
                threshold=det_threshold,
            )
            references = _the_same(vectors)
        else:
            recognisers, vectors = [Conditioner(analyser, id_embed.channel_order)], [None]
            references = _of_embedding(id_embed)
        judged = judge_pictures(
            analyser,
            recognisers,
            pictures,
            references,
            which=which_face,
            threshold=det_threshold,
            on_picture=_progress(len(pictures)),
        )
        if no_face == ERROR:
            _require_faces(judged)
        reports = [
            RecogniserReport(one.name, is_conditioner(one), levels_for(one, own))
            for one, own in zip(recognisers, vectors, strict=True)
        ]
        numbers = np.array([_number(one, score) for one in judged])
        places = np.argsort(-numbers, kind="stable") if best_first else np.arange(len(numbers))
        scores = [float(numbers[place]) for place in places]
        shown = [judged[place] for place in places]
        return io.NodeOutput(
            image[places.tolist()],
            scores,
            max(scores),
            float(numbers.mean()),
            describe_likeness(shown, scores, reports),
            ui=likeness_ui([pictures[place] for place in places], shown, scores, reports),
        )


def _check_person(
    id_embed: IDEmbedding | None, photos: torch.Tensor | None, recogniser: FaceRecogniserModel | None
) -> None:
    if photos is not None:
        return
    if id_embed is None:
        raise ValueError(
            "Face Likeness has nobody to compare with. Connect id_embed, or photos of the person."
        )
    if recogniser is not None:
        raise ValueError(
            "A recogniser is connected, but no photos: an ID embedding holds vectors of InsightFace's recogniser "
            "alone, and vectors of two recognisers cannot be compared. Connect photos of the person, or "
            "remove the recogniser."
        )
    if not id_embed.vector.any(dim=1).all():
        raise ValueError(
            "This ID embedding stands for nobody: a photo it was made from shows no face. Use another photo in ID "
            "Embedding."
        )


def _the_same(vectors: Sequence[np.ndarray]) -> Callable[[int], Sequence[np.ndarray]]:
    """One person for all pictures."""
    return lambda number: vectors


def _of_embedding(id_embed: IDEmbedding) -> Callable[[int], Sequence[np.ndarray]]:
    """All vectors of the person; of one person per latent, those of the picture's own."""
    vectors = id_embed.vector.numpy()
    if id_embed.people == 1:
        return _the_same([vectors])
    return lambda number: [vectors[number % id_embed.people][None]]


def _progress(pictures: int) -> Callable[[int], None]:
    progress = comfy.utils.ProgressBar(pictures)

    def on_picture(done: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        progress.update_absolute(done)

    return on_picture


def _require_faces(judged: Sequence[JudgedPicture]) -> None:
    missing = [str(number) for number, one in enumerate(judged, start=1) if one.chosen is None]
    if missing:
        raise NoFaceError(
            f"{len(missing)} of {len(judged)} pictures show no face: {', '.join(missing)}. Lower det_threshold, or set "
            f"no_face to '{COUNT_AS_0}'."
        )


def _number(judged: JudgedPicture, score: str) -> float:
    """What stands for a picture: the first recogniser's score, 0 without a face."""
    if judged.chosen is None:
        return 0.0
    first = judged.scores[0]
    return first.best if score == BEST_PHOTO else first.mean


class LikenessGate(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDLikenessGate",
            display_name="Likeness Gate",
            category=CATEGORY,
            description="Lets the pictures pass that are like the person, and holds back the others. Latents and masks "
            "of the pictures go along.",
            search_aliases=[
                "filter images",
                "best of",
                "keep best",
                "face similarity filter",
                "select images",
            ],
            is_input_list=True,
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Image.Input("image", tooltip="The pictures: a batch, or a list, of one size or several."),
                io.Float.Input(
                    "scores",
                    min=-1.0,
                    max=1.0,
                    force_input=True,
                    tooltip="One for each picture, from Face Likeness or Part Likeness; higher is better.",
                ),
                io.Combo.Input(
                    "keep",
                    options=list(GATES),
                    default=THRESHOLD,
                    tooltip="threshold: every picture with at least this score. best: so many of the highest scores.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.4,
                    min=-1.0,
                    max=1.0,
                    step=0.01,
                    tooltip="With keep on threshold: the lowest score that passes. Look at the scale in Face Likeness.",
                ),
                io.Int.Input(
                    "count",
                    default=2,
                    min=1,
                    max=4096,
                    tooltip="With keep on best: how many pass.",
                ),
                io.Boolean.Input(
                    "best_first",
                    default=True,
                    optional=True,
                    tooltip="Sort what passes, the best first; else it stays in the order in which it came.",
                ),
                io.Combo.Input(
                    "nothing_passes",
                    options=[ERROR, ALL_PASS],
                    default=ERROR,
                    optional=True,
                    tooltip="What to do if no picture reaches the threshold: stop with an error, or let all pass.",
                ),
                io.Latent.Input(
                    "latent", optional=True, tooltip="The latents of the pictures, in the same order."
                ),
                io.Mask.Input("mask", optional=True, tooltip="Masks of the pictures, in the same order."),
            ],
            outputs=[
                io.Image.Output("accepted", is_output_list=True, tooltip="The pictures that passed."),
                io.Image.Output(
                    "rejected",
                    is_output_list=True,
                    tooltip="The others. If there are none, what is connected here does not run.",
                ),
                io.Float.Output(
                    "scores", is_output_list=True, tooltip="The scores of the accepted pictures."
                ),
                io.Int.Output("accepted_count", tooltip="How many passed."),
                io.Int.Output("rejected_count", tooltip="How many did not."),
                io.Latent.Output(
                    "latent", is_output_list=True, tooltip="The latents of the accepted pictures."
                ),
                io.Mask.Output("mask", is_output_list=True, tooltip="The masks of the accepted pictures."),
                io.String.Output("text", tooltip="What passed, in words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: list[torch.Tensor],
        scores: list[float],
        keep: list[str],
        threshold: list[float],
        count: list[int],
        best_first: Sequence[bool] = (True,),
        nothing_passes: Sequence[str] = (ERROR,),
        latent: list[dict] | None = None,
        mask: list[torch.Tensor] | None = None,
    ) -> io.NodeOutput:
        sizes = [len(batch) for batch in image]
        gate = pass_gate(
            scores, sum(sizes), keep[0], threshold=threshold[0], count=count[0], best_first=best_first[0]
        )
        if not gate.accepted and nothing_passes[0] == ERROR:
            raise LikenessError(
                f"None of {len(scores)} pictures reaches the threshold {threshold[0]:g}; the best has "
                f"{max(scores):.2f}. Make more pictures, lower the threshold, keep the best few "
                "instead, or let all pass."
            )
        if not gate.accepted:
            gate = pass_gate(scores, sum(sizes), BEST, count=len(scores), best_first=best_first[0])
        text = gate.describe()
        return io.NodeOutput(
            _or_nothing(select_rows(image, gate.accepted, "pictures", len(scores))),
            _or_nothing(select_rows(image, gate.rejected, "pictures", len(scores))),
            [scores[place] for place in gate.accepted],
            len(gate.accepted),
            len(gate.rejected),
            _go_along(latent, "latent", lambda batches: _select_latents(batches, gate.accepted, len(scores))),
            _go_along(mask, "mask", lambda masks: select_rows(masks, gate.accepted, "masks", len(scores))),
            text,
            ui=ui.PreviewText(text),
        )


def _or_nothing(batches: list) -> list:
    """What an output lists; with nothing to list, whatever is connected there silently does not run."""
    return batches or [ExecutionBlocker(None)]


def _go_along(values: list | None, name: str, select: Callable[[list], list]) -> list:
    if values is None or all(value is None for value in values):
        return [ExecutionBlocker(f"Likeness Gate gives out a {name} only if its input {name} is connected.")]
    return select(values)


def _select_latents(latents: list[dict], places: Sequence[int], pictures: int) -> list[dict]:
    """The rows of latents and of whatever goes with each row."""
    selected: list[dict] = [
        {} for _ in select_rows([one["samples"] for one in latents], places, "latents", pictures)
    ]
    for key in latents[0]:
        parts = [one.get(key) for one in latents]
        if all(
            isinstance(part, torch.Tensor) and len(part) == len(one["samples"])
            for part, one in zip(parts, latents, strict=True)
        ):
            for result, rows in zip(selected, select_rows(parts, places, "latents", pictures), strict=True):
                result[key] = rows
        elif key == "batch_index":
            numbers = [torch.tensor(part) for part in parts]
            for result, rows in zip(selected, select_rows(numbers, places, "latents", pictures), strict=True):
                result[key] = rows.tolist()
        else:  # one for all rows
            for result in selected:
                result[key] = parts[0]
    return selected


NODES = [LoadFaceRecogniser, FaceLikeness, LikenessGate]
