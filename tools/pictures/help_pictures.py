"""Draw the pictures of the help pages from the pack's own functions, into web/docs/images.

    .venv/bin/python -m tools.pictures.help_pictures

They show what the nodes compute for the portrait in workflows/assets; only the frames of the two faces
are laid by hand, because InsightFace's models may not be passed on with a repository.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from consistentid_core.evaluation.contact_sheet import Axis, cross, draw_sheet
from consistentid_core.evaluation.metrics.fgis import part_crops
from consistentid_core.evaluation.metrics.null_levels import ARCFACE
from consistentid_core.faces.clip_pixels import CLIP_MEAN, CLIP_STD, clip_pixel_values
from consistentid_core.faces.face_crop import crop_box
from consistentid_core.faces.face_parts import FaceParts, FacePhoto, find_parts, parts_from_masks
from consistentid_core.faces.mixing import best_parts
from consistentid_core.faces.overlay import draw_overlay
from consistentid_core.faces.part_quality import part_quality
from consistentid_core.families import FAMILIES
from consistentid_core.identity.face_analysis import Face
from consistentid_core.identity.face_boxes import draw_faces
from consistentid_core.networks.leak_control import CURVES, LeakControl
from consistentid_core.regions import CLASSES, REGIONS, region_named
from consistentid_core.text.caption import align_caption, align_caption_by_name
from consistentid_core.text.markers import MARKER
from consistentid_core.text.pairing import pair_by_rank

from .. import paths
from ..console import run_command, say

FOLDER = paths.ROOT / "web" / "docs" / "images"
_ASSETS = paths.WORKFLOWS / "assets"

#: The help panel is 260 pixels wide until it is widened: texts have to survive being halved.
WIDTH = 480
_TEXT, _SMALL = 22, 18
_BACKGROUND, _PANEL, _LINE = (28, 30, 36), (46, 49, 58), (150, 155, 168)
_BRIGHT, _DIM = (238, 240, 244), (176, 181, 192)
_GREEN = (64, 220, 120)

Colour = tuple[int, int, int]
Point = tuple[float, float]


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    photo = np.asarray(Image.open(_ASSETS / "astronaut.png").convert("RGB"))
    labels = np.asarray(Image.open(_ASSETS / "astronaut_labels.png"))
    parsed = FacePhoto(photo, find_parts(labels), labels)
    pictures: dict[str, Callable[[], Image.Image]] = {
        "two_paths.png": lambda: two_paths(parsed),
        "parts.jpg": lambda: coloured_parts(parsed),
        "label_map.jpg": lambda: label_map(parsed),
        "masks.jpg": lambda: painted_masks(parsed),
        "crops.jpg": lambda: crops(parsed),
        "pairing.png": lambda: pairing(parsed),
        "caption.png": caption,
        "faces.jpg": lambda: numbered_faces(parsed),
        "crop_face.jpg": lambda: cropped_face(parsed),
        "sampling.png": sampling_ranges,
        "people.png": two_people,
        "curves.png": weight_curves,
        "mix.jpg": lambda: mixed_parts(parsed),
        "best.jpg": lambda: best_of_two(parsed),
        "saved.png": lambda: saved_person(parsed),
        "likeness.png": likeness_scale,
        "part_likeness.jpg": lambda: part_bars(parsed),
        "sheet.jpg": lambda: sweep_sheet(parsed),
        "training.png": lambda: training_run(parsed),
    }
    for name, draw in pictures.items():
        _save(draw(), FOLDER / name)
    return 0


# --- the pictures -----------------------------------------------------------------------------------------


def coloured_parts(parsed: FacePhoto) -> Image.Image:
    """The overlay of Parse Face with its legend."""
    sheet = Sheet(WIDTH, 340)
    sheet.paste(draw_overlay(parsed.image, parsed.parts)[30:300, 90:350], (14, 14, 344, 326))
    for row, region in enumerate(REGIONS):
        top = 60 + 46 * row
        sheet.plate((360, top, 388, top + 28), region.colour)
        sheet.text((398, top + 14), region.label, anchor="lm")
    return sheet.finished()


def label_map(parsed: FacePhoto) -> Image.Image:
    """A label map in made-up colours: one class for every pixel."""
    assert parsed.label_map is not None
    sheet = Sheet(WIDTH, 270)
    area = np.s_[30:330, 60:360]
    sheet.paste(parsed.image[area], (14, 14, 222, 222))
    sheet.paste(_class_colours()[parsed.label_map[area]], (258, 14, 466, 222), smooth=False)
    sheet.arrow((226, 118), (254, 118))
    sheet.text((118, 246), "photo", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((362, 246), f"label map: {len(CLASSES)} classes", anchor="mm", size=_SMALL, colour=_DIM)
    return sheet.finished()


def painted_masks(parsed: FacePhoto) -> Image.Image:
    """Two masks painted roughly over eyes and mouth, and the parts they make."""
    sheet = Sheet(WIDTH, 330)
    area = np.s_[30:330, 60:360]
    strokes = {"eyes": ("Left_Eye", "Right_Eye"), "mouth": ("Upper_Lip", "Lower_Lip")}
    masks = {}
    for row, (region, classes) in enumerate(strokes.items()):
        brush = Image.new("1", parsed.image.shape[1::-1])
        groups = [classes] if region == "mouth" else [(name,) for name in classes]
        for group in groups:
            left, top, right, bottom = _bounds(parsed, group)
            ImageDraw.Draw(brush).ellipse((left - 6, top - 5, right + 6, bottom + 5), fill=1)
        masks[region] = np.asarray(brush)
        top = 14 + 156 * row
        picture = np.repeat(masks[region][area][..., None] * np.uint8(255), 3, axis=2)
        sheet.paste(picture, (14, top, 134, top + 120))
        sheet.text((74, top + 138), f"{region}_mask", anchor="mm", size=_SMALL, colour=_DIM)
        sheet.arrow((140, top + 60), (176, 130 + 50 * row))
    overlay = draw_overlay(parsed.image, parts_from_masks(masks))
    sheet.paste(overlay[area], (182, 14, 466, 298))
    return sheet.finished()


def crops(parsed: FacePhoto) -> Image.Image:
    """What CLIP sees, of a whole photo and of the same photo cropped around the head."""
    assert parsed.label_map is not None
    head = np.s_[20:220, 120:320]
    rows = {
        "the whole photo": parsed,
        "the same, cropped around the head": FacePhoto(
            parsed.image[head], find_parts(parsed.label_map[head])
        ),
    }
    sheet = Sheet(WIDTH, 408)
    for row, (title, photo) in enumerate(rows.items()):
        top = 22 + 192 * row
        sheet.text((14, top), title, anchor="lm", size=_SMALL, colour=_DIM)
        pictures = [photo.image, *(photo.crop(part) for part in photo.parts[:2])]
        for column, picture in enumerate(_as_seen_by_clip(pictures)):
            left = 14 + 153 * column
            sheet.paste(picture, (left, top + 14, left + 147, top + 161))
    for column, name in enumerate(["photo", *(region.label for region in REGIONS[:2])]):
        sheet.text((87 + 153 * column, 392), name, anchor="mm", size=_SMALL, colour=_DIM)
    return sheet.finished()


def pairing(parsed: FacePhoto) -> Image.Image:
    """Which crop each word takes in the two modes of Encode Facial Prompt."""
    sheet = Sheet(WIDTH, 316)
    thumbs = {part.region: _tight(parsed, part.region) for part in parsed.parts}
    parts = [part.name for part in parsed.parts]
    by_rank = _words(align_caption(FAMILIES["sd15"].default_caption, parts).text)
    by_name = align_caption_by_name(FAMILIES["sd15"].default_caption, parts)
    rows = {
        "mode: original": (by_rank, pair_by_rank(len(by_rank), [part.region for part in parsed.parts])),
        "mode: clean": (_words(by_name.text), by_name.regions or ()),
    }
    for row, (title, (words, regions)) in enumerate(rows.items()):
        top = 8 + 154 * row
        sheet.text((14, top + 14), title, anchor="lm", size=_SMALL, colour=_DIM)
        for column, (word, region) in enumerate(zip(words, regions, strict=True)):
            assert region is not None
            left = 14 + 91 * column
            sheet.plate((left, top + 30, left + 88, top + 58), region_named(region).colour)
            sheet.text((left + 44, top + 44), word, anchor="mm", size=_SMALL, colour=_BACKGROUND)
            sheet.paste(thumbs[region], (left, top + 61, left + 88, top + 140))
    return sheet.finished()


def caption() -> Image.Image:
    """The fixed caption, its five words in the colours of the parts they name."""
    sheet = Sheet(WIDTH, 114)
    colours = {region.word: region.colour for region in REGIONS}
    left, top = 18.0, 34.0
    for word in FAMILIES["sd15"].default_caption.split():
        bare = word.strip(",.")
        length = sheet.length(word + " ", _TEXT)
        if left + length > WIDTH - 14:
            left, top = 18.0, top + 46
        if bare in colours:
            width = sheet.length(bare, _TEXT)
            sheet.plate((left - 5, top - 17, left + width + 5, top + 17), colours[bare])
            sheet.text((left, top), bare, anchor="lm", colour=_BACKGROUND)
            sheet.text((left + width + 6, top), word[len(bare) :], anchor="lm")
            left += 8
        else:
            sheet.text((left, top), word, anchor="lm")
        left += length + 4
    return sheet.finished()


def numbered_faces(parsed: FacePhoto) -> Image.Image:
    """The preview of ID Embedding, for a picture put together from one portrait twice."""
    group, faces = _group(parsed)
    return Image.fromarray(draw_faces(group, faces, 0))


def cropped_face(parsed: FacePhoto) -> Image.Image:
    """What Crop Face cuts out of the same picture, and the cut-out."""
    group, faces = _group(parsed)
    height, width = group.shape[:2]
    box = crop_box(faces[1].box, width, height, 0.6, True)
    shown = draw_faces(group, faces, 1)
    inside = np.zeros((height, width, 1), bool)
    inside[box.y : box.bottom, box.x : box.right] = True
    shown = np.where(inside, shown, (shown * 0.4).astype(np.uint8))

    photo_height, side = 150, 150
    photo_width = photo_height * width // height
    sheet = Sheet(WIDTH, photo_height)
    sheet.paste(shown, (0, 0, photo_width, photo_height))
    sheet.arrow((photo_width + 5, photo_height / 2), (WIDTH - side - 5, photo_height / 2))
    cut_out = group[box.y : box.bottom, box.x : box.right]
    sheet.paste(cut_out, (WIDTH - side, 0, WIDTH, side))
    return sheet.finished()


def _group(parsed: FacePhoto) -> tuple[np.ndarray, list[Face]]:
    """One portrait twice in a picture, and where its faces are."""
    left, top, right, bottom = _bounds(parsed, ("Face", "Upper_Lip", "Lower_Lip"))
    eyes_nose = [_middle(_bounds(parsed, (name,))) for name in ("Left_Eye", "Right_Eye", "Nose")]
    lips = _bounds(parsed, ("Upper_Lip", "Lower_Lip"))
    lip_height = (lips[1] + lips[3]) / 2
    points = np.array([*eyes_nose, (lips[0], lip_height), (lips[2], lip_height)], np.float32)

    half, height = WIDTH // 2, 240
    group = np.zeros((height, 2 * half, 3), np.uint8)
    faces = []
    # Once close by, once as the whole photo; x and y of the cut, and its side.
    for place, (x, y, side) in enumerate([(70, 10, 300), (0, 0, 512)]):
        cut = Image.fromarray(parsed.image[y : y + side, x : x + side])
        group[:, place * half : (place + 1) * half] = cut.resize((half, height), Image.Resampling.LANCZOS)
        scale, offset = half / side, np.array([place * half, 0])
        corners = (np.array([(left, top), (right, bottom)]) - (x, y)) * scale + offset
        moved = (points - (x, y)) * scale + offset
        faces.append(Face(tuple(corners.ravel()), moved, (0.88, 0.83)[place]))
    return group, faces


def two_paths(parsed: FacePhoto) -> Image.Image:
    """How one photo reaches the sampler: through the words of the prompt, and through the model."""
    sheet = Sheet(WIDTH, 560)
    sheet.paste(parsed.image[20:330, 60:370], (180, 14, 300, 134))
    sheet.arrow((176, 90), (124, 172))
    sheet.arrow((304, 90), (356, 172))

    sheet.box((14, 178, 234, 424))
    sheet.text((124, 204), "1  parts of the face", anchor="mm")
    for column, region in enumerate(REGIONS):
        left = 22 + 41 * column
        sheet.paste(_tight(parsed, region.name), (left, 228, left + 38, 266))
        sheet.plate((left, 269, left + 38, 274), region.colour)
    sheet.text((124, 296), "Parse Face", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((124, 336), "into the words", anchor="mm", size=_SMALL)
    sheet.text((124, 360), "of the prompt:", anchor="mm", size=_SMALL)
    sheet.text((124, 396), "Encode Facial Prompt", anchor="mm", size=_SMALL, colour=_GREEN)

    sheet.box((246, 178, 466, 424))
    sheet.text((356, 204), "2  the whole face", anchor="mm")
    sheet.text((356, 240), "ID Embedding:", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((356, 262), "who it is", anchor="mm", size=_SMALL)
    sheet.text((356, 290), "CLIP vision:", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((356, 312), "how it looks", anchor="mm", size=_SMALL)
    sheet.text((356, 346), "4 ID tokens and LoRA", anchor="mm", size=_SMALL)
    sheet.text((356, 368), "in every layer:", anchor="mm", size=_SMALL)
    sheet.text((356, 396), "Apply ConsistentID", anchor="mm", size=_SMALL, colour=_GREEN)

    sheet.arrow((124, 430), (190, 494))
    sheet.arrow((356, 430), (290, 494))
    sheet.text((136, 478), "positive", anchor="rm", size=_SMALL, colour=_DIM)
    sheet.text((136, 500), "negative", anchor="rm", size=_SMALL, colour=_DIM)
    sheet.text((350, 482), "model", anchor="lm", size=_SMALL, colour=_DIM)
    sheet.box((160, 498, 320, 546))
    sheet.text((240, 522), "sampler", anchor="mm")
    return sheet.finished()


def sampling_ranges() -> Image.Image:
    """What acts when: the facial words from the merge point on, the ID tokens in their range."""
    sheet = Sheet(WIDTH, 286)
    left, right = 14, 466

    def at(percent: float) -> float:
        return left + (right - left) * percent

    sheet.text((left, 22), "prompt (Encode Facial Prompt)", anchor="lm", size=_SMALL, colour=_DIM)
    sheet.plate((at(0), 38, at(0.6) - 2, 78), _PANEL)
    sheet.text((at(0.3), 58), "text alone", anchor="mm", size=_SMALL)
    sheet.plate((at(0.6) + 2, 38, at(1), 78), region_named("nose").colour)
    sheet.text((at(0.8), 58), "text + face parts", anchor="mm", size=_SMALL, colour=_BACKGROUND)
    sheet.line((at(0.6), 32), (at(0.6), 92), _BRIGHT)
    sheet.text((at(0.6), 106), "merge_percent 0.6", anchor="mm", size=_SMALL)

    sheet.text((left, 150), "ID tokens, LoRA (Apply ConsistentID)", anchor="lm", size=_SMALL, colour=_DIM)
    sheet.plate((at(0), 166, at(1), 206), region_named("face").colour)
    sheet.text((at(0.5), 186), "throughout", anchor="mm", size=_SMALL, colour=_BACKGROUND)
    sheet.text((at(0), 226), "start_percent 0", anchor="lm", size=_SMALL)
    sheet.text((at(1), 226), "end_percent 1", anchor="rm", size=_SMALL)
    sheet.arrow((at(0), 264), (at(1), 264))
    sheet.text((at(0.5), 264), "  from noise to picture  ", anchor="mm", size=_SMALL, backdrop=_BACKGROUND)
    return sheet.finished()


def two_people() -> Image.Image:
    """Two conditionings, each with its person and its mask, and the picture they make together."""
    sheet = Sheet(WIDTH, 264)
    frame_left, frame_top, side = 260, 20, 206
    for person, region in enumerate(("face", "nose")):
        colour = region_named(region).colour
        top = 14 + 120 * person
        sheet.box((14, top, 214, top + 106))
        sheet.plate((14, top, 22, top + 106), colour)
        sheet.text((118, top + 24), f"prompt {person + 1}, face {person + 1}", anchor="mm", size=_SMALL)
        sheet.text((118, top + 53), "Set Identity", anchor="mm", size=_SMALL, colour=_GREEN)
        sheet.text((118, top + 82), "Set Mask", anchor="mm", size=_SMALL, colour=_DIM)
        left = frame_left + person * side // 2
        tint = _mixed(colour, _BACKGROUND, 0.75)
        sheet.plate((left + 2, frame_top, left + side // 2 - 2, frame_top + side), tint)
        sheet.figure((left + side // 4, frame_top + 78), 30, colour)
        sheet.arrow((218, top + 53), (frame_left - 4, 106 + 34 * person))
    sheet.text((frame_left + side / 2, 246), "one picture", anchor="mm", size=_SMALL, colour=_DIM)
    return sheet.finished()


def weight_curves() -> Image.Image:
    """The curves of Leak Control in the course of sampling."""
    sheet = Sheet(WIDTH, 270)
    for place, curve in enumerate(CURVES):
        left, top = 14 + 154 * (place % 3), 14 + 128 * (place // 3)
        sheet.plate((left, top, left + 144, top + 84), _PANEL)
        factors = [LeakControl(curve).weight_factor(i / 29) for i in range(30)]
        points = [(left + 8 + 128 * i / 29, top + 76 - 68 * factor) for i, factor in enumerate(factors)]
        for start, end in pairwise(points):
            sheet.line(start, end, region_named("eyes").colour)
        sheet.text((left + 72, top + 104), curve, anchor="mm", size=_SMALL)
    return sheet.finished()


def training_run(parsed: FacePhoto) -> Image.Image:
    """From a set of portraits over a falling loss to a file; the curve is drawn, not measured."""
    sheet = Sheet(WIDTH, 230)
    head = np.s_[20:220, 120:320]
    coloured = draw_overlay(parsed.image, parsed.parts)
    sheet.paste(parsed.image[head], (14, 22, 74, 82))
    sheet.paste(coloured[head], (78, 22, 138, 82))
    sheet.paste(np.ascontiguousarray(coloured[head][:, ::-1]), (14, 86, 74, 146))
    sheet.paste(np.ascontiguousarray(parsed.image[head][:, ::-1]), (78, 86, 138, 146))
    sheet.text((76, 180), "dataset", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.arrow((144, 84), (166, 84))
    sheet.plate((172, 22, 316, 146), _PANEL)
    losses = [0.2 + 0.7 * 0.9**i + 0.05 * np.sin(2.1 * i) for i in range(30)]
    points = [(180 + 128 * i / 29, 138 - 100 * loss) for i, loss in enumerate(losses)]
    for start, end in pairwise(points):
        sheet.line(start, end, region_named("eyes").colour)
    sheet.text((244, 180), "Train ConsistentID", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.arrow((322, 84), (344, 84))
    sheet.box((350, 40, 466, 128))
    sheet.text((408, 72), "weights", anchor="mm", size=_SMALL)
    sheet.text((408, 98), "file", anchor="mm", size=_SMALL)
    sheet.text((408, 180), "Load", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((408, 204), "ConsistentID", anchor="mm", size=_SMALL, colour=_DIM)
    return sheet.finished()


def likeness_scale() -> Image.Image:
    """Where strangers and other photos of one person score, and eight pictures of which two pass a gate."""
    sheet = Sheet(WIDTH, 176)

    def at(score: float) -> float:
        return 24 + (score + 0.2) / 1.2 * (WIDTH - 48)

    sheet.plate((at(-0.2), 70, at(1), 90), _PANEL)
    for level, colour in zip(reversed(ARCFACE), ((139, 143, 152), (47, 158, 99)), strict=True):
        sheet.plate((at(level.low), 70, at(level.high), 90), colour)
        sheet.text(
            (at((level.low + level.high) / 2), 134), level.name, anchor="mm", size=_SMALL - 2, colour=_DIM
        )
    for score in (0.12, 0.21, 0.24, 0.27, 0.33, 0.38, 0.52, 0.68):
        passes = score > 0.5
        sheet.plate((at(score) - 2, 62, at(score) + 2, 98), _GREEN if passes else _BRIGHT)
        if passes:
            sheet.text((at(score), 44), f"{score:.2f}", anchor="mm", size=_SMALL, colour=_GREEN)
    for score in (0.0, 0.5, 1.0):
        sheet.text((at(score), 108), f"{score:g}", anchor="mm", size=_SMALL - 3, colour=_DIM)
    sheet.text((WIDTH / 2, 16), "eight pictures, the best two pass", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((WIDTH / 2, 160), "likeness by ArcFace", anchor="mm", size=_SMALL - 2, colour=_DIM)
    return sheet.finished()


def part_bars(parsed: FacePhoto) -> Image.Image:
    """Each part of a photo and of a changed one, with a bar; the lengths are drawn, not measured."""
    sheet = Sheet(WIDTH, 14 + 66 * len(REGIONS))
    changed = FacePhoto(np.ascontiguousarray(parsed.image[..., ::-1]), parsed.parts, parsed.label_map)
    crops = [part_crops(one.image, one.parts) for one in (parsed, changed)]
    for row, (region, score) in enumerate(zip(REGIONS, (0.81, 0.58, 0.72, 0.88, 0.69), strict=True)):
        top = 14 + 66 * row
        for column, cut in enumerate(crops):
            sheet.paste(cut[region.name], (14 + 66 * column, top, 72 + 66 * column, top + 58))
        sheet.text((156, top + 29), region.label, anchor="lm", size=_SMALL)
        sheet.plate((226, top + 21, 404, top + 37), _PANEL)
        sheet.plate((226, top + 21, 226 + 178 * score, top + 37), region.colour)
        sheet.text((WIDTH - 14, top + 29), f"{score:.2f}", anchor="rm", size=_SMALL)
    return sheet.finished()


def sweep_sheet(parsed: FacePhoto) -> Image.Image:
    """A contact sheet; the pictures are the portrait more and less blurred, and the scores made up."""
    head = Image.fromarray(np.ascontiguousarray(parsed.image[10:270, 85:345]))
    across, down = cross((0.3, 0.5, 0.7), (0.6, 0.8, 1.0))
    blurs = [2.0 + 6.0 * x - 4.0 * y for x, y in zip(across, down, strict=True)]
    pictures = [np.asarray(head.filter(ImageFilter.GaussianBlur(max(0.0, blur)))) for blur in blurs]
    scores = [0.7 - 0.1 * max(0.0, blur) for blur in blurs]
    sheet = draw_sheet(
        pictures, Axis("merge_percent", tuple(across)), Axis("weight", tuple(down)), scores, side=128
    )
    return Image.fromarray(sheet)


def mixed_parts(parsed: FacePhoto) -> Image.Image:
    """Parts of two photos put together; the second photo is the first one without its colours."""
    grey = np.repeat(parsed.image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    other = FacePhoto(grey, parsed.parts, parsed.label_map)
    sheet = Sheet(WIDTH, 300)
    area = np.s_[20:220, 120:320]
    for row, (name, photo) in enumerate({"face_parts": parsed, "eyes": other}.items()):
        top = 14 + 142 * row
        sheet.paste(photo.image[area], (14, top, 120, top + 106))
        sheet.text((67, top + 122), name, anchor="mm", size=_SMALL, colour=_DIM)
        sheet.arrow((124, top + 53), (152, 126 + 40 * row))
    sheet.box((156, 84, 466, 204))
    for column, region in enumerate(REGIONS):
        left = 163 + 60 * column
        source = other if region.name == "eyes" else parsed
        sheet.paste(_tight(source, region.name), (left, 98, left + 56, 154))
        sheet.plate((left, 158, left + 56, 163), region.colour)
        sheet.text((left + 28, 182), region.word, anchor="mm", size=_SMALL)
    return sheet.finished()


def best_of_two(parsed: FacePhoto) -> Image.Image:
    """The quality of each part in a photo from afar and in a close-up that is blurred below the eyes."""
    assert parsed.label_map is not None
    head = np.s_[20:220, 120:320]
    close = parsed.image[head].copy()
    below = _bounds(parsed, ("Nose",))[1] + 8 - 20
    close[below:] = np.asarray(Image.fromarray(close).filter(ImageFilter.GaussianBlur(4)))[below:]
    blurred = FacePhoto(close, find_parts(parsed.label_map[head]), parsed.label_map[head])
    photos = {"from afar": parsed, "blurred": blurred}
    best = best_parts([FaceParts((parsed,)), FaceParts((blurred,))])
    sheet = Sheet(WIDTH, 262)
    for row, (title, photo) in enumerate(photos.items()):
        top = 16 + 124 * row
        sheet.paste(photo.image, (14, top, 98, top + 84))
        sheet.text((56, top + 102), title, anchor="mm", size=_SMALL, colour=_DIM)
        kept = {part.region for part in best.photos[row].parts}
        for column, part in enumerate(photo.parts):
            left = 116 + 71 * column
            if part.region in kept:
                sheet.plate((left - 4, top + 4, left + 68, top + 76), _GREEN)
            sheet.paste(_tight(photo, part.region), (left, top + 8, left + 64, top + 72))
            quality = part_quality(photo, part)
            colour = _GREEN if part.region in kept else _DIM
            sheet.text((left + 32, top + 102), _rounded(quality), anchor="mm", size=_SMALL, colour=colour)
    return sheet.finished()


def saved_person(parsed: FacePhoto) -> Image.Image:
    """What goes into a file of Save ID Embedding, and what it replaces later."""
    sheet = Sheet(WIDTH, 330)
    sheet.paste(parsed.image[20:330, 60:370], (14, 34, 124, 144))
    sheet.arrow((128, 88), (156, 88))
    sheet.box((160, 14, 466, 162))
    sheet.text((313, 40), "Save ID Embedding", anchor="mm", colour=_GREEN)
    sheet.text((313, 74), "512 numbers: 2 kB", anchor="mm", size=_SMALL)
    sheet.text((313, 108), "with face_parts, what CLIP", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((313, 134), "sees of photo and parts: 5 MB", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.arrow((313, 166), (313, 212))
    sheet.text((300, 188), "person_00001_.safetensors", anchor="rm", size=_SMALL, colour=_DIM)
    sheet.box((160, 216, 466, 316))
    sheet.text((313, 242), "Load ID Embedding", anchor="mm", colour=_GREEN)
    sheet.text((313, 272), "in place of photo, Parse Face,", anchor="mm", size=_SMALL)
    sheet.text((313, 296), "ID Embedding and CLIP vision", anchor="mm", size=_SMALL)
    return sheet.finished()


# --- parts of pictures ------------------------------------------------------------------------------------


def _as_seen_by_clip(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Back from normalised pixels to pictures, uint8 (n, 224, 224, 3)."""
    pixels = clip_pixel_values(pictures).permute(0, 2, 3, 1)  # BCHW -> BHWC
    restored = (pixels * torch.tensor(CLIP_STD) + torch.tensor(CLIP_MEAN)) * 255
    return restored.round().clamp(0, 255).to(torch.uint8).numpy()


