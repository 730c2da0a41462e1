"""The report and the comparison of two results."""

import base64
import csv
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from evaluation_data import hand_networks, painted, save
from PIL import Image

from consistentid_core.data.sources import open_photo
from consistentid_core.errors import EvaluationError
from consistentid_core.evaluation.checksums import Network
from consistentid_core.evaluation.compare import compare, described
from consistentid_core.evaluation.feature_store import FeatureStore
from consistentid_core.evaluation.pictures import Collection, Item, Subject
from consistentid_core.evaluation.report import charts, page, sheets, write_report
from consistentid_core.evaluation.report.style import STYLE
from consistentid_core.evaluation.result import read_result, write_result
from consistentid_core.evaluation.score import score


def scored(folder, angles, name="run", networks=None):
    """Six people at 0°, 15° ... and a picture of each, turned by so many degrees."""
    items = []
    for number, angle in enumerate(angles):
        reference = save(folder / f"ref_{number}.png", painted(15 * number))
        drawn = save(folder / name / f"{number}.png", painted(None if angle is None else 15 * number + angle))
        subject = Subject(f"<b>person {number}</b>", reference)
        items.append(
            Item(f"{number}", drawn, (subject,), f"at {number}", "kind & sort", None, 2.0, "warm", number)
        )
    collection = Collection(name, items, {"steps": 3, "protocol": "own"})
    result = score(collection, networks or hand_networks(), FeatureStore(None))
    write_result(folder / name / "scores.json", result)
    return read_result(folder / name)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return scored(tmp_path_factory.mktemp("report"), [1, 2, 3, 4, 5, None])


class Checker(HTMLParser):
    """Open elements, and every address in the page."""

    VOID = ("meta", "img", "col", "br", "circle", "rect", "line")

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.words = [], [], []

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_and_needs_nothing_from_outside(result):
    html = page.render(result)
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert checker.addresses and all(address.startswith("data:image/jpeg") for address in checker.addresses)
    assert not re.search(r"<script|https?://|@import|url\(", html)
    assert "prefers-color-scheme: dark" in html


def test_foreign_texts_stay_texts(result):
    html = page.render(result)
    assert "<b>person 0</b>" not in html and "&lt;b&gt;person 0&lt;/b&gt;" in html
    assert "kind &amp; sort" in html


def test_the_page_shows_what_is_asked_of_it(result):
    checker = Checker()
    checker.feed(page.render(result))
    text = " ".join(checker.words)
    for expected in (
        "Right person first of 6",
        "conditions the pictures",
        "1 missed",
        "another person",
        "The 3 best",
        "The 2 worst",
        "By person",
        "By kind of prompt",
        "Settings",
        "judge-sha",
        "not comparable",
        "weights not given (--face-parser, --dino)",
        "below 2,048",
        "1 pictures have no such score",
    ):
        assert expected in text, expected


def test_the_headline_is_by_a_judge_that_does_not_condition(result):
    assert page.judge_metric(result, "face_sim")["network"] == "judge"
    assert page.judge_metric(result, "fgis") is None


def test_stand_ins_are_said_in_large_letters(tmp_path):
    networks = hand_networks(used=[Network("CLIP", "stand-in-clip", "0" * 64)])
    html = page.render(scored(tmp_path, [1, 2], networks=networks))
    assert "Judged by stand-ins" in html


def test_a_result_with_next_to_nothing_has_a_page(tmp_path):
    networks = hand_networks(detect=None, recognisers=(), clips=(), inception=None, perceptual=None)
    html = page.render(scored(tmp_path, [1], networks=networks))
    assert "Seconds" in html and "Best and worst" not in html


def test_pictures_that_are_gone_are_left_out_of_the_page(tmp_path):
    result = scored(tmp_path, [1, 2])
    for picture in result["pictures"]:
        picture["file"] = str(tmp_path / "gone.png")
    assert "data:image" not in page.render(result)


def test_tables_and_json_lie_beside_the_page(result, tmp_path):
    written = write_report(tmp_path, result)
    assert written.name == "report.html"
    metrics = list(csv.DictReader(io.StringIO((tmp_path / "metrics.csv").read_text())))
    assert {row["key"] for row in metrics} == {one["key"] for one in result["metrics"]}
    pictures = list(csv.DictReader(io.StringIO((tmp_path / "pictures.csv").read_text())))
    assert len(pictures) == 6 and pictures[5]["face_sim/judge"] == ""
    assert json.loads((tmp_path / "scores.json").read_text()) == result


@pytest.mark.parametrize("dark", [False, True])
def test_no_two_colours_of_the_legend_look_alike(dark):
    scheme = STYLE.split("prefers-color-scheme: dark")[dark]
    colours = dict(re.findall(r"(--\w+): #([0-9a-f]{6})", scheme))
    shown = [colours[name] for name in ("--value", *charts.LEVEL_COLOURS.values())]
    red_green_blue = np.array([[int(one[n : n + 2], 16) for n in (0, 2, 4)] for one in shown], float)
    apart = np.linalg.norm(red_green_blue[:, None] - red_green_blue[None], axis=2)
    assert apart[np.triu_indices(len(shown), 1)].min() > 60


