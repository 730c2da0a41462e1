"""Inputs of the nodes that look for faces."""

from comfy_api.latest import io

from ...consistentid_core.identity.face_choice import FACE_ORDERS, LARGE_TO_SMALL
from ...consistentid_core.identity.providers import AUTO, PROVIDERS

_ORDER = "How the faces of a photo are counted for face_index. The original takes the face its detector is surest of."
_INDEX = "Which face of each photo is the person: 0 is the first in the chosen order. The preview shows the numbers."
_THRESHOLD = "The lowest detection score of a face. Lower it for turned or hidden faces."
_PROVIDER = (
    "What onnxruntime computes on. auto takes ComfyUI's own graphics card if this onnxruntime supports it, else the "
    "CPU, which is fast enough."
)
#: For nodes that judge what ID Embedding was used for.
AS_ID_EMBEDDING = "What onnxruntime computes on; best the same as in ID Embedding."


def face_choice(*, order: str = _ORDER, index: str = _INDEX, threshold: str = _THRESHOLD) -> list[io.Input]:
    """Which face of a photo is meant, and how sure the detector must be of one; the arguments are tooltips."""
    return [
        io.Combo.Input(
            "order", options=list(FACE_ORDERS), default=LARGE_TO_SMALL, optional=True, tooltip=order
        ),
        io.Int.Input("face_index", default=0, min=0, max=99, optional=True, tooltip=index),
        face_threshold(threshold),
    ]


def face_threshold(tooltip: str) -> io.Float.Input:
    """How sure the detector must be of a face."""
    return io.Float.Input(
        "det_threshold", default=0.5, min=0.05, max=1.0, step=0.01, optional=True, tooltip=tooltip
    )


def face_provider(tooltip: str = _PROVIDER) -> io.Combo.Input:
    """What the face networks compute on."""
    return io.Combo.Input(
        "provider", options=[AUTO, *PROVIDERS], default=AUTO, optional=True, tooltip=tooltip
    )
