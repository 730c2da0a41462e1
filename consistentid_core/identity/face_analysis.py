"""Find faces and turn them into recognition vectors: the one place that imports InsightFace.

InsightFace and onnxruntime are optional and imported when first used. Only the two networks
that are needed are loaded, through InsightFace's own classes; nothing is ever downloaded.
"""

import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import CheckpointError, MissingDependencyError
from ..files.catalogue import DETECTOR, RECOGNISER, ModelFile
from ..files.resolve import find_face_models
from .providers import AUTO, CPU, PROVIDERS, choose_provider, clashing_builds, provider_options

logger = logging.getLogger(__name__)

EMBEDDING_WIDTH = 512
#: Size of the aligned face the recogniser reads, in pixels.
_ALIGNED_SIZE = 112
#: Faces scored below this are noise; above it they are worth naming when none is good enough.
_LOWEST_SCORE = 0.05


class Framing(NamedTuple):
    """How a picture is shown to the detector."""

    #: Side of the square network input, in pixels.
    size: int
    #: Black border on each side, as a part of ``size``.
    border: float = 0.0

    def __str__(self) -> str:
        return f"{self.size} with a border" if self.border else str(self.size)


#: 640 is what the original uses. The detector misses faces that fill a large part of its
#: input: smaller inputs and then a border around the picture bring those back.
FRAMINGS = (
    Framing(640),
    Framing(512),
    Framing(384),
    Framing(320),
    Framing(256),
    Framing(640, 0.25),
    Framing(320, 0.25),
)


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of its picture, x before y."""

    #: Left, top, right, bottom; may lie outside the picture.
    box: tuple[float, float, float, float]
    #: (5, 2): left eye, right eye, nose, left and right corner of the mouth, as seen.
    points: np.ndarray
    score: float


@dataclass(frozen=True)
class Detection:
    """What was found in one picture."""

    #: Best score first; empty if no framing showed a face.
    faces: tuple[Face, ...]
    #: The framings tried, the last one being the one that showed the faces.
    tried: tuple[Framing, ...]
    #: The best score of all framings tried; 0 if nothing reached the noise level.
    best_score: float


class FaceAnalyser:
    """The detector and the recogniser of one ``buffalo_l`` folder."""

    def __init__(self, detector: Any, recogniser: Any, provider: str):
        """detector, recogniser: InsightFace's SCRFD and ArcFaceONNX."""
        self._detector = detector
        self._recogniser = recogniser
        #: The name in :data:`PROVIDERS` of what the networks run on.
        self.provider = provider

    def detect(
        self, image: np.ndarray, *, threshold: float = 0.5, framings: Sequence[Framing] = FRAMINGS
    ) -> Detection:
        """Find the faces of a picture, trying one framing after another until there are any.

        image: uint8 (H, W, 3); InsightFace takes the channels to be BGR.
        threshold: the lowest score of a face, above 0 and at most 1.
        """
        if not 0.0 < threshold <= 1.0:
            raise ValueError(f"The threshold is a score above 0 and at most 1, not {threshold}.")
        best_score = 0.0
        for count, framing in enumerate(framings, start=1):
            candidates = self._look(image, framing, lowest_score=min(threshold, _LOWEST_SCORE))
            best_score = max([best_score, *(face.score for face in candidates)])
            # Weaker boxes never suppress stronger ones, so filtering here equals a stricter detector.
            faces = tuple(face for face in candidates if face.score >= threshold)
            if faces:
                return Detection(faces, tuple(framings[:count]), best_score)
        return Detection((), tuple(framings), best_score)

    def embed(self, image: np.ndarray, face: Face) -> np.ndarray:
        """The recognition vector of a face: (512,) float32 of unit length.

        image: the picture the face was found in, same channel order.
        """
        from insightface.app.common import Face as InsightFace

        vector = self._recogniser.get(image, InsightFace(kps=face.points))
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0.0:
            raise CheckpointError(
                f"The face recogniser returned a vector of length {length}. "
                f"Its file is damaged: download {RECOGNISER.name} again ({RECOGNISER.size:,} bytes)."
            )
        return (vector / length).astype(np.float32)

    def embed_aligned(self, faces: np.ndarray) -> np.ndarray:
        """The recognition vectors of faces that were aligned before: (n, 512) float32, of any length above 0.

        faces: uint8 (n, 112, 112, 3), same channel order as for :meth:`detect`.
        """
        # One by one: the released file declares one row, and so the numbers are those of :meth:`embed`.
        rows = [self._recogniser.get_feat(np.ascontiguousarray(face)).reshape(-1) for face in faces]
        return np.stack(rows) if rows else np.zeros((0, EMBEDDING_WIDTH), np.float32)

    def _look(self, image: np.ndarray, framing: Framing, *, lowest_score: float) -> list[Face]:
        """The faces one framing shows, best score first."""
        canvas, scale, offset = _frame(image, framing)
        self._detector.det_thresh = lowest_score
        # The size must be passed: the detector ignores a changed ``input_size`` attribute.
        boxes, points = self._detector.detect(canvas, input_size=(framing.size, framing.size))
        faces = []
        for box, face_points in zip(boxes, points, strict=True):
            left, top, right, bottom = ((box[:4] - offset) / scale).tolist()
            faces.append(Face((left, top, right, bottom), (face_points - offset) / scale, float(box[4])))
        return faces


