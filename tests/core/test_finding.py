"""Files are told by what they hold, and one of several is chosen only where that is no question."""

import logging
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_checkpoints import flat, nested, small_groups, write

from consistentid_core import finding
from consistentid_core.errors import AmbiguousModelError, MissingModelError
from consistentid_core.files import weights_file
from consistentid_core.files.catalogue import (
    CLIP_VISION,
    CONSISTENTID_SD15,
    CONSISTENTID_SDXL,
    FACE_PARSER,
)
from consistentid_core.finding import ADAPTERS, Candidate, adapters_of, choose, content_of
from tools.standins import bisenet

BOTH = adapters_of(None)


def shapes(path: Path, **by_key: tuple[int, ...]) -> Path:
    save_file({key: torch.zeros(shape, dtype=torch.uint8) for key, shape in by_key.items()}, path)
    return path


def adapter(folder: Path, name: str, family: str = "sd15") -> Candidate:
    path = write(folder, flat(small_groups(family)), Path(name).suffix)
    return Candidate(name, path.rename(folder / name))


def parser(folder: Path, name: str) -> Candidate:
    bisenet.write(folder / name)
    return Candidate(name, folder / name)


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("extension", [".bin", ".safetensors"])
@pytest.mark.parametrize(("family", "file"), ADAPTERS.items())
def test_an_adapter_is_known_under_any_name_and_size(tmp_path, monkeypatch, family, file, extension, mapped):
    monkeypatch.setattr(weights_file, "SMALL_FILE", 0 if mapped else 1 << 40)
    found = adapter(tmp_path, f"face_parsing{extension}", family)
    assert content_of(found.path).file is file


def test_nested_groups_are_known_as_well(tmp_path):
    assert content_of(write(tmp_path, nested(small_groups()), ".bin")).file is CONSISTENTID_SD15


def test_the_face_parser_and_clip_vision_are_known(tmp_path):
    assert content_of(parser(tmp_path, "x.pth").path).file is FACE_PARSER
    keys = {
        "vision_model.embeddings.patch_embedding.weight": (1280, 3, 14, 14),
        "vision_model.encoder.layers.31.layer_norm1.weight": (1280,),
    }
    assert content_of(shapes(tmp_path / "vit.safetensors", **keys)).file is CLIP_VISION
    open_clip = {"visual.conv1.weight": (1280, 3, 14, 14)}
    assert content_of(shapes(tmp_path / "open.safetensors", **open_clip)).file is CLIP_VISION
    large = {"vision_model.embeddings.patch_embedding.weight": (1024, 3, 14, 14)}
    assert content_of(shapes(tmp_path / "large.safetensors", **large)).kind == "a CLIP vision model"


def test_what_is_incomplete_or_something_else_is_of_no_use(tmp_path):
    groups = small_groups()
    groups["image_proj"].popitem()
    half = content_of(write(tmp_path, flat(groups), ".safetensors"))
    assert (half.file, half.kind) == (None, "a ConsistentID file")
    (tmp_path / "page.bin").write_text("<html>")
    assert content_of(tmp_path / "page.bin").kind == "unreadable"
    torch.save([torch.zeros(1)], tmp_path / "list.bin")
    assert content_of(tmp_path / "list.bin").kind == "no weights"
    assert content_of(tmp_path / "gone.bin").kind == "gone"


def test_a_file_is_opened_once_until_it_changes(tmp_path, monkeypatch):
    opened = []
    read = finding.read_weights
    monkeypatch.setattr(finding, "read_weights", lambda path: opened.append(path) or read(path))
    path = shapes(tmp_path / "a.safetensors", x=(1,))
    assert {content_of(path).kind for _ in range(3)} == {"of an unknown kind"}
    assert len(opened) == 1
    shapes(path, **{"visual.conv1.weight": (1280, 3, 14, 14)})
    assert content_of(path).file is CLIP_VISION
    assert len(opened) == 2


