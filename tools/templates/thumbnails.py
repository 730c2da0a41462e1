"""The pictures of the template browser, as HTML that the browser photographs.

They say what a workflow is for, from the portrait in workflows/assets and its parts. None is a result of a
model: the paintings are the photo behind a filter.
"""

import base64
import html
import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from consistentid_core.faces.face_parts import find_parts
from consistentid_core.faces.overlay import draw_overlay
from consistentid_core.regions import REGIONS, Region

from .. import paths
from .graph import Template
from .pose import draw_pose

Box = tuple[int, int, int, int]

SIDE = 480
_ART = 372  # of the side, above the title

#: In the photo: head and shoulders; the face.
_HEAD = (78, 6, 352, 280)
_FACE = (170, 52, 278, 160)
#: Squares around the parts, in the order of REGIONS.
_PLACES: tuple[Box, ...] = (
    (168, 62, 284, 178), (186, 83, 222, 119), (162, 110, 188, 136), (204, 98, 244, 138), (196, 122, 248, 174),
)  # fmt: skip

_STYLE = f"""
.card {{ position: fixed; inset: 0 auto auto 0; width: {SIDE}px; height: {SIDE}px; z-index: 99999; overflow: hidden;
  background: linear-gradient(160deg, #2b3040, #14161c 70%); color: #f2f4f8; font-family: Inter, sans-serif; }}
.card * {{ box-sizing: border-box; }}
.art {{ position: absolute; inset: 0 0 auto 0; height: {_ART}px; overflow: hidden; background: #101217; }}
.art > * {{ position: absolute; }}
.art img {{ display: block; object-fit: cover; }}
.title {{ position: absolute; left: 26px; top: {_ART + 14}px; font-size: 42px; font-weight: 700; letter-spacing: -0.5px;
  white-space: nowrap; }}
.dots {{ position: absolute; left: 28px; bottom: 20px; display: flex; gap: 8px; }}
.dots i {{ width: 34px; height: 7px; border-radius: 4px; }}
.tag {{ position: absolute; right: 26px; bottom: 15px; font-size: 19px; color: #a8b0c0; }}
.full {{ inset: 0; width: {SIDE}px; height: {_ART}px; }}
.frame {{ border: 3px solid #ffffffd0; border-radius: 14px; overflow: hidden; box-shadow: 0 8px 26px #000b; }}
.box {{ background: #2d303aee; border-radius: 16px; box-shadow: 0 8px 26px #000b; padding: 16px 20px; font-size: 24px;
  line-height: 1.4; border: 1px solid #fff2; }}
.box b {{ border-radius: 6px; padding: 0 6px; color: #14161c; font-weight: 600; }}
.line {{ background: #fff; width: 4px; top: 0; bottom: 0; box-shadow: 0 0 12px #000a; }}
.badge {{ width: 58px; height: 58px; border-radius: 50%; display: grid; place-items: center; font-size: 30px;
  font-weight: 700; color: #14161c; border: 3px solid #fff; box-shadow: 0 4px 14px #000a; }}
"""


def thumbnail(template: Template) -> str:
    """A square card: what the workflow does, and its title."""
    dots = "".join(f"<i style='background:{_css(region)}'></i>" for region in REGIONS)
    family = "SDXL" if template.name.endswith("sdxl") else "SD1.5"
    return (
        f"<style>{_STYLE}</style><div class=card><div class=art>{_ART_OF[template.name]()}</div>"
        f"<div class=title>{html.escape(template.title)}</div><div class=dots>{dots}</div>"
        f"<div class=tag>ConsistentID · {family}</div></div>"
    )


# --- what the cards show ----------------------------------------------------------------------------------


def _portrait(box: Box = _HEAD) -> str:
    """Half photo, half parts."""
    return _split(_image(_photo(), box), _image(_parts(), box))


def _sdxl() -> str:
    return _portrait((24, 0, 406, 296))


