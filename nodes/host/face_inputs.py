"""Inputs of the nodes that look for faces."""

from comfy_api.latest import io

from ...consistentid_core.identity.face_choice import FACE_ORDERS, LARGE_TO_SMALL
from ...consistentid_core.identity.providers import AUTO, PROVIDERS


def face_choice() -> list[io.Input]:
    """Which face of a photo is meant, and how sure the detector must be of one."""
    return [
        io.Combo.Input(
            "order",
            options=list(FACE_ORDERS),
            default=LARGE_TO_SMALL,
            optional=True,
            tooltip="How the faces of a photo are counted for face_index. The original takes the "
            "face its detector is surest of.",
        ),
        io.Int.Input(
            "face_index",
            default=0,
            min=0,
            max=99,
            optional=True,
            tooltip="Which face of each photo is the person: 0 is the first in the chosen order. "
            "The preview shows the numbers.",
        ),
        io.Float.Input(
            "det_threshold",
            default=0.5,
            min=0.05,
            max=1.0,
            step=0.01,
            optional=True,
            tooltip="The lowest detection score of a face. Lower it for turned or hidden faces.",
        ),
    ]


def face_provider() -> io.Combo.Input:
    """What the face networks compute on."""
    return io.Combo.Input(
        "provider",
        options=[AUTO, *PROVIDERS],
        default=AUTO,
        optional=True,
        tooltip="What onnxruntime computes on. auto takes ComfyUI's own graphics card if this "
        "onnxruntime supports it, else the CPU, which is fast enough.",
    )
