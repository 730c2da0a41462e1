"""The worked example of docs/data.md: its photos are portraits, and its captions name every part."""

from pathlib import Path

import pytest

from consistentid_core.data.captions import CaptionFile
from consistentid_core.data.sources import content_id, find_sources, open_photo
from consistentid_core.regions import REGIONS
from consistentid_core.text.caption import align_caption
from consistentid_core.text.training_text import MAX_ALIGNED_LENGTH

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "training_example"
SOURCES, REFUSED = find_sources(EXAMPLE / "photos")


def test_there_are_a_few_photos_and_nothing_else():
    assert len(SOURCES) >= 3
    assert not REFUSED


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_each_has_captions_whose_words_carry_all_parts(source):
    data = Path(source.path).read_bytes()
    picture, notes = open_photo(data)
    assert not notes
    captions = CaptionFile(EXAMPLE / "captions.json")
    general, face = captions.captions(picture, source.name, content_id(data))
    aligned = align_caption(face, [region.parts[0] for region in REGIONS])
    assert general.endswith(".")
    assert not aligned.missing
    assert len(aligned.text) <= MAX_ALIGNED_LENGTH