def _simple() -> str:
    node = (
        "<div class=box style='left:150px;top:216px;width:276px;padding:14px 18px'>"
        "<div style='font-weight:600;font-size:25px'>ConsistentID</div>"
        "<div style='color:#a8b0c0;font-size:20px'>all in one node</div></div>"
    )
    dots = "".join(
        f"<i style='left:{x}px;top:{y}px;width:18px;height:18px;border-radius:50%;background:{colour}'></i>"
        for x, y, colour in [
            (141, 244, "#64b5f6"), (141, 284, "#ffd500"),
            (417, 232, "#b39ddb"), (417, 260, "#ffa931"), (417, 288, "#ffa931"),
        ]
    )  # fmt: skip
    return f"<div class=full>{_image(_parts(), _HEAD)}</div>{node}{dots}"


def _painted() -> str:
    """Brush strokes over an eye, the nose and the mouth."""
    x, y = _in_art(_HEAD)
    strokes = "".join(
        f"<path d='M {x(x1)} {y(y1)} Q {x((x1 + x2) / 2)} {y((y1 + y2) / 2 + bend)} {x(x2)} {y(y2)}' "
        f"stroke='{_css(region)}' stroke-width='{width}'/>"
        for region, x1, y1, x2, y2, bend, width in [
            (REGIONS[1], 203, 100, 220, 100, -4, 22), (REGIONS[1], 232, 101, 249, 102, -4, 22),
            (REGIONS[3], 226, 104, 227, 122, 0, 20), (REGIONS[4], 207, 132, 245, 133, 12, 24),
        ]
    )  # fmt: skip
    brush = (
        f"<circle cx='{x(245)}' cy='{y(133)}' r='21' fill='none' stroke='#fff' stroke-width='3'/>"
        f"<path d='M {x(245) + 15} {y(133) + 15} l 96 96' stroke='#f2f4f8' stroke-width='15'/>"
        f"<path d='M {x(245) + 15} {y(133) + 15} l 30 30' stroke='#c8903c' stroke-width='19'/>"
    )
    return (
        f"<div class=full>{_image(_photo(), _HEAD)}</div><svg class=full viewBox='0 0 {SIDE} {_ART}' fill='none' "
        f"stroke-linecap='round'><g opacity='.8'>{strokes}</g>{brush}</svg>"
    )


def _llava() -> str:
    words = f"a round {_word(0)}, bright {_word(1)} and a broad smiling {_word(4)}"
    return (
        f"<div class=full>{_image(_photo(), (78, 40, 352, 253))}</div><div class=box style='left:36px;top:196px;"
        f"width:408px'><div style='color:#a8b0c0;font-size:19px'>LLaVA</div>The person has {words}.</div>"
    )


def _any_caption() -> str:
    lines = f"The person has fair {_word(0, 'face')} …<br>a straight {_word(3)}, small {_word(2)}"
    caret = "<span style='border-left:3px solid #fff;margin-left:3px'></span>"
    return (
        f"<div class=full style='filter:brightness(.72)'>{_image(_parts(), _HEAD)}</div>"
        f"<div class=box style='left:34px;top:204px;width:408px'>"
        f"<div style='color:#a8b0c0;font-size:19px'>Text</div>{lines}{caret}</div>"
    )


def _saved() -> str:
    file = (
        "<svg style='left:262px;top:62px' width=180 height=232 viewBox='0 0 180 232'>"
        "<path d='M14 8 h104 l48 48 v168 h-152 z' fill='#f2f4f8'/><path d='M118 8 v48 h48 z' fill='#b9c0cf'/></svg>"
    )
    bars = "".join(
        f"<i style='left:{292 + 24 * (i % 5)}px;top:{150 + 22 * (i // 5)}px;width:16px;height:14px;border-radius:3px;"
        f"background:{_css(REGIONS[(2 * i + i // 5) % 5])}'></i>"
        for i in range(20)
    )
    arrow = (
        "<svg style='left:206px;top:150px' width=60 height=60 fill='none' stroke='#fff' stroke-width='6'>"
        "<path d='M4 30h42M30 12l18 18-18 18'/></svg>"
    )
    photo = _image(_parts(), (154, 30, 294, 204), 170, 212)
    return (
        f"<div class=frame style='left:28px;top:70px;width:170px;height:212px'>{photo}</div>{arrow}{file}{bars}"
        "<div style='left:296px;top:256px;font-size:19px;color:#14161c;font-weight:600'>person</div>"
    )


