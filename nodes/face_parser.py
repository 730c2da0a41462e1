"""Load Face Parser, Parse Face, Face Parts from Label Map."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import comfy.model_management
import comfy.utils
import numpy as np
import torch
from comfy_api.latest import io

from ..consistentid_core.errors import NoFaceError
from ..consistentid_core.faces.bisenet import load_weights
from ..consistentid_core.faces.crops import fit_mask
from ..consistentid_core.faces.face_parts import (
    MIN_PHOTO_SIDE,
    FaceParts,
    FacePhoto,
    choose_parts,
    find_parts,
    one_each,
    parts_from_masks,
    replace_parts,
)
from ..consistentid_core.faces.overlay import draw_overlay
from ..consistentid_core.faces.part_warnings import PartWarnings, warnings_of
from ..consistentid_core.families import FAMILIES
from ..consistentid_core.files.catalogue import FACE_PARSER
from ..consistentid_core.identity.id_embedding import ONE_EACH
from ..consistentid_core.regions import CLASSES, PAIR_MODES, REGION_NAMES, REGIONS, classes_present
from .host import brush_files, folders, model_choice
from .host.inputs import weights_file
from .host.label_maps import one_per_photo, to_label_maps, to_masks
from .host.older import SHOWN_ON_CACHED_RUNS
from .host.pictures import to_image, to_pictures
from .models.consistentid import ConsistentIDModel
from .models.face_parser import FaceParserModel
from .models.types import CATEGORY, ConsistentIDType, FaceParserType, FacePartsType
from .previews.brush import add_brush
from .previews.parts import parts_ui

logger = logging.getLogger(__name__)

ERROR, NO_PARTS = "error", "no parts (original)"
ONE_PERSON = "one person"


class FaceParserLoader(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDFaceParserLoader",
            display_name="Load Face Parser",
            category=CATEGORY,
            description="Loads BiSeNet, the network that finds the parts of a face.",
            search_aliases=["bisenet", "face parsing", "parsing_bisenet", "79999_iter"],
            inputs=[
                weights_file(
                    "model_name",
                    FACE_PARSER,
                    tooltip="auto: the file that fits, found by what it holds. Or face_parsing.pth, also called "
                    "79999_iter.pth or parsing_bisenet.pth (53 MB), in models/consistentid, models/facexlib or "
                    "models/face_parsing.",
                )
            ],
            outputs=[FaceParserType.Output("face_parser", tooltip="For Parse Face.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name: str):
        return model_choice.stamps(model_name, FACE_PARSER)

    @classmethod
    def execute(cls, model_name: str) -> io.NodeOutput:
        path = model_choice.find(model_name, FACE_PARSER)
        return io.NodeOutput(FaceParserModel(load_weights(path, mapped=folders.maps_files())))


class FaceParser(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDFaceParser",
            display_name="Parse Face",
            category=CATEGORY,
            description="Finds face, eyes, ears, nose and mouth in photos of a person.",
            search_aliases=["face parsing", "face segmentation", "bisenet", "face parts"],
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                FaceParserType.Input("face_parser", tooltip="From Load Face Parser."),
                io.Image.Input(
                    "image",
                    tooltip="Photos of one person, with one face each; of several people with batch on one per latent.",
                ),
                *_choices(),
                io.Combo.Input(
                    "parse_size",
                    options=[str(row.parse_size) for row in FAMILIES.values()],
                    default=str(FAMILIES["sd15"].parse_size),
                    optional=True,
                    tooltip="Side of the square the photo is resized to for the parser: the original uses "
                    "512 for SD1.5 and 1280 for SDXL; the default is the one for SD1.5. 1280 takes six times as long.",
                ),
                _no_face(),
                _batch(),
                ConsistentIDType.Input(
                    "consistentid",
                    optional=True,
                    tooltip="The adapter, to take the parse_size of its family, whatever is set there.",
                ),
                brush_files.brush_input(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def fingerprint_inputs(cls, brush: str | None = "", **_):
        return brush_files.stamp(brush)

    @classmethod
    def execute(
        cls,
        face_parser: FaceParserModel,
        image: torch.Tensor,
        pair: str = "original",
        parse_size: str = "512",
        no_face: str = ERROR,
        batch: str = ONE_PERSON,
        consistentid: ConsistentIDModel | None = None,
        brush: str = "",
        **switches: bool,
    ) -> io.NodeOutput:
        enabled = _enabled(switches)
        pictures = _large_enough(to_pictures(image))
        size = FAMILIES[consistentid.family].parse_size if consistentid else int(parse_size)
        label_maps = _with_progress(face_parser.parse(pictures, size), len(pictures))
        photos = [
            FacePhoto(picture, find_parts(label_map, pair=pair), label_map)
            for picture, label_map in zip(pictures, label_maps, strict=True)
        ]
        return _result(photos, enabled, no_face, batch, brush)


class FacePartsFromMap(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDFacePartsFromMap",
            display_name="Face Parts from Label Map",
            category=CATEGORY,
            description="Takes the parts of a face from a label map or from masks, painted or made by any "
            "segmenter, instead of from the face parser.",
            search_aliases=["face segmentation", "face masks", "label map", "face parts"],
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Image.Input(
                    "image", tooltip="Photos of one person; of several with batch on one per latent."
                ),
                *_choices(),
                io.MultiType.Input(
                    "label_map",
                    types=[io.Image, io.Mask],
                    optional=True,
                    tooltip="A grey picture whose 8-bit values are the face parser's class ids: "
                    + ", ".join(f"{class_id} {name}" for class_id, name in enumerate(CLASSES))
                    + ". It is stretched over the photo, whatever its size.",
                ),
                *(
                    io.Mask.Input(
                        f"{region.name}_mask",
                        optional=True,
                        tooltip=f"The {region.word} as a mask, used instead of what the label map says; an "
                        "empty one removes the part. Holes are closed, as in all masks of the original.",
                    )
                    for region in REGIONS
                ),
                _no_face(),
                _batch(),
                brush_files.brush_input(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def fingerprint_inputs(cls, brush: str | None = "", **_):
        return brush_files.stamp(brush)

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        pair: str = "original",
        label_map: torch.Tensor | None = None,
        no_face: str = ERROR,
        batch: str = ONE_PERSON,
        brush: str = "",
        **choices: bool | torch.Tensor | None,
    ) -> io.NodeOutput:
        enabled = _enabled(choices)
        pictures = _large_enough(to_pictures(image))
        own_masks = {
            region.name: one_per_photo(to_masks(mask), len(pictures), f"{region.name} mask")
            for region in REGIONS
            if (mask := choices.get(f"{region.name}_mask")) is not None
        }
        if label_map is None and not own_masks:
            raise ValueError(
                "Nothing says where the parts are. Connect a label map, or a mask of at least one part."
            )
        label_maps = [None] * len(pictures)
        if label_map is not None:
            label_maps = one_per_photo(to_label_maps(label_map), len(pictures), "label map")

        photos = []
        for index, labels in enumerate(label_maps):
            mapped = () if labels is None else find_parts(labels, pair=pair)
            kept = [part for part in mapped if part.region not in own_masks]
            own = parts_from_masks({name: several[index] for name, several in own_masks.items()})
            photos.append(FacePhoto(pictures[index], replace_parts(kept, own), labels))
        return _result(photos, enabled, no_face, batch, brush)


def _choices() -> list[io.Input]:
    """The switches of the parts and the choice between one and both of a pair."""
    switches = [
        io.Boolean.Input(
            region.name,
            default=True,
            optional=True,
            tooltip=f"Take the {region.word} from the photo. Off: left to the prompt.",
        )
        for region in REGIONS
    ]
    pair = io.Combo.Input(
        "pair",
        options=list(PAIR_MODES),
        default=PAIR_MODES[0],
        optional=True,
        tooltip="original: one eye, one ear and one lip, the left or upper one if there is one, as the "
        "weights were trained. both: both of each together.",
    )
    return [*switches, pair]


def _no_face() -> io.Input:
    return io.Combo.Input(
        "no_face",
        options=[ERROR, NO_PARTS],
        optional=True,
        tooltip="What to do with a photo in which no part is found: stop with an error, or go on without parts, so "
        "that no word of the prompt carries one, as the original does.",
    )


def _batch() -> io.Input:
    return io.Combo.Input(
        "batch",
        options=[ONE_PERSON, ONE_EACH],
        optional=True,
        tooltip="What several photos are. one person: all show the same, and their features are averaged. one per "
        "latent: the first photo is for the first picture of a batch, and so on; choose the same in ID Embedding.",
    )


def _outputs() -> list[io.Output]:
    return [
        FacePartsType.Output(
            "face_parts", tooltip="The photos with their chosen parts, for Encode Facial Prompt."
        ),
        io.Mask.Output("mask", tooltip="All chosen parts together, at the size of the photo."),
        io.Image.Output("overlay", tooltip="The photo with the chosen parts in colour."),
    ]


def _enabled(choices: Mapping[str, Any]) -> set[str]:
    """The regions that are switched on, as all are that nothing is said of."""
    enabled = {name for name in REGION_NAMES if choices.get(name, True)}
    if not enabled:
        raise ValueError("All parts of the face are switched off. Switch on at least one.")
    return enabled


def _large_enough(pictures: list[np.ndarray]) -> list[np.ndarray]:
    for number, picture in enumerate(pictures, 1):
        height, width = picture.shape[:2]
        if min(height, width) < MIN_PHOTO_SIDE:
            raise NoFaceError(
                f"Image {number} is {width}x{height} pixels, too small to hold a face. Use a photo of at "
                f"least {MIN_PHOTO_SIDE} pixels on each side, better 512."
            )
    return pictures


def _with_progress(label_maps: Iterable[np.ndarray], total: int) -> Iterator[np.ndarray]:
    """Passes label maps on, moves the progress bar, and stops when the user cancels."""
    progress = comfy.utils.ProgressBar(total)
    for label_map in label_maps:
        progress.update(1)
        yield label_map
        comfy.model_management.throw_exception_if_processing_interrupted()


def _result(
    found: list[FacePhoto], enabled: Collection[str], no_face: str, batch: str, brush: str
) -> io.NodeOutput:
    """The outputs of both nodes.

    found: photos with every part that was found.  enabled: names of the regions switched on.  brush: the file with
    corrections.
    Raises NoFaceError for a photo without any part, or without one that is switched on, unless
    ``no_face`` lets it pass.
    """
    corrections = brush_files.read(brush)
    photos, ids = brush_files.correct_photos(found, corrections)
    chosen = []
    for number, photo in enumerate(photos, 1):
        parts = choose_parts(photo.parts, enabled)
        if not parts and no_face == ERROR:
            raise NoFaceError(_nothing_found(photo, number, enabled))
        chosen.append(FacePhoto(photo.image, parts, photo.label_map))
    warnings = [warnings_of(photo, enabled) for photo in photos]
    _log(warnings)
    return io.NodeOutput(
        one_each([FaceParts((photo,)) for photo in chosen])
        if batch == ONE_EACH
        else FaceParts(tuple(chosen)),
        torch.stack([_union(photo) for photo in chosen]),
        to_image([draw_overlay(photo.image, photo.parts) for photo in chosen]),
        ui=add_brush(parts_ui(photos, enabled, warnings), found, ids, brush, corrections),
    )


def _log(warnings: list[PartWarnings]) -> None:
    """What the view says as well, for those who run workflows without it."""
    for number, warning in enumerate(warnings, 1):
        if warning.faces:
            logger.warning(
                "The parts in image %d are of %d faces, so they describe nobody. Put Crop Face before Parse Face.",
                number,
                warning.faces,
            )
        if warning.tiny:
            logger.warning(
                "CLIP sees next to nothing of these parts in image %d: %s. Put Crop Face before Parse Face.",
                number,
                ", ".join(warning.tiny),
            )


def _nothing_found(photo: FacePhoto, number: int, enabled: Collection[str]) -> str:
    height, width = photo.image.shape[:2]
    where = f"in image {number} ({width}x{height})"
    if photo.parts:
        found = ", ".join(part.region for part in photo.parts)
        wanted = ", ".join(region.name for region in REGIONS if region.name in enabled)
        return (
            f"None of the parts that are switched on ({wanted}) was found {where}, only {found}. "
            "Switch on one of these, or use another photo."
        )
    if photo.label_map is None:
        return f"All masks of image {number} are empty. Paint at least one part of the face."
    classes = ", ".join(
        f"{CLASSES[class_id]} {share:.1%}" for class_id, share in classes_present(photo.label_map).items()
    )
    return (
        f"No part of a face was found {where}; the label map shows: {classes}. Use a photo in which the "
        "face is larger, upright and not covered, or crop it around the head."
    )


def _union(photo: FacePhoto) -> torch.Tensor:
    """(H, W) float, [0, 1]; the edges are as soft as those of the crops."""
    union = np.zeros(photo.image.shape[:2], np.uint8)
    for part in photo.parts:
        np.maximum(union, fit_mask(part.mask, photo.image), out=union)
    return torch.from_numpy(union).to(torch.float32) / 255.0


NODES = [FaceParserLoader, FaceParser, FacePartsFromMap]
