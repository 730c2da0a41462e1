"""The clean mode on SDXL: both text encoders read the text without markers, as in training (SPEC 7.3).

The original's inference hands the markers to the second encoder as words (SPEC 6.10), which is
what the golden runs of the original mode show.
"""

import numpy as np
import pytest
import torch
from consistentid_pack.consistentid_core.faces.face_parts import FaceParts, FacePhoto, find_parts
from consistentid_pack.consistentid_core.families import FAMILIES
from consistentid_pack.consistentid_core.text.markers import MARKER
from consistentid_pack.consistentid_core.text.prompt import assemble
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from consistentid_pack.nodes.prompt.facial_prompt import part_names
from consistentid_pack.nodes.prompt.tokens import token_counter
from golden_host import GoldenCLIP, clip_vision, consistentid_model
from golden_set import DIRECTORY, image, manifest

NEGATIVE = "blurry, (lowres:1.2)"
#: Width of the first encoder's half of a row.
WIDTH_L = 768
#: The one that shows the most parts of a face.
CASE = max(manifest("e2e_sdxl")["cases"], key=lambda case: len(case["crop_order"]))
PROMPTS = {
    "short": CASE["prompt"],
    "of three chunks": f"{CASE['prompt']}, {'a lighthouse far away, ' * 30}",
    "weighted": f"({CASE['prompt']}:1.3), (a lighthouse:0.7)",
}


class Encoded:
    """A golden photo and a prompt through Encode Facial Prompt."""

    caption = FAMILIES["sdxl"].default_caption

    def __init__(self, case, prompt):
        self.prompt, self.clip = prompt, GoldenCLIP("sdxl")
        width, height = case["size"]
        labels = np.load(DIRECTORY / "masks.npz")[f"{case['labels']}/labels"]
        picture = image(f"e2e.{case['name']}", height, width)
        self.face_parts = FaceParts((FacePhoto(picture, find_parts(labels), labels),))
        output = EncodeFacialPrompt.execute(
            self.clip, consistentid_model("sdxl"), self.face_parts,
            prompt, NEGATIVE, self.caption, "clean", 0.6, clip_vision(),
        )  # fmt: skip
        (self.text, self.fused), (self.negative,) = output.args
        self.words = output.ui["consistentid_prompt"][0]["words"]
        self.positions = [word["position"] for word in self.words]

    def whole_text(self):
        """Prompt and description of the face, without markers."""
        assembled = assemble(
            self.prompt, self.caption, part_names(self.face_parts),
            family="sdxl", mode="clean", count_tokens=token_counter(self.clip),
        )  # fmt: skip
        return assembled.text.replace(f" {MARKER}", "")

    def plain(self, text):
        """What the text encoders alone make of a text: its rows and its pooled output."""
        ((rows, options),) = self.clip.encode_from_tokens_scheduled(self.clip.tokenize(text))
        return rows, options["pooled_output"]


@pytest.fixture(scope="module", params=PROMPTS)
def encoded(request):
    with torch.inference_mode():
        return Encoded(CASE, PROMPTS[request.param])


def test_both_encoders_read_the_hosts_tokens_of_the_text_without_markers(encoded):
    assert encoded.clip.encoded[0] == encoded.clip.tokenize(encoded.whole_text())


def test_a_facial_word_stands_at_the_same_position_in_both_encoders(encoded):
    tokenizer = encoded.clip.tokenizer
    for key, decoder in (("l", tokenizer.clip_l.tokenizer), ("g", tokenizer.clip_g.tokenizer)):
        ids = [token for chunk in encoded.clip.encoded[0][key] for token, _ in chunk]
        found = [decoder.decode([ids[position]]).strip() for position in encoded.positions]
        assert found == [word["word"] for word in encoded.words]


def test_the_words_of_every_part_in_the_photo_carry_it(encoded):
    regions = {part.region for part in encoded.face_parts.photos[0].parts}
    assert {word["region"] for word in encoded.words} == regions


def test_the_pooled_output_is_that_of_the_text_without_markers(encoded):
    assert torch.equal(encoded.fused[1]["pooled_output"], encoded.plain(encoded.whole_text())[1])


def test_the_pooled_output_before_the_merge_point_is_that_of_the_prompt_alone(encoded):
    assert torch.equal(encoded.text[1]["pooled_output"], encoded.plain(encoded.prompt)[1])
    assert torch.equal(encoded.text[0], encoded.plain(encoded.prompt)[0])


def test_the_pooled_output_of_the_negative_is_its_own(encoded):
    assert torch.equal(encoded.negative[1]["pooled_output"], encoded.plain(NEGATIVE)[1])


def test_the_facial_rows_change_in_both_halves_and_no_other_row_does(encoded):
    rows, _ = encoded.plain(encoded.whole_text())
    changed = (encoded.fused[0] != rows)[0]
    others = [row for row in range(rows.shape[1]) if row not in encoded.positions]
    assert not changed[others].any()
    assert changed[encoded.positions, :WIDTH_L].any(-1).all()
    assert changed[encoded.positions, WIDTH_L:].any(-1).all()