def _restyle() -> str:
    return _split(_image(_photo(), _HEAD), _image(_oil(), _HEAD))


def _inpaint() -> str:
    """The face on its way into a picture that has none."""
    x, y = _in_art((0, 0, 512, 397))
    grey = _grey()
    left, top, right, bottom = (int(value) for value in (x(182), y(58), x(266), y(160)))
    hole = (
        f"<div style='left:{left}px;top:{top}px;width:{right - left}px;height:{bottom - top}px;border-radius:48%;"
        "border:4px dashed #fff;background:#fff3;backdrop-filter:blur(16px)'></div>"
    )
    face = (
        "<div class=frame style='left:296px;top:34px;width:150px;height:150px;border-radius:50%'>"
        f"{_image(_parts(), _FACE, 150, 150)}</div>"
    )
    arrow = (
        f"<svg class=full viewBox='0 0 {SIDE} {_ART}' fill='none' stroke='#fff' stroke-width='6'>"
        f"<path d='M300 132 Q 276 150 {right + 14} {top + 46}'/>"
        f"<path d='M{right + 36} {top + 26} l -22 20 l 28 8'/></svg>"
    )
    return f"<div class=full style='filter:brightness(.8)'>{_image(grey, (0, 0, 512, 397))}</div>{hole}{arrow}{face}"


def _paste_back() -> str:
    """A row of grey people, and the coloured face on its way to one of them."""
    grey = _grey()
    mirrored = np.ascontiguousarray(grey[:, ::-1])
    people = "".join(
        f"<div style='left:{160 * i}px;top:0;width:160px;height:{_ART}px;filter:brightness({light})'>"
        f"{_image(pixels, box, 160, _ART)}</div>"
        for i, (pixels, box, light) in enumerate(
            [
                (grey, (140, 0, 310, 395), 0.55),
                (mirrored, (205, 10, 369, 391), 0.8),
                (grey, (150, 0, 300, 349), 0.55),
            ]
        )
    )
    cut = "<div style='left:168px;top:36px;width:144px;height:144px;border:4px dashed #fff'></div>"
    face = (
        "<div class=frame style='left:300px;top:186px;width:150px;height:150px;border-radius:50%'>"
        f"{_image(_parts(), _FACE, 150, 150)}</div>"
    )
    arrow = (
        f"<svg class=full viewBox='0 0 {SIDE} {_ART}' fill='none' stroke='#fff' stroke-width='6'>"
        "<path d='M296 262 Q 240 260 240 198'/><path d='M222 216 l 18 -20 l 18 20'/></svg>"
    )
    return f"{people}{cut}{arrow}{face}"


def _second_pass() -> str:
    """The small face of a picture in few pixels, and the same face large and sharp."""
    whole = (0, 0, 512, 397)
    x, y = _in_art(whole)
    left, top, right, bottom = _FACE
    coarse = np.asarray(
        Image.fromarray(_photo()[top:bottom, left:right]).resize((14, 14), Image.Resampling.BOX)
    )
    place = f"left:{x(left)}px;top:{y(top)}px;width:{x(right) - x(left)}px;height:{y(bottom) - y(top)}px"
    small = (
        f"<div style='{place};border:3px dashed #fff;image-rendering:pixelated'>"
        f"{_image(coarse, None, round(x(right) - x(left)) - 6, round(y(bottom) - y(top)) - 6)}</div>"
    )
    large = (
        "<div class=frame style='left:268px;top:120px;width:196px;height:228px'>"
        f"{_image(_photo(), (160, 40, 288, 189), 196, 228)}</div>"
    )
    rays = (
        f"<svg class=full viewBox='0 0 {SIDE} {_ART}' fill='none' stroke='#fff' stroke-width='2' opacity='.7'>"
        f"<path d='M{x(right)} {y(top)} L 464 120 M{x(left)} {y(bottom)} L 268 348'/></svg>"
    )
    return (
        f"<div class=full style='filter:brightness(.75)'>{_image(_photo(), whole)}</div>{rays}{small}{large}"
    )