def test_a_picture_is_shown_as_it_was_judged(tmp_path):
    """Upright, and clear where it is clear: what has no colour is no black."""
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    data = base64.b64decode(re.search(r"base64,([^\"]+)", sheets.embedded(tmp_path / "clear.png", 64, ""))[1])
    judged = open_photo((tmp_path / "clear.png").read_bytes())[0]
    np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(data))), judged, atol=3)
    (tmp_path / "half.png").write_bytes((tmp_path / "clear.png").read_bytes()[:60])
    assert sheets.embedded(tmp_path / "half.png", 64, "") == ""


def test_values_lie_where_the_axis_says():
    axis = charts.Axis(0.0, 1.0)
    assert axis.x(0) == 6 and axis.x(1) == 394 and axis.x(0.5) == 200 and axis.x(7) == 394
    drawn = charts.interval({"mean": 0.5, "low": 0.25, "high": 0.75}, axis)
    assert 'cx="200.0"' in drawn and 'x="103.0"' in drawn and 'width="194.0"' in drawn
    assert "<circle" not in charts.interval({"mean": None, "low": None, "high": None}, axis)


@pytest.mark.parametrize(("highest", "end"), [(0.3, 0.4), (312, 400), (16, 20), (1, 2), (1.7e9, 2e9)])
def test_an_axis_ends_at_a_round_number(highest, end):
    assert charts.axis_of([highest]).high == pytest.approx(end)


# ---------------------------------------------------------------- comparing


def test_pictures_are_paired_and_their_difference_tested(tmp_path):
    a = scored(tmp_path, [20, 22, 24, 26, 28, 30], "a")
    b = scored(tmp_path, [1, 2, 3, 4, 5, None], "b")
    found = compare(a, b)
    assert (found["pairs"], found["only_a"], found["only_b"], found["same_seed"]) == (6, 0, 0, True)
    one = next(metric for metric in found["metrics"] if metric["key"] == "face_sim/judge")
    expected = np.cos(np.radians([1, 2, 3, 4, 5])) - np.cos(np.radians([20, 22, 24, 26, 28]))
    assert one["difference"]["mean"] == pytest.approx(expected.mean(), abs=1e-4)
    assert one["difference"]["n"] == 5 and one["p"] == pytest.approx(2 / 2**5)
    text = described(found)
    assert "6 pairs" in text and "FaceSim (judge)" in text


def test_what_could_not_be_paired_is_counted(tmp_path):
    a, b = scored(tmp_path, [1, 2, 3], "a"), scored(tmp_path, [1, 2, 3, 4], "b")
    b["pictures"][0]["seed"] = 99
    found = compare(a, b)
    assert (found["pairs"], found["only_a"], found["only_b"]) == (2, 1, 2)


def test_pictures_of_one_person_are_no_proofs_of_their_own(tmp_path):
    """Five people with many pictures each that go their person's way: five signs to flip, not forty."""
    a, b = scored(tmp_path, [1] * 5, "a"), scored(tmp_path, [1] * 5, "b")
    for result, change in ((a, 0.0), (b, 0.1)):
        result["pictures"] = [
            {**one, "seed": 100 * person + copy, "values": {"face_sim/judge": 0.5 + change + person / 50}}
            for person, one in enumerate(result["pictures"])
            for copy in range(8)
        ]
    one = next(metric for metric in compare(a, b)["metrics"] if metric["key"] == "face_sim/judge")
    assert (one["difference"]["n"], one["difference"]["groups"]) == (40, 5)
    assert one["p"] == pytest.approx(2 / 2**5)


def test_without_seeds_names_are_paired(tmp_path):
    a, b = scored(tmp_path, [1, 2], "a"), scored(tmp_path, [3, 4], "b")
    for result in (a, b):
        for picture in result["pictures"]:
            picture["seed"] = None
    found = compare(a, b)
    assert found["pairs"] == 2 and not found["same_seed"]


def test_other_networks_are_not_compared(tmp_path):
    a, b = scored(tmp_path, [1, 2], "a"), scored(tmp_path, [3, 4], "b")
    next(one for one in b["networks"] if one["name"] == "judge")["sha256"] = "another"
    found = compare(a, b)
    assert "face_sim/judge" in found["other_networks"]
    assert "face_sim/conditioner" in {metric["key"] for metric in found["metrics"]}


def test_results_without_anything_in_common_are_named(tmp_path):
    a, b = scored(tmp_path, [1, 2], "a"), scored(tmp_path, [3, 4], "b")
    for picture in b["pictures"]:
        picture["person"] = "somebody else"
    with pytest.raises(EvaluationError, match="No picture of 'a' has a partner"):
        compare(a, b)
    b = scored(tmp_path, [3, 4], "b")
    b["metrics"] = []
    with pytest.raises(EvaluationError, match="no metric of the same networks"):
        compare(a, b)


def test_a_result_that_was_never_in_a_file_has_the_same_page(result, tmp_path):
    values = result["pictures"][5]["values"]
    unwritten = {**result, "pictures": [*result["pictures"][:5], {**result["pictures"][5]}]}
    unwritten["pictures"][5]["values"] = {
        key: float("nan") if value is None else value for key, value in values.items()
    }
    write_report(tmp_path, unwritten)
    assert (tmp_path / "report.html").read_text("utf-8") == page.render(result)


def test_when_no_picture_has_a_face_the_misses_stand_in_the_table(tmp_path):
    checker = Checker()
    checker.feed(page.render(scored(tmp_path, [None, None, None])))
    text = " ".join(checker.words)
    assert "FaceSim" in text and "3 missed" in text
