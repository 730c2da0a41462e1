"""The two InsightFace networks the pack uses, as ONNX graphs without trained weights.

``det_10g.onnx`` is no trained network: it finds blobs of skin colour and reports them
through the interface of the real detector (SCRFD), so that a test can draw a face where
it wants one. ``w600k_r50.onnx`` is a random projection, or the true IResNet-50 with
random weights. Names, shapes and number of inputs and outputs are those of the released files.
"""

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .random_weights import part_path

DETECTOR = "det_10g.onnx"
RECOGNISER = "w600k_r50.onnx"

#: A colour the detector takes for skin, and one for eyes and mouths (RGB).
SKIN = (215, 175, 150)
NOT_SKIN = (60, 40, 40)

_STRIDES = (8, 16, 32)
#: The two face sizes each stride looks for, in pixels of the network's input.
_FACE_SIZES = {8: (32, 56), 16: (96, 192), 32: (384, 512)}
#: Scores, boxes and key points of the three strides, as the released file names them.
_OUTPUTS = {"scores": ("448", "471", "494"), "boxes": ("451", "474", "497"), "points": ("454", "477", "500")}
_WIDTHS = {"scores": 1, "boxes": 4, "points": 10}
#: Eyes, nose and mouth corners inside a face, in half widths and half heights from its middle.
_POINTS = ((-0.4, -0.2), (0.4, -0.2), (0.0, 0.1), (-0.3, 0.45), (0.3, 0.45))

_EMBEDDING_WIDTH = 512
_ALIGNED_SIZE = 112


def write(
    folder: Path, *, seed: int = 0, full: bool = False, largest_input: int | None = None
) -> dict[str, Path]:
    """Write both files into ``folder`` and return their paths by file name.

    full: the true recogniser architecture (IResNet-50, 174 MB) instead of a small projection.
    largest_input: the detector finds nothing when its input is larger than this, as the real
        one does with a face that fills the picture.
    """
    models = {
        DETECTOR: _detector(largest_input),
        RECOGNISER: _iresnet50(seed) if full else _projection(seed),
    }
    paths = {}
    for name, model in models.items():
        onnx.checker.check_model(model)
        path = Path(folder) / name
        unfinished = part_path(path)
        onnx.save(model, unfinished)
        unfinished.replace(path)
        paths[name] = path
    return paths