def _pose() -> str:
    pose = np.asarray(draw_pose())[60:640]
    return (
        f"<div style='left:0;top:0;width:240px;height:{_ART}px;background:#000'>{_image(pose, None, 240, _ART)}</div>"
        f"<div style='left:240px;top:0'>{_image(_parts(), (122, 6, 312, 300), 240, _ART)}</div>"
        "<div class=line style='left:238px'></div>"
    )


def _style_lora() -> str:
    colours = ("#f7b267", "#f4845f", "#7fb069", "#4d9de0", "#e8d8c4")
    swatches = "".join(
        f"<i style='left:{26 + 62 * i}px;top:286px;width:52px;height:52px;border-radius:50%;background:{colour};"
        "border:3px solid #fff;box-shadow:0 4px 14px #000a'></i>"
        for i, colour in enumerate(colours)
    )
    return f"<div class=full>{_image(_cel(), _HEAD)}</div>{swatches}"


def _two_people() -> str:
    box = (122, 6, 312, 300)
    right = np.ascontiguousarray(_photo()[:, ::-1])
    mirrored = (512 - box[2], box[1], 512 - box[0], box[3])
    tint = "<div style='left:{}px;top:0;width:240px;height:100%;background:{};opacity:.3'></div>"
    badge = "<div class=badge style='left:{}px;top:284px;background:{}'>{}</div>"
    first, second = _css(REGIONS[1]), _css(REGIONS[0])
    return (
        f"<div style='left:0;top:0'>{_image(_photo(), box, 240, _ART)}</div>"
        f"<div style='left:240px;top:0;filter:hue-rotate(200deg)'>{_image(right, mirrored, 240, _ART)}</div>"
        f"{tint.format(0, first)}{tint.format(240, second)}<div class=line style='left:238px'></div>"
        f"{badge.format(24, first, 1)}{badge.format(398, second, 2)}"
    )


def _mix_parts() -> str:
    """Eyes and mouth of a grey photo, laid over the colourful one."""
    x, y = _in_art(_HEAD)
    patches, threads = "", ""
    for region, (left, top, right, bottom), turn in [
        (REGIONS[1], (186, 88, 266, 116), -3), (REGIONS[4], (192, 132, 252, 164), 2),
    ]:  # fmt: skip
        width, height = round(x(right) - x(left)), round(y(bottom) - y(top))
        patches += (
            f"<div class=frame style='left:{x(left)}px;top:{y(top)}px;width:{width}px;height:{height}px;"
            f"transform:rotate({turn}deg);border-color:{_css(region)};border-width:4px;border-radius:16px'>"
            f"<div style='margin:-4px'>{_image(_grey(), (left, top, right, bottom), width, height)}</div></div>"
        )
        threads += (
            f"<path d='M 404 250 C 404 {y(bottom) - 20} {x(right) + 60} {y((top + bottom) / 2)} {x(right)} "
            f"{y((top + bottom) / 2)}' stroke='{_css(region)}'/>"
        )
    other = _image(_grey(), (146, 20, 306, 180), 132, 132)
    return (
        f"<div class=full>{_image(_photo(), _HEAD)}</div><svg class=full viewBox='0 0 {SIDE} {_ART}' fill='none' "
        f"stroke-width='4' stroke-linecap='round'>{threads}</svg>{patches}"
        f"<div class=frame style='left:330px;top:222px;width:132px;height:132px;border-radius:50%'>{other}</div>"
    )


