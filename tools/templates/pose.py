"""The example pose of the ControlNet workflow: half-length, one hand on the hip, as OpenPose draws it."""

from PIL import Image, ImageDraw

SIZE = (512, 768)

#: The 18 points OpenPose finds in a person: name -> x, y. Knees and feet are outside the picture.
_POINTS = {
    "nose": (262, 176), "neck": (256, 286),
    "right shoulder": (164, 292), "right elbow": (112, 440), "right wrist": (186, 560),
    "left shoulder": (348, 290), "left elbow": (384, 446), "left wrist": (372, 596),
    "right hip": (202, 600), "left hip": (310, 600),
    "right eye": (240, 156), "left eye": (284, 156), "right ear": (214, 170), "left ear": (308, 170),
}  # fmt: skip

#: Bones and their colours, around the colour wheel: OpenPose's convention, which the ControlNet has learned.
_BONES = {
    ("neck", "right shoulder"): (255, 0, 0), ("neck", "left shoulder"): (255, 85, 0),
    ("right shoulder", "right elbow"): (255, 170, 0), ("right elbow", "right wrist"): (255, 255, 0),
    ("left shoulder", "left elbow"): (170, 255, 0), ("left elbow", "left wrist"): (85, 255, 0),
    ("neck", "right hip"): (0, 255, 0), ("neck", "left hip"): (0, 255, 255),
    ("neck", "nose"): (0, 0, 255), ("nose", "right eye"): (85, 0, 255), ("right eye", "right ear"): (170, 0, 255),
    ("nose", "left eye"): (255, 0, 255), ("left eye", "left ear"): (255, 0, 170),
}  # fmt: skip
_JOINTS = {
    "nose": (255, 0, 0), "neck": (255, 85, 0),
    "right shoulder": (255, 170, 0), "right elbow": (255, 255, 0), "right wrist": (170, 255, 0),
    "left shoulder": (85, 255, 0), "left elbow": (0, 255, 0), "left wrist": (0, 255, 85),
    "right hip": (0, 255, 170), "left hip": (0, 85, 255),
    "right eye": (170, 0, 255), "left eye": (255, 0, 255), "right ear": (255, 0, 170), "left ear": (255, 0, 85),
}  # fmt: skip

#: Bones are drawn darker than joints.
_DIMMED = 0.6
_SMOOTH = 4


def draw_pose() -> Image.Image:
    width, height = SIZE
    picture = Image.new("RGB", (width * _SMOOTH, height * _SMOOTH))
    draw = ImageDraw.Draw(picture)
    for (start, end), colour in _BONES.items():
        line = [tuple(_SMOOTH * value for value in _POINTS[name]) for name in (start, end)]
        draw.line(line, tuple(round(_DIMMED * value) for value in colour), 8 * _SMOOTH)
    for name, colour in _JOINTS.items():
        x, y = (_SMOOTH * value for value in _POINTS[name])
        radius = 5 * _SMOOTH
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    return picture.resize(SIZE, Image.Resampling.LANCZOS)