def _tight(parsed: FacePhoto, region: str) -> np.ndarray:
    """A part's crop, cut closely around the part so that it shows in a small picture."""
    part = next(part for part in parsed.parts if part.region == region)
    rows, columns = np.nonzero(part.mask)
    centre_y, centre_x = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
    half = int(max(np.ptp(rows), np.ptp(columns)) * 0.62) + 6
    top, left = max(centre_y - half, 0), max(centre_x - half, 0)
    return parsed.crop(part)[top : centre_y + half, left : centre_x + half]


def _bounds(parsed: FacePhoto, classes: Sequence[str]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the pixels of some classes."""
    rows, columns = np.nonzero(np.isin(parsed.label_map, [CLASSES.index(name) for name in classes]))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def _middle(bounds: tuple[int, int, int, int]) -> Point:
    left, top, right, bottom = bounds
    return (left + right) / 2, (top + bottom) / 2


def _words(marked: str) -> list[str]:
    """The words before the markers of an aligned caption."""
    return [piece.split()[-1] for piece in marked.split(MARKER)[:-1]]


def _class_colours() -> np.ndarray:
    """A colour for each class: the parts' own, greys and a few more for the rest. uint8 (19, 3)."""
    own = {class_id: region.colour for region in REGIONS for class_id in region.class_ids}
    others = {
        "Background": (24, 26, 30),
        "Hair": (94, 74, 60),
        "Neck": (150, 120, 110),
        "Cloth": (190, 120, 70),
    }
    return np.array(
        [own.get(class_id) or others.get(name, (200, 200, 200)) for class_id, name in enumerate(CLASSES)],
        np.uint8,
    )


def _rounded(value: float) -> str:
    """In thousands or millions: 12345 -> 12k."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            number = value / unit
            return f"{number:.1f}{letter}" if number < 10 else f"{number:.0f}{letter}"
    return f"{value:.0f}"


def _mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """A colour with a share (0..1) of another one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


class Sheet:
    """A picture to draw on in its final pixels; drawn at twice the size, so that lines are smooth."""

    _FINE = 2

    def __init__(self, width: int, height: int):
        self._image = Image.new("RGB", (width * self._FINE, height * self._FINE), _BACKGROUND)
        self._draw = ImageDraw.Draw(self._image)

    def finished(self) -> Image.Image:
        return self._image.reduce(self._FINE)

    def paste(
        self, picture: np.ndarray, box: tuple[float, float, float, float], *, smooth: bool = True
    ) -> None:
        """Fit a picture (H, W, 3) into a box, cutting off what does not fit its proportions."""
        left, top, right, bottom = (round(value * self._FINE) for value in box)
        method = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
        self._image.paste(
            ImageOps.fit(Image.fromarray(picture), (right - left, bottom - top), method), (left, top)
        )

    def text(
        self,
        position: Point,
        text: str,
        *,
        anchor: str,
        size: int = _TEXT,
        colour: Colour = _BRIGHT,
        backdrop: Colour | None = None,
    ) -> None:
        x, y = (value * self._FINE for value in position)
        font = self._font(size)
        if backdrop is not None:
            self._draw.rectangle(self._draw.textbbox((x, y), text, font, anchor), fill=backdrop)
        self._draw.text((x, y), text, colour, font, anchor)

    def length(self, text: str, size: int) -> float:
        return self._font(size).getlength(text) / self._FINE

    def plate(self, box: tuple[float, float, float, float], colour: Colour) -> None:
        self._draw.rounded_rectangle([value * self._FINE for value in box], 4 * self._FINE, fill=colour)

    def box(self, box: tuple[float, float, float, float]) -> None:
        self._draw.rounded_rectangle(
            [value * self._FINE for value in box], 10 * self._FINE, fill=_PANEL, outline=_LINE, width=2
        )

    def figure(self, centre: Point, radius: float, colour: Colour) -> None:
        """Head and shoulders; centre and radius are those of the head."""
        x, y, r = (value * self._FINE for value in (*centre, radius))
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        shoulders = (x - 1.45 * r, y + 1.15 * r, x + 1.45 * r, y + 4.0 * r)
        self._draw.rounded_rectangle(shoulders, 1.1 * r, fill=colour, corners=(True, True, False, False))

    def line(self, start: Point, end: Point, colour: Colour = _LINE) -> None:
        points = [value * self._FINE for value in (*start, *end)]
        self._draw.line(points, colour, 2 * self._FINE)

    def arrow(self, start: Point, end: Point) -> None:
        self.line(start, end)
        along = np.subtract(end, start) / np.linalg.norm(np.subtract(end, start))
        across = np.array([-along[1], along[0]])
        head = [np.array(end), end - 14 * along + 7 * across, end - 14 * along - 7 * across]
        self._draw.polygon([tuple(point * self._FINE) for point in head], fill=_LINE)

    def _font(self, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size * self._FINE)


def _save(picture: Image.Image, file: Path) -> None:
    if file.suffix == ".jpg":
        picture.save(file, quality=82, optimize=True)
    else:
        # Drawings have few colours; a palette makes them several times smaller.
        picture.quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)
    say(f"{file.relative_to(paths.ROOT)}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    run_command(main)