def _several_photos() -> str:
    """Three prints of one person, and the parts that are taken from them."""
    photo = _photo()
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    prints = "".join(
        f"<div class=frame style='left:{left}px;top:{top}px;width:168px;height:212px;border-width:6px;"
        f"border-color:#f2f4f8;border-radius:8px;transform:rotate({turn}deg);filter:{light}'>"
        f"{_image(pixels, box, 168, 212)}</div>"
        for pixels, box, left, top, turn, light in [
            (mirrored, (200, 16, 376, 238), 30, 42, -9, "sepia(.45) brightness(.92)"),
            (photo, (120, 0, 360, 303), 282, 42, 9, "brightness(.88) saturate(.55)"),
            (photo, (140, 14, 312, 231), 156, 24, 0, "none"),
        ]
    )  # fmt: skip
    parts = "".join(
        f"<div class=frame style='left:{33 + 86 * i}px;top:272px;width:72px;height:72px;border-radius:50%;"
        f"border-width:5px;border-color:{_css(region)}'>{_image(photo, box, 62, 62)}</div>"
        for i, (region, box) in enumerate(zip(REGIONS, _PLACES, strict=True))
    )
    return f"{prints}{parts}"


def _one_each() -> str:
    """Three photos, and above each the picture of its person."""
    photo = _photo()
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    people = [
        (photo, (146, 4, 306, 266), (162, 36, 292, 166), "none", REGIONS[1]),
        (mirrored, (206, 4, 366, 266), (220, 36, 350, 166), "hue-rotate(200deg)", REGIONS[0]),
        (photo, (146, 4, 306, 266), (162, 36, 292, 166), "hue-rotate(95deg) saturate(.8)", REGIONS[2]),
    ]
    cards = ""
    for i, (pixels, box, face, light, region) in enumerate(people):
        x = 18 + 152 * i
        cards += (
            f"<div class=frame style='left:{x}px;top:20px;width:140px;height:274px'>"
            f"<div style='filter:{light}'>{_image(pixels, box, 140, 274)}</div>"
            f"<div style='position:absolute;inset:0;background:{_css(region)};opacity:.3'></div></div>"
            f"<div class=frame style='left:{x + 26}px;top:262px;width:88px;height:88px;border-radius:50%;"
            f"border-width:5px;border-color:{_css(region)}'>"
            f"<div style='filter:{light}'>{_image(pixels, face, 78, 78)}</div></div>"
        )
    return cards


def _training() -> str:
    """A wall of portraits, some with their parts, and a loss that falls; the curve is drawn, not measured."""
    photo, parts = _photo(), _parts()
    wall = ""
    for number in range(12):
        column, row = number % 4, number // 4
        pixels = parts if number in (1, 4, 7, 10) else photo
        left, top, right, bottom = (150, 36, 296, 190)
        if (column + row) % 2:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            left, right = 512 - right, 512 - left
        wall += (
            f"<div style='left:{120 * column}px;top:{124 * row}px;filter:brightness(.62) "
            f"hue-rotate({(0, 200, 95, 30)[(column + 2 * row) % 4]}deg)'>"
            f"{_image(pixels, (left, top, right, bottom), 120, 124)}</div>"
        )
    losses = [0.1 + 0.8 * 0.86**i + 0.06 * np.sin(2.3 * i) * 0.95**i for i in range(26)]
    points = " ".join(f"{24 + 336 * i / 25:.1f},{196 - 180 * loss:.1f}" for i, loss in enumerate(losses))
    curve = (
        "<div class=box style='left:48px;top:84px;width:384px;height:212px;padding:0'>"
        "<svg width=384 height=212 fill='none' stroke-linecap='round' stroke-linejoin='round'>"
        f"<path d='M24 14 V196 H364' stroke='#8b93a5' stroke-width='3'/>"
        f"<polyline points='{points}' stroke='{_css(REGIONS[1])}' stroke-width='6'/></svg></div>"
    )
    return wall + curve


