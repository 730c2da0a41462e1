"""What Encode Facial Prompt shows of its work: the final text with its facial words, and the crops."""

import torch
from comfy_api.latest import io, ui
from server import PromptServer

from ..consistentid_core.clip_pixels import CLIP_MEAN, CLIP_STD
from ..consistentid_core.face_parts import FaceParts
from ..consistentid_core.markers import MARKER
from .facial_features import crop_pixels
from .facial_prompt import FacialPrompt


def describe(encoded: FacialPrompt, face_parts: FaceParts, node: type[io.ComfyNode]) -> dict:
    """The ``ui`` result of the node; also sent to the running interface as a line of text.

    ``consistentid_prompt``: the final text with its words: word, region of the fused crop, row.
    ``consistentid_crops``: the crops as CLIP sees them, as temporary files.
    """
    words = marked_words(encoded)
    server = getattr(PromptServer, "instance", None)
    if server is not None and node.hidden is not None:
        server.send_progress_text(as_text(encoded), node.hidden.unique_id)
    return {
        "consistentid_prompt": [
            {
                "text": encoded.assembled.text.replace(f" {MARKER}", "").replace(MARKER, ""),
                "marked_text": as_text(encoded),
                "words": words,
                "notes": list(encoded.notes),
            }
        ],
        "consistentid_crops": save_crops(face_parts),
    }


def marked_words(encoded: FacialPrompt) -> list[dict]:
    """The words that carry a part: the word, the region of the fused crop (None: padding) and the row."""
    # Markers in a row share the word before the first of them.
    words = [piece.split()[-1] for piece in encoded.assembled.text.split(MARKER)[:-1] if piece.strip()]
    return [
        {"word": word, "region": region, "position": position}
        for word, region, position in zip(words, encoded.regions, encoded.positions, strict=False)
    ]


def as_text(encoded: FacialPrompt) -> str:
    """The prompt with its facial words in brackets; a crop of another region is named behind the word."""
    pieces = encoded.assembled.text.split(MARKER)
    regions = iter(encoded.regions)
    text = ""
    for piece in pieces[:-1]:
        if not piece.strip():
            continue
        head, _, word = piece.rstrip().rpartition(" ")
        region = next(regions, None)
        text += f"{head} [{word}]" if region in (word, None) else f"{head} [{word} ← {region}]"
    return "\n".join([(text + pieces[-1]).strip(), *encoded.notes])


def save_crops(face_parts: FaceParts) -> list[dict]:
    """The crops as CLIP sees them, 224 x 224, in ComfyUI's temporary folder."""
    parts = [part for photo in face_parts.photos for part in photo.parts]
    if not parts:
        return []
    pixels = crop_pixels(face_parts).permute(0, 2, 3, 1)  # BCHW -> BHWC
    pictures = (pixels * torch.tensor(CLIP_STD) + torch.tensor(CLIP_MEAN)).clamp(0, 1)
    saved = ui.ImageSaveHelper.save_images(
        pictures, filename_prefix="ConsistentID_crop", folder_type=io.FolderType.temp, cls=None
    )
    return [
        {"region": part.region, "name": part.name, **file} for part, file in zip(parts, saved, strict=True)
    ]
