"""Face recognisers told by their shape: what is accepted, what is refused, and that the numbers are the network's."""

import hashlib

import numpy as np
import onnx
import pytest
from drawn_faces import draw
from onnx import TensorProto, helper, numpy_helper

from consistentid_core.errors import CheckpointError, MissingModelError
from consistentid_core.evaluation.recognisers import (
    BGR,
    align,
    align_all,
    face_detector,
    is_conditioner,
    load_recogniser,
)
from consistentid_core.identity.face_analysis import load_face_analyser
from consistentid_core.identity.providers import CPU
from tools.standins import insightface as standin

SIDE = 112
_CELLS = 3 * (SIDE // 8) ** 2


def write_network(
    path, *, size=256, side=SIDE, batch="n", channels_last=False, scales=False, kind=np.float32, **odd
):
    """An ONNX file that projects 8x8 means of a picture; ``odd`` adds what some real files have besides.

    unread: so many inputs that nothing reads.  listed: the weight is among the inputs too.  outputs: more of them.
    """
    random = np.random.default_rng(3)
    weight = random.normal(0, _CELLS**-0.5, (_CELLS, size)).astype(kind)
    constants = {"weight": weight, "middle": np.array(127.5, kind), "factor": np.array(1 / 127.5, kind)}
    nodes, x = [], "picture"

    def add(operation, *inputs, **attributes):
        nodes.append(helper.make_node(operation, inputs, [f"{operation}_{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    if scales:
        x = add("Mul", add("Sub", x, "middle"), "factor")
    if channels_last:
        x = add("Transpose", x, perm=[0, 3, 1, 2])
    x = add("Flatten", add("AveragePool", x, kernel_shape=[8, 8], strides=[8, 8]))
    nodes.append(helper.make_node("MatMul", [x, "weight"], ["vector"]))
    real = TensorProto.FLOAT16 if kind == np.float16 else TensorProto.FLOAT
    shape = [batch, side, side, 3] if channels_last else [batch, 3, side, side]
    inputs = [helper.make_tensor_value_info("picture", real, shape)]
    inputs += [
        helper.make_tensor_value_info(f"unread_{n}", real, [4, 3]) for n in range(odd.get("unread", 0))
    ]
    if odd.get("listed"):
        inputs.append(helper.make_tensor_value_info("weight", real, weight.shape))
    outputs = [helper.make_tensor_value_info("vector", real, [batch, size])]
    if odd.get("with_length"):
        nodes.append(helper.make_node("ReduceL2", ["vector"], ["length"], axes=[1]))
        outputs.append(helper.make_tensor_value_info("length", real, [batch, 1]))
    if odd.get("two_vectors"):
        nodes.append(helper.make_node("Neg", ["vector"], ["other"]))
        outputs.append(helper.make_tensor_value_info("other", real, [batch, size]))
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "projection", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8)


@pytest.fixture(scope="module")
def plain(tmp_path_factory, faces):
    """What the plainest file says of the faces."""
    return load_recogniser(write_network(tmp_path_factory.mktemp("plain") / "plain.onnx"), CPU).embed(faces)


@pytest.mark.parametrize(
    "kind",
    [
        {"scales": True},
        {"channels_last": True},
        {"batch": 1},
        {"batch": 4},
        {"unread": 29},
        {"listed": True},
        {"with_length": True},
    ],
    ids=lambda kind: next(iter(kind)),
)
def test_however_a_file_is_laid_out_the_vectors_are_the_same(tmp_path, faces, plain, kind):
    recogniser = load_recogniser(write_network(tmp_path / "one.onnx", **kind), CPU)
    np.testing.assert_allclose(recogniser.embed(faces), plain, atol=2e-5)


def test_half_precision_is_fed_half_precision(tmp_path, faces, plain):
    recogniser = load_recogniser(write_network(tmp_path / "half.onnx", kind=np.float16), CPU)
    np.testing.assert_allclose(recogniser.embed(faces), plain, atol=5e-3)


def test_vectors_are_of_unit_length_and_their_size_is_known(tmp_path, faces):
    path = write_network(tmp_path / "SFace of mine.onnx", size=128)
    recogniser = load_recogniser(path, CPU)
    vectors = recogniser.embed(faces)
    assert vectors.dtype == np.float32 and vectors.shape == (5, 128) == (5, recogniser.size)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert recogniser.name == "SFace of mine"
    assert recogniser.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert recogniser.embed(faces[:0]).shape == (0, 128)


def test_a_network_trained_on_bgr_gets_bgr(tmp_path, faces):
    path = write_network(tmp_path / "adaface.onnx")
    swapped = load_recogniser(path, CPU, colours=BGR).embed(faces[..., ::-1])
    np.testing.assert_allclose(swapped, load_recogniser(path, CPU).embed(faces), atol=1e-6)


def test_the_conditioner_says_here_what_it_says_in_id_embedding(tmp_path):
    standin.write(tmp_path / "models" / "buffalo_l")
    analyser = load_face_analyser([tmp_path], CPU)
    recogniser = load_recogniser(tmp_path / "models" / "buffalo_l" / "w600k_r50.onnx", CPU)
    picture = draw(600, 500, (300, 250, 200))
    (face,) = face_detector(analyser)(picture)
    expected = analyser.embed(np.ascontiguousarray(picture[..., ::-1]), face)
    np.testing.assert_allclose(recogniser.embed(align(picture, face.points)[None])[0], expected, atol=1e-5)
    assert is_conditioner(recogniser)
    assert not is_conditioner(load_recogniser(write_network(tmp_path / "judge.onnx"), CPU))


@pytest.mark.parametrize(
    "kind, found",
    [
        ({"side": 160}, "[?, 3, 160, 160]"),
        ({"size": 64}, "outputs [?, 64]"),
        ({"size": 2048}, "outputs [?, 2048]"),
        ({"two_vectors": True}, "outputs [?, 256], [?, 256]"),
    ],
    ids=("larger faces", "short vector", "long vector", "two vectors"),
)
def test_another_kind_of_network_is_refused_with_its_shapes(tmp_path, kind, found):
    with pytest.raises(CheckpointError, match="another kind of network than a face recogniser") as error:
        load_recogniser(write_network(tmp_path / "other.onnx", **kind), CPU)
    assert found in str(error.value) and "other.onnx" in str(error.value)


def test_a_detector_is_no_recogniser(tmp_path):
    standin.write(tmp_path)
    with pytest.raises(CheckpointError, match="another kind of network"):
        load_recogniser(tmp_path / "det_10g.onnx", CPU)


@pytest.mark.parametrize("content", [b"", b"no network at all" * 40], ids=("empty", "text"))
def test_what_is_no_onnx_file_is_named(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="no readable ONNX file"):
        load_recogniser(path, CPU)


def test_a_missing_file_and_an_unknown_colour_order_are_named(tmp_path):
    with pytest.raises(MissingModelError, match="No face recogniser at"):
        load_recogniser(tmp_path / "nowhere.onnx", CPU)
    with pytest.raises(ValueError, match="Unknown colour order 'GBR'"):
        load_recogniser(tmp_path / "nowhere.onnx", CPU, colours="GBR")


@pytest.mark.parametrize("value", [0.0, np.inf, np.nan])
def test_a_network_without_an_answer_is_no_judge(tmp_path, value):
    white = np.full((1, SIDE, SIDE, 3), 255, np.uint8)
    path = write_network(tmp_path / "damaged.onnx")
    model = onnx.load(path)
    weight = next(one for one in model.graph.initializer if one.name == "weight")
    weight.CopyFrom(numpy_helper.from_array(np.full(tuple(weight.dims), value, np.float32), "weight"))
    onnx.save(model, path)
    with pytest.raises(CheckpointError, match=f"vector of length {value}"):
        load_recogniser(path, CPU).embed(white)


@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph"])
def test_weights_in_other_files_are_refused(tmp_path, place):
    """Any file could be named there, and the sha256 beside the scores would not be that of the weights."""
    path = write_network(tmp_path / "split.onnx")
    model = onnx.load(path)
    weight = next(one for one in model.graph.initializer if one.name == "weight")
    (tmp_path / "secret.bin").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="secret.bin")
    constant = helper.make_node("Constant", [], ["weight"], value=weight)
    if place != "initializer":
        model.graph.initializer.remove(weight)
    if place == "attribute":
        model.graph.node.insert(0, constant)
    if place == "subgraph":
        weights = [helper.make_tensor_value_info("weight", TensorProto.FLOAT, list(weight.dims))]
        inside = helper.make_graph([constant], "inside", [], weights)
        always = helper.make_node("Constant", [], ["always"], value=numpy_helper.from_array(np.array(True)))
        branch = helper.make_node("If", ["always"], ["weight"], then_branch=inside, else_branch=inside)
        model.graph.node.insert(0, branch)
        model.graph.node.insert(0, always)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match=r"split.onnx keeps weights in another file \('secret.bin'\)"):
        load_recogniser(path, CPU)


def test_only_aligned_faces_are_taken(tmp_path):
    recogniser = load_recogniser(write_network(tmp_path / "one.onnx"), CPU)
    with pytest.raises(ValueError, match="Expected aligned faces"):
        recogniser.embed(np.zeros((1, 100, 112, 3), np.uint8))
    assert align_all([]).shape == (0, SIDE, SIDE, 3)