def _best_of() -> str:
    """Eight pictures with scores; two are bright and green."""
    photo = _photo()
    lights = [
        "none",
        "hue-rotate(40deg)",
        "sepia(.5)",
        "brightness(1.1)",
        "saturate(.4)",
        "hue-rotate(-30deg)",
    ]
    lights += ["contrast(1.2)", "sepia(.2)"]
    scores = (0.31, 0.44, 0.62, 0.38, 0.27, 0.57, 0.41, 0.35)
    best = sorted(scores)[-2:]
    cells = ""
    for i, (light, score) in enumerate(zip(lights, scores, strict=True)):
        x, y, is_best = 14 + 114 * (i % 4), 16 + 172 * (i // 4), score in best
        shift = 6 * (i % 3 - 1)
        picture = _image(photo, (146 + shift, 20, 306 + shift, 260), 104, 156)
        dim = "none" if is_best else "brightness(.45)"
        edge = "border-color:#40dc78;border-width:5px" if is_best else "border-color:#fff4"
        tag = "background:#40dc78;color:#14161c" if is_best else "background:#000a;color:#f2f4f8"
        cells += (
            f"<div class=frame style='left:{x}px;top:{y}px;width:108px;height:160px;{edge}'>"
            f"<div style='filter:{dim}'><div style='filter:{light}'>{picture}</div></div>"
            f"<div style='position:absolute;left:0;bottom:0;padding:2px 9px;font-size:21px;font-weight:700;{tag}'>"
            f"{score:.2f}</div></div>"
        )
    return cells


def _sweep() -> str:
    """A sheet of three by three: the face comes out of a painting, its score rises."""
    photo, oil = _photo(), _oil()
    cells = ""
    for row in range(3):
        for column in range(3):
            share = (row + 2 - column) / 4
            score = 0.24 + 0.36 * share
            x, y, is_best = 78 + 128 * column, 42 + 108 * row, share == 1
            box = (154, 36, 294, 153)
            edge = "border-color:#40dc78;border-width:5px" if is_best else "border-color:#fff4"
            tag = "background:#40dc78;color:#14161c" if is_best else "background:#000a;color:#f2f4f8"
            cells += (
                f"<div class=frame style='left:{x}px;top:{y}px;width:120px;height:100px;border-radius:8px;{edge}'>"
                f"{_image(oil, box, 120, 100)}"
                f"<div style='position:absolute;left:0;top:0;opacity:{share}'>{_image(photo, box, 120, 100)}</div>"
                f"<div style='position:absolute;left:0;bottom:0;padding:1px 8px;font-size:19px;font-weight:700;{tag}'>"
                f"{score:.2f}</div></div>"
            )
    for n, (across, down) in enumerate((("0.3", "0.6"), ("0.5", "0.8"), ("0.7", "1"))):
        cells += (
            f"<div style='left:{78 + 128 * n}px;top:8px;width:120px;text-align:center;font-size:22px'>{across}</div>"
            f"<div style='left:8px;top:{78 + 108 * n}px;width:60px;text-align:right;font-size:22px'>{down}</div>"
        )
    return cells


_ART_OF: dict[str, Callable[[], str]] = {
    "consistentid_sd15": _portrait,
    "consistentid_simple": _simple,
    "consistentid_sdxl": _sdxl,
    "consistentid_painted_masks": _painted,
    "consistentid_llava_caption": _llava,
    "consistentid_any_caption": _any_caption,
    "consistentid_saved_embedding": _saved,
    "consistentid_img2img": _restyle,
    "consistentid_inpaint": _inpaint,
    "consistentid_paste_back": _paste_back,
    "consistentid_second_pass": _second_pass,
    "consistentid_controlnet": _pose,
    "consistentid_style_lora": _style_lora,
    "consistentid_several_photos": _several_photos,
    "consistentid_mix_parts": _mix_parts,
    "consistentid_one_each": _one_each,
    "consistentid_two_people": _two_people,
    "consistentid_train": _training,
    "consistentid_best_of": _best_of,
    "consistentid_sweep": _sweep,
}


# --- pieces -----------------------------------------------------------------------------------------------


def _split(left: str, right: str) -> str:
    return (
        f"<div class=full>{left}</div><div class=full style='clip-path:inset(0 0 0 50%)'>{right}</div>"
        "<div class=line style='left:238px'></div>"
    )


def _word(region: int, text: str | None = None) -> str:
    return f"<b style='background:{_css(REGIONS[region])}'>{text or REGIONS[region].word}</b>"


def _css(region: Region) -> str:
    return "#{:02x}{:02x}{:02x}".format(*region.colour)


def _in_art(box: Box) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """From places in the photo to places in the art, for a box that is shown as in :func:`_image`."""
    left, top, right, bottom = box
    scale = max(SIDE / (right - left), _ART / (bottom - top))
    shift_x = (SIDE - scale * (right - left)) / 2
    shift_y = (_ART - scale * (bottom - top)) / 2
    return lambda x: round(scale * (x - left) + shift_x, 1), lambda y: round(scale * (y - top) + shift_y, 1)


def _image(pixels: np.ndarray, box: Box | None, width: int = SIDE, height: int = _ART) -> str:
    """A part of a picture, filling a rectangle; the box is in pixels of the photo."""
    picture = Image.fromarray(pixels)
    if box is not None:
        scale = pixels.shape[1] / 512
        picture = picture.crop(tuple(round(scale * value) for value in box))
    file = io.BytesIO()
    picture.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f"<img src='data:image/png;base64,{data}' style='width:{width}px;height:{height}px'>"


def _photo() -> np.ndarray:
    return np.asarray(Image.open(paths.WORKFLOWS / "assets" / "astronaut.png").convert("RGB"))


def _grey() -> np.ndarray:
    """The photo without its colours, for another photo."""
    return np.repeat(cv2.cvtColor(_photo(), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def _parts() -> np.ndarray:
    """The photo with its parts in colour, at twice its size for finer edges."""
    photo = Image.fromarray(_photo()).resize((1024, 1024), Image.Resampling.LANCZOS)
    labels = np.asarray(Image.open(paths.WORKFLOWS / "assets" / "astronaut_labels.png"))
    return draw_overlay(
        np.asarray(photo),
        find_parts(cv2.resize(labels, (1024, 1024), interpolation=cv2.INTER_NEAREST), pair="both"),
    )


def _oil() -> np.ndarray:
    """The photo as a painting: a Kuwahara filter, which takes the calmest of four neighbourhoods for each pixel."""
    photo = cv2.resize(_photo(), (1024, 1024), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    size = 9
    corners = [(0, 0), (0, size - 1), (size - 1, 0), (size - 1, size - 1)]
    means = np.stack([cv2.blur(photo, (size, size), anchor=corner) for corner in corners])
    squares = np.stack([cv2.blur(grey**2, (size, size), anchor=corner) for corner in corners])
    spread = squares - np.stack([cv2.blur(grey, (size, size), anchor=corner) for corner in corners]) ** 2
    calmest = spread.argmin(axis=0)[None, ..., None]
    painted = np.take_along_axis(means, calmest, axis=0)[0]
    return np.clip(painted * (1.12, 1.0, 0.86) + (8, 2, 0), 0, 255).astype(np.uint8)


def _cel() -> np.ndarray:
    """The photo in flat colours with dark outlines."""
    smooth = cv2.resize(_photo(), (1024, 1024), interpolation=cv2.INTER_CUBIC)
    for _ in range(8):
        smooth = cv2.bilateralFilter(smooth, 11, 30, 11)
    hsv = cv2.cvtColor(smooth, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 1] = np.clip(hsv[..., 1] * 1.5, 0, 255)
    step = 44
    hsv[..., 2] = np.clip((hsv[..., 2] // step) * step + step * 0.8, 0, 255)
    flat = cv2.cvtColor(cv2.medianBlur(hsv.astype(np.uint8), 9), cv2.COLOR_HSV2RGB)
    grey = cv2.GaussianBlur(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), (0, 0), 2)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 21, 6)
    lines = cv2.medianBlur(lines, 7)
    return np.where(lines[..., None] == 0, (flat * 0.3).astype(np.uint8), flat)
