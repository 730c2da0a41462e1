"""A portrait on its way through the steps: a row of plain values, so that it can travel between processes."""

from typing import TypedDict


class Row(TypedDict, total=False):
    """content_id, path, name, size, time: of the source.

    data: the photo's file as it is kept, upright RGB.  suffix: of that file.
    width, height: of the photo.  resized, label_map: PNG files, 512 x 512.
    parts: names, in crop order.  faces: how many.  face_height: share of the photo's height.
    id_original, id_resized: 512 float32 numbers as bytes, empty if no face was found.
    notes: what was done to the photo.  reason, detail: why it cannot be used; empty while it can.
    """

    content_id: str
    path: str
    name: str
    size: int
    time: int
    data: bytes
    suffix: str
    width: int
    height: int
    resized: bytes
    label_map: bytes
    parts: list[str]
    faces: int
    face_height: float
    id_original: bytes
    id_resized: bytes
    caption: str
    face_caption: str
    notes: list[str]
    reason: str
    detail: str


def first_row(content_id: str, path: str, name: str, size: int, time: int) -> Row:
    """The row of a photo before the first step; every column is there from the start."""
    return Row(
        content_id=content_id,
        path=path,
        name=name,
        size=size,
        time=time,
        data=b"",
        suffix="",
        width=0,
        height=0,
        resized=b"",
        label_map=b"",
        parts=[],
        faces=0,
        face_height=0.0,
        id_original=b"",
        id_resized=b"",
        caption="",
        face_caption="",
        notes=[],
        reason="",
        detail="",
    )