class _Graph:
    """Collects nodes; each call adds one and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def __call__(self, operation: str, *inputs: str, output: str | None = None, **attributes) -> str:
        output = output or f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [output], **attributes))
        return output

    def value(self, value, dtype=np.float32) -> str:
        name = f"value_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def number(self, operation: str, x: str, number: float) -> str:
        """``x`` combined with a constant."""
        return self(operation, x, self.value(number))

    def unit(self, x: str) -> str:
        """``x`` limited to 0..1."""
        return self("Clip", x, self.value(0.0), self.value(1.0))

    def coordinate(self, ones: str, axis: int) -> str:
        """1, 2, 3 ... along an axis."""
        return self("CumSum", ones, self.value(axis, np.int64))

    def model(self, name: str, inputs: list, outputs: list) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.weights)
        graph.doc_string = "Stand-in without trained weights: its answers mean nothing."
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model.producer_name = "consistentid-standin"
        model.doc_string = graph.doc_string
        return model


def _detector(largest_input: int | None) -> onnx.ModelProto:
    graph = _Graph()
    skin = _skin(graph, "input.1", largest_input)
    ones = graph.number("Add", graph.number("Mul", skin, 0.0), 1.0)
    x = graph.number("Sub", graph.coordinate(ones, 3), 0.5)
    y = graph.number("Sub", graph.coordinate(ones, 2), 0.5)
    # Area, centre and extent of a blob come from sums of these over a window around each anchor.
    moments = graph(
        "Concat",
        skin,
        graph("Mul", skin, x),
        graph("Mul", skin, y),
        graph("Mul", graph("Mul", skin, x), x),
        graph("Mul", graph("Mul", skin, y), y),
        ones,
        axis=1,
    )
    cells = graph("AveragePool", moments, kernel_shape=[8, 8], strides=[8, 8])

    outputs = []
    for index, stride in enumerate(_STRIDES):
        anchors = [_faces(graph, cells, stride, size) for size in _FACE_SIZES[stride]]
        for kind, width in _WIDTHS.items():
            # (1, 2 * width, h, w) -> (h * w * 2, width): the two anchors of a place follow each other.
            both = graph("Concat", *(anchor[kind] for anchor in anchors), axis=1)
            rows = graph("Transpose", both, perm=[0, 2, 3, 1])
            name = graph("Reshape", rows, graph.value([-1, width], np.int64), output=_OUTPUTS[kind][index])
            # The released file declares the number of rows of a 640x640 input.
            declared = [2 * (640 // stride) ** 2, width]
            outputs.append((kind, helper.make_tensor_value_info(name, TensorProto.FLOAT, declared)))
    ordered = [info for kind in _WIDTHS for name, info in outputs if name == kind]
    image = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "?", "?"])
    return graph.model("skin_blobs", [image], ordered)


def _skin(graph: _Graph, image: str, largest_input: int | None) -> str:
    """Where the picture has skin colour: (1, 1, H, W) of 0 and 1.

    The rule treats red and blue alike, because the pack can hand over either channel order.
    """
    levels = graph.number("Add", graph.number("Mul", image, 128.0), 127.5)
    channel = [
        graph(
            "Slice",
            levels,
            graph.value([index], np.int64),
            graph.value([index + 1], np.int64),
            graph.value([1], np.int64),
        )
        for index in range(3)
    ]
    first, green, last = channel
    warmth = graph("Abs", graph("Sub", first, last))
    rules = [
        graph.number("Greater", warmth, 25.0),
        graph.number("Less", warmth, 95.0),
        graph.number("Greater", green, 100.0),
        graph("Less", graph("Min", first, last), green),
        graph("Less", green, graph("Max", first, last)),
    ]
    if largest_input is not None:
        height = graph("Gather", graph("Shape", image), graph.value(2, np.int64))
        rules.append(graph("LessOrEqual", height, graph.value(largest_input, np.int64)))
    everything = rules[0]
    for rule in rules[1:]:
        everything = graph("And", everything, rule)
    return graph("Cast", everything, to=TensorProto.FLOAT)


def _faces(graph: _Graph, cells: str, stride: int, size: int) -> dict[str, str]:
    """Score, box and key points of a blob of about ``size`` pixels around every anchor of a stride."""
    window, step = 2 * size // 8, stride // 8
    before, after = window // 2, window // 2 - step
    pooled = graph(
        "AveragePool",
        cells,
        kernel_shape=[window, window],
        strides=[step, step],
        pads=[before, before, after, after],
        count_include_pad=1,
    )
    filled, mean_x, mean_y, square_x, square_y, inside = (
        graph("Slice", pooled, *(graph.value([v], np.int64) for v in (i, i + 1, 1))) for i in range(6)
    )
    weight = graph.number("Add", filled, 1e-9)
    centre_x, centre_y = graph("Div", mean_x, weight), graph("Div", mean_y, weight)
    half_width = _half_extent(graph, graph("Div", square_x, weight), centre_x)
    half_height = _half_extent(graph, graph("Div", square_y, weight), centre_y)

    # insightface places anchor (i, j) at pixel (i * stride, j * stride).
    ones = graph.number("Add", graph.number("Mul", filled, 0.0), 1.0)
    anchor_x, anchor_y = (
        graph.number("Mul", graph.number("Sub", graph.coordinate(ones, axis), 1.0), stride) for axis in (3, 2)
    )
    dx, dy = graph("Sub", centre_x, anchor_x), graph("Sub", centre_y, anchor_y)

    ellipse = graph("Mul", half_width, half_height)
    area = graph.number("Mul", filled, float((8 * window) ** 2))
    spread = graph("Div", graph.number("Mul", ellipse, math.pi), graph.number("Add", area, 1.0))
    octaves = graph.number("Div", graph("Log", graph.number("Mul", ellipse, 4.0 / size**2)), 2 * math.log(2))
    elongation = graph.number("Div", graph("Log", graph("Div", half_height, half_width)), math.log(2))
    misplaced = graph.number("Div", graph("Max", graph("Abs", dx), graph("Abs", dy)), size)
    crowded = graph("Div", filled, inside)
    scores = [
        _falling(graph, graph("Abs", octaves), 0.0, 2.0),  # as large as the anchor's faces
        _falling(graph, graph("Abs", elongation), 0.6, 1.0),  # no more than twice as high as wide
        _falling(graph, misplaced, 0.25, 0.5),  # centred on the anchor
        _falling(graph, spread, 1.4, 2.4),  # one compact blob: 1 for a filled ellipse
        _falling(graph, crowded, 0.35, 0.5),  # with something around it that is no skin
    ]
    score = scores[0]
    for factor in scores[1:]:
        score = graph("Mul", score, factor)

    box = [
        graph("Sub", half_width, dx),
        graph("Sub", half_height, dy),
        graph("Add", half_width, dx),
        graph("Add", half_height, dy),
    ]
    points = [
        graph("Add", offset, graph.number("Mul", half, part))
        for point in _POINTS
        for offset, half, part in zip((dx, dy), (half_width, half_height), point, strict=True)
    ]
    return {
        "scores": score,
        "boxes": graph.number("Div", graph("Concat", *box, axis=1), stride),
        "points": graph.number("Div", graph("Concat", *points, axis=1), stride),
    }


def _half_extent(graph: _Graph, mean_square: str, mean: str) -> str:
    """Half the width of an ellipse with this second moment: twice its standard deviation."""
    variance = graph("Sub", mean_square, graph("Mul", mean, mean))
    return graph.number("Mul", graph("Sqrt", graph.number("Max", variance, 1.0)), 2.0)


def _falling(graph: _Graph, x: str, best: float, worst: float) -> str:
    """1 up to ``best``, 0 from ``worst``, a straight line between."""
    return graph.unit(graph.number("Mul", graph.number("Sub", x, worst), 1.0 / (best - worst)))


def _face_picture() -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        "input.1", TensorProto.FLOAT, ["None", 3, _ALIGNED_SIZE, _ALIGNED_SIZE]
    )


def _embedding(name: str) -> onnx.ValueInfoProto:
    # The released file declares one row, whatever the batch.
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, _EMBEDDING_WIDTH])


def _projection(seed: int) -> onnx.ModelProto:
    """A random projection of the aligned face at 14x14 pixels."""
    graph = _Graph()
    random = np.random.default_rng(seed)
    small = graph("Flatten", graph("AveragePool", "input.1", kernel_shape=[8, 8], strides=[8, 8]))
    inputs = 3 * (_ALIGNED_SIZE // 8) ** 2
    weight = random.normal(0, inputs**-0.5, (inputs, _EMBEDDING_WIDTH))
    bias = random.normal(0, 0.1, _EMBEDDING_WIDTH)
    graph("Gemm", small, graph.value(weight), graph.value(bias), output="683")
    return graph.model("random_projection", [_face_picture()], [_embedding("683")])


def _iresnet50(seed: int) -> onnx.ModelProto:
    """IResNet-50, the recogniser's true architecture with batch norms folded away, at random."""
    graph = _Graph()
    random = np.random.default_rng(seed)

    def conv(x: str, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, gain: float = 1.0) -> str:
        std = gain / math.sqrt(inputs * kernel**2)
        weight = std * random.standard_normal((outputs, inputs, kernel, kernel), np.float32)
        return graph(
            "Conv",
            x,
            graph.value(weight),
            graph.value(np.zeros(outputs)),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
        )

    def prelu(x: str, channels: int) -> str:
        return graph("PRelu", x, graph.value(np.full((channels, 1, 1), 0.25)))

    def batch_norm(x: str, channels: int) -> str:
        one, zero = np.ones(channels), np.zeros(channels)
        return graph("BatchNormalization", x, *(graph.value(v) for v in (one, zero, zero, one)))

    x, inputs = prelu(conv("input.1", 3, 64, gain=1.4), 64), 64
    for outputs, blocks in ((64, 3), (128, 4), (256, 14), (512, 3)):
        for block in range(blocks):
            stride = 2 if block == 0 else 1
            shortcut = conv(x, inputs, outputs, 1, stride) if block == 0 else x
            inner = prelu(conv(batch_norm(x, inputs), inputs, outputs, gain=1.4), outputs)
            # A quiet branch keeps the sum of 24 blocks in range.
            x = graph("Add", conv(inner, outputs, outputs, stride=stride, gain=0.5), shortcut)
            inputs = outputs
    flat, width = graph("Flatten", batch_norm(x, 512)), 512 * 7 * 7
    weight = width**-0.5 * random.standard_normal((_EMBEDDING_WIDTH, width), np.float32)
    graph("Gemm", flat, graph.value(weight), graph.value(np.zeros(_EMBEDDING_WIDTH)), transB=1, output="683")
    return graph.model("iresnet50_random", [_face_picture()], [_embedding("683")])
