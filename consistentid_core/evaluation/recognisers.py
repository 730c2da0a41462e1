"""Face recognisers that judge likeness: any ArcFace-type ONNX file, told by its shape and not by its name.

The recogniser whose vector conditions a picture flatters that picture, so a judge should be another one.
Everything here takes RGB. A face is detected elsewhere; :func:`align` brings it to the place where these
networks expect eyes, nose and mouth.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ..errors import CheckpointError, MissingModelError
from ..files.catalogue import RECOGNISER
from ..files.quoting import quoted
from ..identity.face_analysis import EMBEDDING_WIDTH, Face, FaceAnalyser, open_session, provider_for
from ..identity.providers import AUTO

#: Side of an aligned face, in pixels.
ALIGNED_SIZE = 112
#: How long a vector of a face may be: SFace has 128 numbers, ArcFace 512, some large ones 1024.
SMALLEST_VECTOR, LARGEST_VECTOR = 128, 1024

RGB = "RGB"
BGR = "BGR"
#: What networks of this kind were trained on: nearly all on RGB, AdaFace on BGR.
COLOUR_ORDERS = (RGB, BGR)

#: The faces of an RGB picture, uint8 (H, W, 3), surest first.
FaceDetector = Callable[[np.ndarray], Sequence[Face]]

#: Faces for one call of a network: more need memory and are no faster.
_BATCH = 32
#: Pixel values go from -1 to 1, unless the network begins by doing this itself.
_MIDDLE = 127.5


class Recogniser(Protocol):
    """What turns an aligned face into a vector; vectors of two recognisers cannot be compared."""

    #: For people to read: the name of its file without the extension.
    name: str
    #: Of its file, 64 hexadecimal digits.
    sha256: str
    #: How many numbers a vector has.
    size: int

    def embed(self, faces: np.ndarray) -> np.ndarray:
        """The vectors of aligned faces.

        faces: uint8 RGB (n, 112, 112, 3) from :func:`align`; n may be 0.
        Returns float32 (n, size), each row of unit length.
        """
        ...


class OnnxRecogniser:
    """A :class:`Recogniser` in an onnxruntime session; made by :func:`load_recogniser`."""

    def __init__(
        self,
        path: Path,
        session: Any,
        *,
        sha256: str,
        output: str,
        size: int,
        normalises: bool,
        colours: str = RGB,
    ):
        """output: the name of the one that is the vector.  normalises: whether the network scales pixels itself."""
        self.path = path
        self.name = path.stem
        self.sha256 = sha256
        self.size = size
        self._session = session
        self._output = output
        self._input = session.get_inputs()[0]
        self._normalises = normalises
        self.colours = colours

    def embed(self, faces: np.ndarray) -> np.ndarray:
        """See :meth:`Recogniser.embed`. Raises CheckpointError if the network returns no direction."""
        if faces.ndim != 4 or faces.shape[1:] != (ALIGNED_SIZE, ALIGNED_SIZE, 3) or faces.dtype != np.uint8:
            raise ValueError(
                f"Expected aligned faces, uint8 (n, {ALIGNED_SIZE}, {ALIGNED_SIZE}, 3); found {faces.dtype} "
                f"{faces.shape}. Align each face first."
            )
        if not len(faces):
            return np.zeros((0, self.size), np.float32)
        # Many files are made for one face at a time.
        fixed = self._input.shape[0]
        step = fixed if isinstance(fixed, int) else _BATCH
        vectors = np.concatenate(
            [self._run(faces[start : start + step], step, fixed) for start in range(0, len(faces), step)]
        )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (lengths == 0).any():
            raise CheckpointError(
                f"The face recogniser '{self.path.name}' returned a vector of length "
                f"{float(lengths[~(np.isfinite(lengths) & (lengths > 0))][0])}. Its file is damaged: get it again."
            )
        return (vectors / lengths).astype(np.float32)

    def _run(self, faces: np.ndarray, step: int, fixed: Any) -> np.ndarray:
        """Raw vectors of at most ``step`` faces, float64 (n, size)."""
        pixels = faces.astype(np.float32)
        if self.colours == BGR:
            pixels = pixels[..., ::-1]
        if not self._normalises:
            pixels = (pixels - _MIDDLE) / _MIDDLE
        if isinstance(fixed, int) and len(pixels) < step:
            pixels = np.concatenate([pixels, np.zeros((step - len(pixels), *pixels.shape[1:]), np.float32)])
        if self._input.shape[1] == 3:
            pixels = pixels.transpose(0, 3, 1, 2)  # BHWC -> BCHW
        dtype = np.float16 if "float16" in self._input.type else np.float32
        (found,) = self._session.run(
            [self._output], {self._input.name: np.ascontiguousarray(pixels, dtype=dtype)}
        )
        return found.reshape(len(pixels), -1)[: len(faces)].astype(np.float64)


class Conditioner:
    """The :class:`Recogniser` of ID Embedding, which conditions the pictures of ConsistentID and flatters them."""

    size = EMBEDDING_WIDTH

    def __init__(self, analyser: FaceAnalyser, channel_order: str = BGR):
        """channel_order: as of the ID embedding it is compared with; BGR unless it was made the original's way."""
        self.name = Path(RECOGNISER.name).stem
        self.sha256 = RECOGNISER.sha256 or ""
        self._analyser = analyser
        self._channel_order = channel_order

    def embed(self, faces: np.ndarray) -> np.ndarray:
        """See :meth:`Recogniser.embed`."""
        vectors = self._analyser.embed_aligned(faces[..., ::-1] if self._channel_order == BGR else faces)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def load_recogniser(
    path: str | Path, provider: str = AUTO, device: torch.device | None = None, *, colours: str = RGB
) -> OnnxRecogniser:
    """Open an ONNX file that turns aligned faces into vectors.

    Accepted is any network from one picture of 112x112 (NCHW or NHWC, float32 or float16) to one vector of 128 to
    1024 numbers. Whether it scales pixels itself is read off its first operations.
    provider, device: as of :func:`~..identity.face_analysis.open_face_analyser`.
    colours: one of :data:`COLOUR_ORDERS`, what the network was trained on.
    Raises MissingModelError, MissingDependencyError, and CheckpointError for a file that is no such network.
    """
    path = Path(path)
    if colours not in COLOUR_ORDERS:
        raise ValueError(f"Unknown colour order '{colours}'. Expected one of: {', '.join(COLOUR_ORDERS)}.")
    if not path.is_file():
        raise MissingModelError(
            f"No face recogniser at {path}. Put an ArcFace-type ONNX file there, or choose another one."
        )
    chosen = provider_for(provider, device)  # first, since it says what to install
    data = path.read_bytes()
    model = _read_graph(path, data)
    _check_whole(path, model)
    image = _check_image(path, model)
    output, size = _check_vector(path, model)
    content = model.SerializeToString() if _remove_other_inputs(model) else None
    session = open_session(path, chosen, device, content)
    if len(session.get_inputs()) != 1:
        raise _other_network(path, model)
    return OnnxRecogniser(
        path,
        session,
        sha256=hashlib.sha256(data).hexdigest(),
        output=output,
        size=size,
        normalises=_normalises(model, image),
        colours=colours,
    )


