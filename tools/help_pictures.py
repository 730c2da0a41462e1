"""Draw the pictures of the help pages from the pack's own functions, into web/docs/images.

    .venv/bin/python -m tools.help_pictures

They show what the nodes compute for the portrait in workflows/assets; only the frames of the two faces
are laid by hand, because InsightFace's models may not be passed on with a repository.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from consistentid_core.caption import align_caption, align_caption_by_name
from consistentid_core.clip_pixels import CLIP_MEAN, CLIP_STD, clip_pixel_values
from consistentid_core.face_analysis import Face
from consistentid_core.face_boxes import draw_faces
from consistentid_core.face_parts import FaceParts, FacePhoto, find_parts, parts_from_masks
from consistentid_core.leak_control import CURVES, LeakControl
from consistentid_core.markers import MARKER
from consistentid_core.mixing import best_parts
from consistentid_core.overlay import draw_overlay
from consistentid_core.pairing import pair_by_rank
from consistentid_core.part_quality import part_quality
from consistentid_core.prompt import DEFAULT_CAPTIONS
from consistentid_core.regions import CLASSES, REGIONS, region_named

from . import paths
from .console import run_command, say

FOLDER = paths.ROOT / "web" / "docs" / "images"
_ASSETS = paths.WORKFLOWS / "assets"

#: The help panel is about 400 pixels wide: at this width texts of 24 stay readable there.
WIDTH = 720
_TEXT, _SMALL = 24, 19
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
        "sampling.png": sampling_ranges,
        "people.png": two_people,
        "curves.png": weight_curves,
        "mix.jpg": lambda: mixed_parts(parsed),
        "best.jpg": lambda: best_of_two(parsed),
        "saved.png": lambda: saved_person(parsed),
    }
    for name, draw in pictures.items():
        _save(draw(), FOLDER / name)
    return 0


# --- the pictures -----------------------------------------------------------------------------------------


def coloured_parts(parsed: FacePhoto) -> Image.Image:
    """The overlay of Parse Face with its legend."""
    sheet = Sheet(WIDTH, 500)
    sheet.paste(draw_overlay(parsed.image, parsed.parts)[30:330, 60:390], (20, 20, 480, 460))
    for row, region in enumerate(REGIONS):
        top = 90 + 62 * row
        sheet.plate((525, top, 565, top + 40), region.colour)
        sheet.text((580, top + 20), region.label, anchor="lm")
    return sheet.finished()


def label_map(parsed: FacePhoto) -> Image.Image:
    """A label map in made-up colours: one class for every pixel."""
    assert parsed.label_map is not None
    sheet = Sheet(WIDTH, 402)
    area = np.s_[30:330, 60:360]
    sheet.paste(parsed.image[area], (20, 20, 340, 340))
    sheet.paste(_class_colours()[parsed.label_map[area]], (380, 20, 700, 340), smooth=False)
    sheet.arrow((344, 180), (376, 180))
    sheet.text((180, 366), "photo", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((540, 366), f"label map: {len(CLASSES)} classes", anchor="mm", size=_SMALL, colour=_DIM)
    return sheet.finished()


def painted_masks(parsed: FacePhoto) -> Image.Image:
    """Two masks painted roughly over eyes and mouth, and the parts they make."""
    sheet = Sheet(WIDTH, 330)
    area = np.s_[30:330, 60:360]
    strokes = {"eyes": ("Left_Eye", "Right_Eye"), "mouth": ("Upper_Lip", "Lower_Lip")}
    masks = {}
    for column, (region, classes) in enumerate(strokes.items()):
        brush = Image.new("1", parsed.image.shape[1::-1])
        groups = [classes] if region == "mouth" else [(name,) for name in classes]
        for group in groups:
            left, top, right, bottom = _bounds(parsed, group)
            ImageDraw.Draw(brush).ellipse((left - 6, top - 5, right + 6, bottom + 5), fill=1)
        masks[region] = np.asarray(brush)
        x = 20 + 170 * column
        sheet.paste(
            np.repeat(masks[region][area][..., None] * np.uint8(255), 3, axis=2), (x, 85, x + 150, 235)
        )
        sheet.text((x + 75, 260), f"{region}_mask", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.arrow((350, 160), (400, 160))
    overlay = draw_overlay(parsed.image, parts_from_masks(masks))
    sheet.paste(overlay[area], (420, 20, 700, 300))
    return sheet.finished()


def crops(parsed: FacePhoto) -> Image.Image:
    """What CLIP sees, of a whole photo and of the same photo cropped around the head."""
    assert parsed.label_map is not None
    head = np.s_[20:220, 120:320]
    rows = {
        "the whole photo": parsed,
        "the same photo, cropped around the head": FacePhoto(
            parsed.image[head], find_parts(parsed.label_map[head])
        ),
    }
    sheet = Sheet(WIDTH, 362)
    for row, (title, photo) in enumerate(rows.items()):
        top = 20 + 168 * row
        sheet.text((20, top), title, anchor="lm", size=_SMALL, colour=_DIM)
        pictures = [photo.image, *(photo.crop(part) for part in photo.parts)]
        for column, picture in enumerate(_as_seen_by_clip(pictures)):
            left = 20 + 114 * column
            sheet.paste(picture, (left, top + 16, left + 110, top + 126))
    for column, name in enumerate(["photo", *(region.label for region in REGIONS)]):
        sheet.text((75 + 114 * column, 344), name, anchor="mm", size=_SMALL, colour=_DIM)
    return sheet.finished()


def pairing(parsed: FacePhoto) -> Image.Image:
    """Which crop each word takes in the two modes of Encode Facial Prompt."""
    sheet = Sheet(WIDTH, 420)
    thumbs = {part.region: _tight(parsed, part.region) for part in parsed.parts}
    parts = [part.name for part in parsed.parts]
    by_rank = _words(align_caption(DEFAULT_CAPTIONS["sd15"], parts).text)
    by_name = align_caption_by_name(DEFAULT_CAPTIONS["sd15"], parts)
    rows = {
        "mode: original": (by_rank, pair_by_rank(len(by_rank), [part.region for part in parsed.parts])),
        "mode: clean": (_words(by_name.text), by_name.regions or ()),
    }
    for row, (title, (words, regions)) in enumerate(rows.items()):
        top = 16 + 200 * row
        sheet.text((20, top + 14), title, anchor="lm", size=_SMALL, colour=_DIM)
        for column, (word, region) in enumerate(zip(words, regions, strict=True)):
            assert region is not None
            left = 20 + 138 * column
            sheet.plate((left, top + 36, left + 128, top + 70), region_named(region).colour)
            sheet.text((left + 64, top + 53), word, anchor="mm", colour=_BACKGROUND)
            sheet.paste(thumbs[region], (left, top + 74, left + 128, top + 174))
    return sheet.finished()


def caption() -> Image.Image:
    """The fixed caption, its five words in the colours of the parts they name."""
    sheet = Sheet(WIDTH, 150)
    colours = {region.word: region.colour for region in REGIONS}
    left, top = 24.0, 44.0
    for word in DEFAULT_CAPTIONS["sd15"].split():
        bare = word.strip(",.")
        length = sheet.length(word + " ", _TEXT)
        if left + length > WIDTH - 20:
            left, top = 24.0, top + 58
        if bare in colours:
            width = sheet.length(bare, _TEXT)
            sheet.plate((left - 5, top - 20, left + width + 5, top + 20), colours[bare])
            sheet.text((left, top), bare, anchor="lm", colour=_BACKGROUND)
            sheet.text((left + width + 6, top), word[len(bare) :], anchor="lm")
            left += 8
        else:
            sheet.text((left, top), word, anchor="lm")
        left += length + 4
    return sheet.finished()


def numbered_faces(parsed: FacePhoto) -> Image.Image:
    """The preview of ID Embedding, for a picture put together from one portrait twice."""
    left, top, right, bottom = _bounds(parsed, ("Face", "Upper_Lip", "Lower_Lip"))
    eyes_nose = [_middle(_bounds(parsed, (name,))) for name in ("Left_Eye", "Right_Eye", "Nose")]
    lips = _bounds(parsed, ("Upper_Lip", "Lower_Lip"))
    lip_height = (lips[1] + lips[3]) / 2
    points = np.array([*eyes_nose, (lips[0], lip_height), (lips[2], lip_height)], np.float32)

    half, height = WIDTH // 2, 360
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
    return Image.fromarray(draw_faces(group, faces, 0))


def two_paths(parsed: FacePhoto) -> Image.Image:
    """How one photo reaches the sampler: through the words of the prompt, and through the model."""
    sheet = Sheet(WIDTH, 560)
    sheet.paste(parsed.image[20:330, 60:370], (20, 205, 170, 355))
    sheet.text((95, 378), "one photo", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.arrow((174, 250), (208, 150))
    sheet.arrow((174, 310), (208, 410))

    sheet.box((212, 30, 520, 250))
    sheet.text((366, 56), "1  the parts of the face", anchor="mm")
    for column, region in enumerate(REGIONS):
        left = 226 + 57 * column
        sheet.paste(_tight(parsed, region.name), (left, 84, left + 52, 136))
        sheet.plate((left, 140, left + 52, 146), region.colour)
    sheet.text((366, 172), "Parse Face", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((366, 206), "into the words of the prompt:", anchor="mm", size=_SMALL)
    sheet.text((366, 230), "Encode Facial Prompt", anchor="mm", size=_SMALL, colour=_GREEN)

    sheet.box((212, 310, 520, 530))
    sheet.text((366, 336), "2  the whole face", anchor="mm")
    sheet.text((366, 376), "who it is: ID Embedding", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((366, 404), "how it looks: CLIP vision", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.text((366, 446), "4 ID tokens and a LoRA, read by", anchor="mm", size=_SMALL)
    sheet.text((366, 472), "every attention layer:", anchor="mm", size=_SMALL)
    sheet.text((366, 504), "Apply ConsistentID", anchor="mm", size=_SMALL, colour=_GREEN)

    sheet.arrow((524, 150), (572, 240))
    sheet.arrow((524, 410), (572, 320))
    sheet.text((560, 140), "positive", anchor="lm", size=_SMALL, colour=_DIM)
    sheet.text((560, 164), "negative", anchor="lm", size=_SMALL, colour=_DIM)
    sheet.text((560, 420), "model", anchor="lm", size=_SMALL, colour=_DIM)
    sheet.box((576, 230, 700, 330))
    sheet.text((638, 280), "sampler", anchor="mm")
    return sheet.finished()


def sampling_ranges() -> Image.Image:
    """What acts when: the facial words from the merge point on, the ID tokens in their range."""
    sheet = Sheet(WIDTH, 306)
    left, right = 40, 680

    def at(percent: float) -> float:
        return left + (right - left) * percent

    sheet.text((left, 28), "prompt (Encode Facial Prompt)", anchor="lm", size=_SMALL, colour=_DIM)
    sheet.plate((at(0), 48, at(0.6) - 2, 92), _PANEL)
    sheet.text((at(0.3), 70), "text alone", anchor="mm", size=_SMALL)
    sheet.plate((at(0.6) + 2, 48, at(1), 92), region_named("nose").colour)
    sheet.text((at(0.8), 70), "text + parts of the face", anchor="mm", size=_SMALL, colour=_BACKGROUND)
    sheet.line((at(0.6), 40), (at(0.6), 108), _BRIGHT)
    sheet.text((at(0.6), 124), "merge_percent 0.6", anchor="mm", size=_SMALL)

    sheet.text((left, 168), "ID tokens and LoRA (Apply ConsistentID)", anchor="lm", size=_SMALL, colour=_DIM)
    sheet.plate((at(0), 188, at(1), 232), region_named("face").colour)
    sheet.text((at(0.5), 210), "throughout", anchor="mm", size=_SMALL, colour=_BACKGROUND)
    sheet.text((at(0), 252), "start_percent 0", anchor="lm", size=_SMALL)
    sheet.text((at(1), 252), "end_percent 1", anchor="rm", size=_SMALL)
    sheet.arrow((at(0), 284), (at(1), 284))
    sheet.text(
        (at(0.5), 284), "  sampling: from noise to picture  ", anchor="mm", size=_SMALL, backdrop=_BACKGROUND
    )
    return sheet.finished()


def two_people() -> Image.Image:
    """Two conditionings, each with its person and its mask, and the picture they make together."""
    sheet = Sheet(WIDTH, 330)
    frame_left, frame_top, side = 400, 25, 280
    for person, region in enumerate(("face", "nose")):
        colour = region_named(region).colour
        top = 40 + 140 * person
        sheet.box((20, top, 300, top + 110))
        sheet.plate((20, top, 30, top + 110), colour)
        sheet.text((165, top + 28), f"prompt of person {person + 1}", anchor="mm", size=_SMALL)
        sheet.text((165, top + 58), "Set Identity", anchor="mm", size=_SMALL, colour=_GREEN)
        sheet.text((165, top + 86), "Conditioning (Set Mask)", anchor="mm", size=_SMALL, colour=_DIM)
        left = frame_left + person * side // 2
        sheet.plate(
            (left + 2, frame_top, left + side // 2 - 2, frame_top + side), _mixed(colour, _BACKGROUND, 0.75)
        )
        centre = left + side // 4
        sheet.figure((centre, frame_top + 105), 42, colour)
        sheet.arrow((304, top + 55), (frame_left - 6, 150 + 30 * person))
    sheet.text((frame_left + side / 2, 318), "one picture", anchor="mm", size=_SMALL, colour=_DIM)
    return sheet.finished()


def weight_curves() -> Image.Image:
    """The curves of Leak Control over the steps of a run."""
    sheet = Sheet(WIDTH, 330)
    for place, curve in enumerate(CURVES):
        left, top = 30 + 230 * (place % 3), 20 + 155 * (place // 3)
        sheet.plate((left, top, left + 200, top + 100), _PANEL)
        factors = LeakControl(curve).weight_factors(30)
        points = [(left + 8 + 184 * i / 29, top + 92 - 84 * factor) for i, factor in enumerate(factors)]
        for start, end in pairwise(points):
            sheet.line(start, end, region_named("eyes").colour)
        sheet.text((left + 100, top + 122), curve, anchor="mm", size=_SMALL)
    return sheet.finished()


def mixed_parts(parsed: FacePhoto) -> Image.Image:
    """Parts of two photos put together; the second photo is the first one without its colours."""
    grey = np.repeat(parsed.image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    other = FacePhoto(grey, parsed.parts, parsed.label_map)
    sheet = Sheet(WIDTH, 330)
    area = np.s_[20:220, 120:320]
    for row, (name, photo) in enumerate({"face_parts": parsed, "eyes": other}.items()):
        top = 18 + 156 * row
        sheet.paste(photo.image[area], (20, top, 140, top + 120))
        sheet.text((80, top + 138), name, anchor="mm", size=_SMALL, colour=_DIM)
        sheet.arrow((144, top + 60), (206, 130 + 60 * row))
    sheet.box((210, 80, 700, 250))
    for column, region in enumerate(REGIONS):
        left = 225 + 94 * column
        source = other if region.name == "eyes" else parsed
        sheet.paste(_tight(source, region.name), (left, 95, left + 86, 181))
        sheet.plate((left, 186, left + 86, 192), region.colour)
        sheet.text((left + 43, 214), region.word, anchor="mm", size=_SMALL)
    return sheet.finished()


def best_of_two(parsed: FacePhoto) -> Image.Image:
    """The quality of each part in a photo from afar and in a close-up that is blurred below the eyes."""
    assert parsed.label_map is not None
    head = np.s_[20:220, 120:320]
    close = parsed.image[head].copy()
    below = _bounds(parsed, ("Nose",))[1] + 8 - 20
    close[below:] = np.asarray(Image.fromarray(close).filter(ImageFilter.GaussianBlur(4)))[below:]
    blurred = FacePhoto(close, find_parts(parsed.label_map[head]), parsed.label_map[head])
    photos = {"from afar": parsed, "close, blurred": blurred}
    best = best_parts([FaceParts((parsed,)), FaceParts((blurred,))])
    sheet = Sheet(WIDTH, 330)
    for row, (title, photo) in enumerate(photos.items()):
        top = 16 + 152 * row
        sheet.paste(photo.image, (20, top, 130, top + 110))
        sheet.text((75, top + 128), title, anchor="mm", size=_SMALL, colour=_DIM)
        kept = {part.region for part in best.photos[row].parts}
        for column, part in enumerate(photo.parts):
            left = 160 + 110 * column
            if part.region in kept:
                sheet.plate((left - 5, top - 5, left + 105, top + 105), _GREEN)
            sheet.paste(_tight(photo, part.region), (left, top, left + 100, top + 100))
            quality = part_quality(photo, part)
            colour = _GREEN if part.region in kept else _DIM
            sheet.text((left + 50, top + 122), _rounded(quality), anchor="mm", size=_SMALL, colour=colour)
    return sheet.finished()


def saved_person(parsed: FacePhoto) -> Image.Image:
    """What goes into a file of Save ID Embedding, and what it replaces later."""
    sheet = Sheet(WIDTH, 300)
    sheet.paste(parsed.image[20:330, 60:370], (20, 40, 130, 150))
    sheet.text((75, 170), "photo", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.arrow((134, 95), (166, 95))
    sheet.box((170, 30, 420, 240))
    for row, (text, colour) in enumerate(
        [("Save ID Embedding", _GREEN), ("512 numbers, 2 kB", _BRIGHT), ("with face_parts:", _DIM),
         ("photo and parts as", _BRIGHT), ("CLIP sees them, 4 MB", _BRIGHT)]
    ):  # fmt: skip
        sheet.text((295, 60 + 37 * row), text, anchor="mm", size=_SMALL, colour=colour)
    sheet.text((295, 264), "person_00001_.safetensors", anchor="mm", size=_SMALL, colour=_DIM)
    sheet.arrow((424, 95), (456, 95))
    sheet.box((460, 30, 700, 240))
    for row, (text, colour) in enumerate(
        [("Load ID Embedding", _GREEN), ("in place of the photo,", _BRIGHT), ("Parse Face and", _BRIGHT),
         ("ID Embedding", _BRIGHT), ("SD1.5 and SDXL", _DIM)]
    ):  # fmt: skip
        sheet.text((580, 60 + 37 * row), text, anchor="mm", size=_SMALL, colour=colour)
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
    """Two digits that count: 12345 -> 12,000."""
    digits = len(str(int(value)))
    return f"{round(value, 2 - digits):,.0f}"


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
