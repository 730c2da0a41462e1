"""Crop Face."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from comfy_api.latest import io

from ..consistentid_core.errors import NobodyError, NoFaceError
from ..consistentid_core.faces.face_crop import (
    MIN_FACE_SIDE,
    Box,
    CropPlan,
    face_side,
    plan_crops,
    seam_mask,
)
from ..consistentid_core.identity.face_analysis import Face
from ..consistentid_core.identity.face_choice import (
    LARGE_TO_SMALL,
    PhotoFaces,
    detect_faces,
    photo_name,
    require_face,
)
from ..consistentid_core.identity.providers import AUTO
from .host.face_inputs import face_choice, face_provider
from .host.older import SHOWN_ON_CACHED_RUNS
from .host.pictures import to_pictures
from .host.progress import photo_progress
from .models.face_recognition import face_analyser
from .models.types import CATEGORY
from .previews.faces import faces_ui

logger = logging.getLogger(__name__)

ERROR, WHOLE_PHOTO = "error", "whole photo"
SQUARE, PHOTO_SHAPE = "square", "photo's shape"

#: Largest number the inputs that count pixels take; that of the host's own nodes.
MAX_PIXELS = 16384


class CropFace(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDCropFace",
            display_name="Crop Face",
            category=CATEGORY,
            description="Cuts photos around one face, so that Parse Face, ID Embedding and CLIP all see the same face, "
            "and large. Says where the cut-out belongs, to paste it back.",
            search_aliases=[
                "crop face",
                "face detailer",
                "face crop",
                "group photo",
                "insightface",
                "paste back",
            ],
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Image.Input("image", tooltip="One or more photos, each with one face or many."),
                *face_choice(),
                io.Float.Input(
                    "margin",
                    default=0.6,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    tooltip="What is added around the face on each side, as a part of its longer side. 0.6 shows hair, "
                    "ears and neck.",
                ),
                io.Combo.Input(
                    "shape",
                    options=[SQUARE, PHOTO_SHAPE],
                    default=SQUARE,
                    optional=True,
                    tooltip="The shape of the cut-out. CLIP sees the middle square of a picture, so square loses "
                    "nothing.",
                ),
                io.Int.Input(
                    "smallest",
                    default=512,
                    min=0,
                    max=MAX_PIXELS,
                    step=8,
                    optional=True,
                    tooltip="The least shorter side of the cut-out in pixels; a smaller one is enlarged to it. 0: "
                    "never enlarged.",
                ),
                io.Float.Input(
                    "below_share",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="Crop only if the face's longer side is less than this part of the photo's shorter side; "
                    "other photos pass untouched. 0: no such limit.",
                ),
                io.Int.Input(
                    "below_pixels",
                    default=0,
                    min=0,
                    max=MAX_PIXELS,
                    optional=True,
                    tooltip="Crop only if the face's longer side has fewer pixels than this; other photos pass "
                    "untouched. 0: no such limit. With both limits, one is enough to crop.",
                ),
                io.Combo.Input(
                    "no_face",
                    options=[ERROR, WHOLE_PHOTO],
                    optional=True,
                    tooltip="What to do with a photo without a face: stop with an error, or pass it on untouched.",
                ),
                face_provider(),
            ],
            outputs=[
                io.Image.Output("image", tooltip="The cut-outs, all of one size."),
                io.Mask.Output(
                    "mask",
                    tooltip="For each cut-out, white with soft edges where the photo goes on: for Image Composite "
                    "Masked, which then leaves no seam.",
                ),
                io.BoundingBox.Output(
                    "box",
                    tooltip="Where the cut-out is from, for Crop Image and other nodes that take boxes; of several "
                    "photos, a list.",
                ),
                io.Int.Output("x", tooltip="The left edge of the box; of several photos, the first one's."),
                io.Int.Output("y", tooltip="The top edge of the box; of several photos, the first one's."),
                io.Int.Output(
                    "width",
                    tooltip="The width of the box: scale to it before pasting back. Of the first photo.",
                ),
                io.Int.Output("height", tooltip="The height of the box. Of the first photo."),
                io.Int.Output(
                    "face_index",
                    tooltip="The number of the face in its cut-out, in the same order, for face_index of ID Embedding: "
                    "a neighbour may be in the cut-out too. Of the first photo.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        order: str = LARGE_TO_SMALL,
        face_index: int = 0,
        det_threshold: float = 0.5,
        margin: float = 0.6,
        shape: str = SQUARE,
        smallest: int = 512,
        below_share: float = 0.0,
        below_pixels: int = 0,
        no_face: str = ERROR,
        provider: str = AUTO,
    ) -> io.NodeOutput:
        photos = to_pictures(image)
        found = _find(photos, order, face_index, det_threshold, no_face, provider)
        height, width = photos[0].shape[:2]
        plan = plan_crops(
            [None if one.chosen is None else one.faces[one.chosen].box for one in found],
            width,
            height,
            margin=margin,
            square=shape == SQUARE,
            smallest=smallest,
            below_share=below_share,
            below_pixels=below_pixels,
        )
        masks = [seam_mask(box, (width, height), (plan.width, plan.height)) for box in plan.boxes]
        boxes = [box._asdict() for box in plan.boxes]
        return io.NodeOutput(
            image if all(plan.is_whole) else _cut(image, plan),
            torch.from_numpy(np.stack(masks)),
            boxes[0] if len(boxes) == 1 else [[box] for box in boxes],
            *plan.boxes[0],
            _number_in_cut_out(found, plan),
            ui=faces_ui(photos, found, plan),
        )


def _find(
    photos: Sequence[np.ndarray], order: str, index: int, threshold: float, no_face: str, provider: str
) -> list[PhotoFaces]:
    """The faces of each photo; raises NoFaceError where the one asked for is not there or too small."""
    analyser = face_analyser(provider)
    on_photo = photo_progress(len(photos))
    found = []
    for number, photo in enumerate(photos, start=1):
        on_photo(number - 1)
        name = photo_name(photo, number, len(photos))
        try:
            faces = detect_faces(analyser, photo[..., ::-1], name, order=order, threshold=threshold)
        except NobodyError as nobody:
            if no_face == ERROR:
                raise
            logger.warning("%s The whole photo is passed on.", nobody)
            found.append(PhotoFaces((), None))
            continue
        _require_size(require_face(faces, index, name, threshold), index, photo, name)
        found.append(PhotoFaces(faces, index))
    on_photo(len(photos))
    return found


def _require_size(face: Face, index: int, photo: np.ndarray, name: str) -> None:
    side = face_side(face.box, photo.shape[1], photo.shape[0])
    if side < MIN_FACE_SIDE:
        raise NoFaceError(
            f"Face {index} of {name} is {side:.0f} pixels large, too small to tell whose it is. Use a larger photo "
            f"of the person, the face at least {MIN_FACE_SIDE} pixels and better 100, or another face_index."
        )


def _cut(image: torch.Tensor, plan: CropPlan) -> torch.Tensor:
    """The cut-outs of an IMAGE; what needs no other size is taken over bit for bit."""
    return torch.cat(
        [_resized(_part(photo, box), plan) for photo, box in zip(image, plan.boxes, strict=True)]
    )


def _part(photo: torch.Tensor, box: Box) -> torch.Tensor:
    return photo[None, box.y : box.bottom, box.x : box.right]


def _resized(cut_out: torch.Tensor, plan: CropPlan) -> torch.Tensor:
    if cut_out.shape[1:3] == (plan.height, plan.width):
        return cut_out
    pixels = torch.nn.functional.interpolate(
        cut_out.movedim(-1, 1).float(), size=(plan.height, plan.width), mode="bicubic", antialias=True
    )
    return pixels.clamp(0.0, 1.0).movedim(1, -1).to(cut_out.dtype)  # BCHW -> BHWC


def _number_in_cut_out(found: Sequence[PhotoFaces], plan: CropPlan) -> int:
    numbers = [_rank(one, box) for one, box in zip(found, plan.boxes, strict=True)]
    if len(set(numbers)) > 1:
        logger.warning(
            "Crop Face: the faces have different numbers in their cut-outs (%s); face_index is the first one's. "
            "Lower margin until each cut-out shows one face.",
            ", ".join(map(str, numbers)),
        )
    return numbers[0]


def _rank(one: PhotoFaces, box: Box) -> int:
    """How many faces before the chosen one have their middle in the box; 0 if there is none."""
    before: Sequence[Any] = one.faces[: one.chosen or 0]
    return sum(
        box.holds((left + right) / 2, (top + bottom) / 2)
        for left, top, right, bottom in (face.box for face in before)
    )


NODES = [CropFace]