def is_conditioner(recogniser: Recogniser) -> bool:
    """Whether pictures of ConsistentID are conditioned on this very recogniser, which therefore flatters them."""
    return recogniser.sha256 == RECOGNISER.sha256 or recogniser.name == Path(RECOGNISER.name).stem


def align(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A face as recognisers expect it: turned and scaled so that five points lie where they do in all faces.

    picture: uint8 (H, W, 3).  points: (5, 2), of a :class:`~..identity.face_analysis.Face`.
    Returns uint8 (112, 112, 3); what lies outside the picture is black.
    """
    from insightface.utils.face_align import norm_crop

    return norm_crop(picture, np.asarray(points, np.float32), ALIGNED_SIZE)


def align_all(faces: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """:func:`align` of (picture, points) pairs, uint8 (n, 112, 112, 3)."""
    crops = [align(picture, points) for picture, points in faces]
    return np.stack(crops) if crops else np.zeros((0, ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8)


def face_detector(analyser: FaceAnalyser, threshold: float = 0.5) -> FaceDetector:
    """The detector of ``buffalo_l`` for RGB pictures.  threshold: the lowest score of a face."""

    def detect(picture: np.ndarray) -> Sequence[Face]:
        return analyser.detect(picture[..., ::-1], threshold=threshold).faces  # RGB -> BGR

    return detect


# ---------------------------------------------------------------- reading the graph


def _read_graph(path: Path, data: bytes) -> Any:
    import onnx

    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf's own type, which is no public name
        raise CheckpointError(
            f"{path} ({len(data):,} bytes) is no readable ONNX file: {error}. Choose a face recogniser in ONNX "
            "format, or get the file again."
        ) from error
    if not model.graph.output:
        raise CheckpointError(
            f"{path} ({len(data):,} bytes) is no readable ONNX file: it has no outputs. Choose a face recogniser in "
            "ONNX format, or get the file again."
        )
    return model


def _check_whole(path: Path, model: Any) -> None:
    """Refuses weights in other files: those could be any, and the sha256 of this one would say nothing of them."""
    for holder in (model.graph, *model.functions):
        for tensor in _tensors(holder):
            if tensor.data_location == tensor.EXTERNAL:
                named = next((one.value for one in tensor.external_data if one.key == "location"), "")
                raise CheckpointError(
                    f"{path.name} keeps weights in another file ('{quoted(named)}'), and only what is in the file "
                    "itself is read. Save it in one piece (onnx.save without external data), or choose another one."
                )


def _tensors(holder: Any) -> Iterator[Any]:
    """All tensors of a graph or a function, those of branches and loops in it too."""
    yield from getattr(holder, "initializer", ())
    sparse = list(getattr(holder, "sparse_initializer", ()))
    for node in holder.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += (attribute.sparse_tensor, *attribute.sparse_tensors)
            for inside in (attribute.g, *attribute.graphs):
                yield from _tensors(inside)
    for one in sparse:
        yield from (one.values, one.indices)


def _true_inputs(model: Any) -> list[Any]:
    """What the network has to be given: the inputs that are read and that the file does not hold itself.

    Quantisation (SFace's ``int8bq``) leaves weights in the list of inputs under names that nothing reads any more.
    """
    graph = model.graph
    own = {one.name for one in graph.initializer} | {name for node in graph.node for name in node.output}
    read = {name for node in graph.node for name in node.input}
    return [one for one in graph.input if one.name in read - own]


def _remove_other_inputs(model: Any) -> bool:
    """Leave only :func:`_true_inputs`, since onnxruntime asks for every input; whether there were others."""
    graph = model.graph
    images = _true_inputs(model)
    if len(images) == len(graph.input):
        return False
    del graph.input[:]
    graph.input.extend(images)
    return True


def _shape(value: Any) -> list[int | None]:
    """Sizes of an input or output; None where the file leaves one open."""
    return [
        side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else None
        for side in value.type.tensor_type.shape.dim
    ]


def _check_image(path: Path, model: Any) -> str:
    """The name of the input that is the picture."""
    images = _true_inputs(model)
    sides = (ALIGNED_SIZE, ALIGNED_SIZE)
    if len(images) != 1 or tuple(_shape(images[0])[1:]) not in ((3, *sides), (*sides, 3)):
        raise _other_network(path, model)
    return images[0].name


def _check_vector(path: Path, model: Any) -> tuple[str, int]:
    """The name and the size of the output that is the vector; AdaFace has its length as a second one."""
    shapes = {one.name: [side for side in _shape(one)[1:] if side != 1] for one in model.graph.output}
    fitting = [
        (name, shape[0])
        for name, shape in shapes.items()
        if len(shape) == 1 and shape[0] is not None and SMALLEST_VECTOR <= shape[0] <= LARGEST_VECTOR
    ]
    if len(fitting) != 1:
        raise _other_network(path, model)
    return fitting[0]


def _normalises(model: Any, image: str) -> bool:
    """Whether the network scales pixels itself: it then subtracts and multiplies before its first layer."""
    names, seen = {image}, set()
    for _ in range(4):
        readers = [node for node in model.graph.node if names & set(node.input)]
        if any(node.op_type in ("Conv", "Gemm", "MatMul", "QLinearConv", "ConvInteger") for node in readers):
            break
        seen |= {node.op_type for node in readers}
        names = {name for node in readers for name in node.output}
    return bool(seen & {"Sub", "Add"}) and bool(seen & {"Mul", "Div"})


def _other_network(path: Path, model: Any) -> CheckpointError:
    found = " and ".join(
        f"{what} {', '.join(str(_shape(value)).replace('None', '?') for value in values) or 'none'}"
        for what, values in (
            ("inputs", _true_inputs(model)),
            ("outputs", list(model.graph.output)),
        )
    )
    return CheckpointError(
        f"{path.name} is another kind of network than a face recogniser: it has {found}. Expected is one picture of "
        f"{ALIGNED_SIZE}x{ALIGNED_SIZE} (3 colours) and one vector of {SMALLEST_VECTOR} to {LARGEST_VECTOR} numbers, "
        "as ArcFace, AdaFace and SFace have. Choose such a file."
    )