def _frame(image: np.ndarray, framing: Framing) -> tuple[np.ndarray, float, int]:
    """Put a picture on the detector's square canvas.

    Returns the canvas (size, size, 3), the scale and the offset of the picture on it.
    Without a border this is what InsightFace does itself, rounding included.
    """
    import cv2

    height, width = image.shape[:2]
    offset = int(framing.size * framing.border)
    inner = framing.size - 2 * offset
    ratio = height / width
    if ratio > 1:
        new_height, new_width = inner, int(inner / ratio)
    else:
        new_height, new_width = int(inner * ratio), inner
    # A strip many times longer than wide would vanish.
    new_height, new_width = max(new_height, 1), max(new_width, 1)

    canvas = np.zeros((framing.size, framing.size, 3), np.uint8)
    resized = cv2.resize(np.ascontiguousarray(image), (new_width, new_height))
    canvas[offset : offset + new_height, offset : offset + new_width] = resized
    return canvas, new_height / height, offset


def load_face_analyser(
    roots: Iterable[str | Path], provider: str = AUTO, device: torch.device | None = None
) -> FaceAnalyser:
    """Load ``buffalo_l`` from the first of the InsightFace folders that has it: 0.4 GB, as long as the result lives.

    provider: ``auto`` or a name in :data:`~.providers.PROVIDERS`.
    device: what everything else computes on. ``auto`` follows it; None: ``auto`` takes any graphics card.
    Raises MissingModelError, MissingDependencyError (also for a provider this onnxruntime
    does not have) and CheckpointError (a file that is damaged or another network).
    """
    return open_face_analyser(*find_face_models(roots), provider, device)


def open_face_analyser(
    detector: Path, recogniser: Path, provider: str = AUTO, device: torch.device | None = None
) -> FaceAnalyser:
    """:func:`load_face_analyser` of two files."""
    chosen = provider_for(provider, device)
    try:
        analyser = _open_both(detector, recogniser, chosen, device)
    except MissingDependencyError as error:
        if provider != AUTO or chosen == CPU:
            raise
        logger.warning("%s Using the CPU for face recognition instead.", error)
        analyser = _open_both(detector, recogniser, CPU, device)
    logger.info("InsightFace models of %s loaded on %s", detector.parent, analyser.provider)
    return analyser


def provider_for(choice: str, device: torch.device | None = None) -> str:
    """:func:`~.providers.choose_provider` of the installed onnxruntime; warns if two builds of it clash."""
    chosen = choose_provider(_import().onnxruntime, choice, device)
    if choice == AUTO and chosen == CPU and (device is None or device.type != "cpu"):
        clash = clashing_builds()
        if clash:
            logger.warning("Face recognition computes on the CPU.%s", clash)
    return chosen


def _open_both(detector: Path, recogniser: Path, provider: str, device: torch.device | None) -> FaceAnalyser:
    libraries = _import()
    detector_session = open_session(detector, provider, device)
    _check_detector(detector, detector_session)
    recogniser_session = open_session(recogniser, provider, device)
    _check_recogniser(recogniser, recogniser_session)
    return FaceAnalyser(
        libraries.detector(model_file=str(detector), session=detector_session),
        libraries.recogniser(model_file=str(recogniser), session=recogniser_session),
        provider,
    )