def test_a_file_of_the_same_size_and_another_time_is_opened_again(tmp_path):
    path = shapes(tmp_path / "a.safetensors", x=(1,))
    content_of(path)
    status = os.stat(path)
    path.write_bytes(b"<" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert content_of(path).kind == "unreadable"


# ---------------------------------------------------------------- choosing


def test_the_only_one_that_fits_is_taken_whatever_it_is_called(tmp_path):
    others = [parser(tmp_path, "ConsistentID-v1.bin"), parser(tmp_path, "other.pth")]
    mine = adapter(tmp_path, "zzz.bin")
    assert choose([*others, mine], [str(tmp_path)], *BOTH) is mine


def test_a_conversion_comes_before_the_file_it_was_made_of(tmp_path):
    pair = [adapter(tmp_path, "ConsistentID-v1.bin"), adapter(tmp_path, "ConsistentID-v1.safetensors")]
    assert choose(pair, [], *BOTH).name == "ConsistentID-v1.safetensors"
    unknown = [adapter(tmp_path, "mine.bin"), adapter(tmp_path, "mine.safetensors")]
    assert choose(unknown, [], *BOTH).name == "mine.safetensors"


def test_the_released_name_wins_over_others_that_fit_and_says_so(tmp_path, caplog):
    fits = [adapter(tmp_path, "mine.safetensors"), adapter(tmp_path, "ConsistentID-v1.bin")]
    with caplog.at_level(logging.INFO):
        assert choose(fits, [], *BOTH).name == "ConsistentID-v1.bin"
    assert "auto took ConsistentID-v1.bin; mine.safetensors (SD1.5) would fit as well." in caplog.text


def test_files_trained_here_do_not_stand_in_the_way_of_a_released_one(tmp_path):
    """Train ConsistentID puts up to three files into the folder that auto looks into."""
    trained = [adapter(tmp_path, f"my_consistentid{kind}.safetensors") for kind in ("", "_best", "_ema")]
    released = adapter(tmp_path, "ConsistentID-v1.bin")
    assert choose([*trained, released], [], *BOTH) is released
    # The same for another family: what auto chose before the training it chooses after it.
    sdxl = adapter(tmp_path, "ConsistentID_SDXL-v1.bin", "sdxl")
    assert choose([*trained, sdxl], [], *BOTH) is sdxl
    assert choose(trained[:1], [], *BOTH) is trained[0]
    with pytest.raises(AmbiguousModelError) as error:
        choose(trained, [], *BOTH)
    assert str(error.value) == (
        "auto found 3 files that fit: my_consistentid.safetensors (SD1.5), my_consistentid_best.safetensors (SD1.5), "
        "my_consistentid_ema.safetensors (SD1.5). Choose one of them in the node instead."
    )


def test_several_without_a_released_name_are_named(tmp_path):
    fits = [adapter(tmp_path, "one.bin"), adapter(tmp_path, "two.bin")]
    with pytest.raises(AmbiguousModelError) as error:
        choose(fits, [], *BOTH)
    assert str(error.value) == (
        "auto found 2 files that fit: one.bin (SD1.5), two.bin (SD1.5). Choose one of them in the node instead."
    )


def test_of_two_families_the_wanted_one_decides_and_without_it_nobody(tmp_path):
    both = [
        adapter(tmp_path, "ConsistentID-v1.bin"),
        adapter(tmp_path, "ConsistentID_SDXL-v1.bin", "sdxl"),
    ]
    assert choose(both, [], *adapters_of("sdxl")) is both[1]
    assert choose(both, [], *adapters_of("sd15")) is both[0]
    with pytest.raises(
        AmbiguousModelError, match=r"v1.bin \(SD1.5\), ConsistentID_SDXL-v1.bin \(SDXL\).* or connect"
    ):
        choose(both, [], *BOTH)


def test_only_wrong_ones_are_named_with_what_they_are_and_what_to_do(tmp_path):
    wrong = [adapter(tmp_path, "a.bin", "sdxl"), parser(tmp_path, "b.pth")]
    with pytest.raises(MissingModelError) as error:
        choose(wrong, ["/models/consistentid"], *adapters_of("sd15"))
    message = str(error.value)
    assert message.startswith(
        "auto found no ConsistentID for SD1.5: only a.bin (SDXL), b.pth (BiSeNet face parser) in /models/consistentid."
    )
    for fact in (CONSISTENTID_SD15.address, "models/consistentid", "files fetch consistentid-sd15"):
        assert fact in message


def test_an_empty_folder_is_said_to_be_empty():
    with pytest.raises(MissingModelError, match="no BiSeNet face parser: nothing in /a, /b. Put"):
        choose([], ["/a", "/b"], FACE_PARSER)


def test_a_long_list_is_cut(tmp_path):
    shapes(tmp_path / "x.safetensors", x=(1,))
    many = [Candidate(f"{number}.safetensors", tmp_path / "x.safetensors") for number in range(12)]
    with pytest.raises(MissingModelError, match=r"7.safetensors \(of an unknown kind\) and 4 more in"):
        choose(many, [], CONSISTENTID_SDXL)
