"""The detection loop on real ONNX sessions: sizes, borders, coordinates."""

import numpy as np
import pytest
import skimage.data
from drawn_faces import draw, middle

from consistentid_core.identity.face_analysis import FRAMINGS, Framing, load_face_analyser
from tools.standins import insightface as standin


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    root = tmp_path_factory.mktemp("insightface")
    standin.write(root / "models" / "buffalo_l")
    return [root]


@pytest.fixture
def analyser(roots):
    return load_face_analyser(roots)


@pytest.fixture
def analyser_up_to(tmp_path):
    """An analyser whose detector is blind to inputs larger than a size: its graph reads its input's shape."""

    def load(largest_input):
        standin.write(tmp_path / "models" / "buffalo_l", largest_input=largest_input)
        return load_face_analyser([tmp_path])

    return load


def bgr(picture):
    return picture[..., ::-1]


def test_the_one_face_of_a_real_photo_is_found_where_it_is(analyser):
    faces = analyser.detect(bgr(skimage.data.astronaut())).faces
    assert len(faces) == 1
    left, top, right, bottom = faces[0].box
    assert 130 < left < 200 < 245 < right < 310
    assert 0 < top < 90 < 160 < bottom < 230


@pytest.mark.parametrize("size", [(640, 640), (900, 500), (333, 777), (97, 131)])
def test_boxes_and_points_are_in_pixels_of_the_picture(analyser, size):
    width, height = size
    x, y, diameter = width * 0.4, height * 0.55, min(size) * 0.4
    (face,) = analyser.detect(bgr(draw(width, height, (x, y, diameter)))).faces
    tolerance = 0.05 * diameter
    assert middle(face.box) == pytest.approx((x, y), abs=tolerance)
    assert face.box[2] - face.box[0] == pytest.approx(0.94 * diameter, abs=2 * tolerance)
    assert face.box[3] - face.box[1] == pytest.approx(1.06 * diameter, abs=2 * tolerance)
    assert face.points.shape == (5, 2)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.points
    assert face.box[0] < left_eye[0] < nose[0] < right_eye[0] < face.box[2]
    assert face.box[1] < left_eye[1] < nose[1] < left_mouth[1] == right_mouth[1] < face.box[3]


def test_each_of_two_faces_is_found_once(analyser):
    faces = analyser.detect(bgr(draw(800, 600, (200, 300, 180), (600, 250, 100)))).faces
    assert sorted(middle(face.box)[0] for face in faces) == pytest.approx([200, 600], abs=8)


def test_at_640_without_a_border_insightface_itself_finds_the_same(analyser):
    picture = bgr(draw(800, 501, (200, 300, 180), (600, 250, 100)))
    ours = analyser.detect(picture, framings=[Framing(640)]).faces
    analyser._detector.det_thresh = 0.5
    boxes, points = analyser._detector.detect(picture, input_size=(640, 640))
    np.testing.assert_allclose([(*face.box, face.score) for face in ours], boxes, rtol=1e-5)
    np.testing.assert_allclose([face.points for face in ours], points, rtol=1e-5)


@pytest.mark.parametrize("size", [512, 384, 320, 256])
def test_the_network_really_gets_smaller_inputs_when_it_finds_nothing(analyser_up_to, size):
    detection = analyser_up_to(size).detect(bgr(draw(600, 600, (300, 300, 250))))
    assert len(detection.faces) == 1
    assert detection.tried[-1] == Framing(size)
    assert detection.tried == FRAMINGS[: len(detection.tried)]


def test_a_face_that_fills_the_picture_is_found_with_a_border(analyser):
    detection = analyser.detect(bgr(draw(500, 500, (250, 250, 510))))
    assert len(detection.faces) == 1
    assert detection.tried[-1].border > 0
    assert middle(detection.faces[0].box) == pytest.approx((250, 250), abs=10)
    assert detection.faces[0].box[2] - detection.faces[0].box[0] == pytest.approx(480, abs=30)


def test_without_a_face_everything_is_tried(analyser):
    detection = analyser.detect(bgr(draw(300, 200)))
    assert detection.faces == ()
    assert detection.tried == FRAMINGS
    assert detection.best_score == 0.0


def test_a_face_below_the_threshold_is_left_out_but_its_score_is_told(analyser):
    picture = bgr(draw(640, 640, (300, 300, 140)))
    score = analyser.detect(picture).faces[0].score
    stricter = analyser.detect(picture, threshold=score + 0.01, framings=[Framing(640)])
    assert stricter.faces == ()
    assert stricter.best_score == pytest.approx(score)


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1])
def test_a_threshold_that_is_no_score_is_refused(analyser, threshold):
    with pytest.raises(ValueError, match="threshold"):
        analyser.detect(bgr(draw(64, 64)), threshold=threshold)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1)])
def test_tiny_pictures_and_strips_show_no_face(analyser, shape):
    assert analyser.detect(np.zeros((*shape, 3), np.uint8)).faces == ()


def test_a_face_in_an_8k_picture_is_found(analyser):
    (face,) = analyser.detect(bgr(draw(7680, 4320, (5000, 2000, 1500)))).faces
    assert middle(face.box) == pytest.approx((5000, 2000), rel=0.02)


def test_an_embedding_has_unit_length(analyser):
    picture = bgr(skimage.data.astronaut())
    vector = analyser.embed(picture, analyser.detect(picture).faces[0])
    assert vector.shape == (512,) and vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


def test_the_full_size_recogniser_stand_in_works_too(tmp_path):
    paths = standin.write(tmp_path / "buffalo_l", full=True)
    # The architecture of the released file, so all but a few bytes of its size.
    assert paths[standin.RECOGNISER].stat().st_size == pytest.approx(174_383_860, rel=1e-3)
    analyser = load_face_analyser([tmp_path])
    picture = bgr(skimage.data.astronaut())
    vector = analyser.embed(picture, analyser.detect(picture).faces[0])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)


def test_the_interface_of_insightface_0_7_is_enough(roots, monkeypatch):
    """Newer versions take more arguments; five other packs need an older one."""
    from insightface.model_zoo import arcface_onnx, scrfd

    class Detector(scrfd.SCRFD):
        def __init__(self, model_file=None, session=None):
            super().__init__(model_file=model_file, session=session)

        def detect(self, img, input_size=None, max_num=0, metric="default"):
            return super().detect(img, input_size=input_size, max_num=max_num, metric=metric)

    class Recogniser(arcface_onnx.ArcFaceONNX):
        def __init__(self, model_file=None, session=None):
            super().__init__(model_file=model_file, session=session)

        def get(self, img, face):
            return super().get(img, face)

    picture = bgr(skimage.data.astronaut())
    newest = load_face_analyser(roots)
    monkeypatch.setattr(scrfd, "SCRFD", Detector)
    monkeypatch.setattr(arcface_onnx, "ArcFaceONNX", Recogniser)
    older = load_face_analyser(roots)
    assert isinstance(older._detector, Detector) and isinstance(older._recogniser, Recogniser)
    vectors = [one.embed(picture, one.detect(picture).faces[0]) for one in (newest, older)]
    np.testing.assert_array_equal(*vectors)