def open_session(
    path: Path, provider: str, device: torch.device | None = None, content: bytes | None = None
) -> Any:
    """An onnxruntime session whose first provider is the wanted one, with the CPU behind it.

    provider: a name in :data:`~.providers.PROVIDERS`.
    content: what to open in place of the file's own content; the file is then only named in errors.
    Raises CheckpointError if the file is to blame, MissingDependencyError if the provider is.
    """
    onnxruntime = _import().onnxruntime
    if provider == "CUDA" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: the detector's file declares sizes it does not keep
    wanted = {name: provider_options(name, device) for name in (provider, CPU)}
    try:
        session = onnxruntime.InferenceSession(
            str(path) if content is None else content,
            options,
            providers=[PROVIDERS[name] for name in wanted],
            provider_options=list(wanted.values()),
        )
    except Exception as error:  # onnxruntime has a dozen exception types without a common base
        if provider == CPU:
            raise CheckpointError(
                f"{path} ({path.stat().st_size:,} bytes) is no readable ONNX file: {error}. "
                "Download it again."
            ) from error
        open_session(path, CPU, device, content)  # raises if the file is to blame
        raise MissingDependencyError(
            f"onnxruntime cannot use {provider}: {error}. Repair what it names, or choose the provider {CPU}."
            f"{clashing_builds()}"
        ) from error
    if session.get_providers()[0] != PROVIDERS[provider]:
        raise MissingDependencyError(
            f"onnxruntime offers {provider} but could not start it and fell back to "
            f"{', '.join(session.get_providers())}. Its log above says which library is missing: "
            f"install that, or choose the provider {CPU}.{clashing_builds()}"
        )
    return session


def _check_detector(path: Path, session: Any) -> None:
    # Scores, boxes and key points at three scales, from a picture of any size.
    image = session.get_inputs()[0].shape
    if len(session.get_outputs()) != 9 or len(image) != 4 or image[1] != 3:
        raise _wrong_network(path, session, DETECTOR, "a face detector with 9 outputs")
    if any(isinstance(side, int) for side in image[2:]):
        raise _wrong_network(path, session, DETECTOR, "a face detector for pictures of any size")


def _check_recogniser(path: Path, session: Any) -> None:
    face, vector = session.get_inputs()[0].shape, session.get_outputs()[0].shape
    shapes = list(face[1:]), list(vector[1:])
    if len(session.get_outputs()) != 1 or shapes != ([3, _ALIGNED_SIZE, _ALIGNED_SIZE], [EMBEDDING_WIDTH]):
        raise _wrong_network(path, session, RECOGNISER, "a face recogniser: 112x112 pixels to 512 numbers")


def _wrong_network(path: Path, session: Any, file: ModelFile, expected: str) -> CheckpointError:
    found = ", ".join(str(value.shape) for value in (*session.get_inputs(), *session.get_outputs()))
    return CheckpointError(
        f"{path} is another network than its name says. Found inputs and outputs of shapes {found}; expected "
        f"{expected}. Replace it with {file.name} of buffalo_l ({file.size:,} bytes, sha256 {file.sha256})."
    )


class _Libraries(NamedTuple):
    onnxruntime: Any
    #: InsightFace's classes for the two networks.
    detector: Any
    recogniser: Any


def _import() -> _Libraries:
    try:
        import onnxruntime
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX
        from insightface.model_zoo.scrfd import SCRFD
    except ImportError as error:
        clash = clashing_builds()
        raise MissingDependencyError(
            f"Face recognition needs the packages insightface and onnxruntime: {error}. Into the Python that "
            f'runs this goes what is missing: "{sys.executable}" -m pip install {_to_install(error)}'
            + (f".{clash}" if clash else "")
        ) from error
    return _Libraries(onnxruntime, SCRFD, ArcFaceONNX)


#: Packages that insightface imports under another name than pip's.
_PIP_NAMES = {"cv2": "opencv-python-headless", "skimage": "scikit-image"}


def _to_install(error: ImportError) -> str:
    """pip's arguments for what could not be imported.

    From 1.0 on insightface makes pip install onnxruntime for the CPU, over the build for a graphics card if
    that is there. So where there is one, insightface comes alone, and then what else it misses.
    """
    if sys.modules.get("onnxruntime") is None:
        return "insightface onnxruntime"
    missing = (error.name or "insightface").split(".")[0]
    return "--no-deps insightface" if missing == "insightface" else _PIP_NAMES.get(missing, missing)
