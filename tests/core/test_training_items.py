"""What one step needs of a portrait: the square, masks where it was cut, the text of its parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_training import SmallModels, SmallPeople, small_config

from consistentid_core.training.draws import draw_sample
from consistentid_core.training.items import cut_square, prepare_item, square_box
from consistentid_core.training.step import noised, prepare_batch, with_identity_of, with_nobody

PERSON = SmallPeople(1)[0]


def item(portrait=PERSON, *, dropped=False, place=0.5, **settings):
    draws = replace(draw_sample(0, 0, 0, timesteps=1000, drop_probability=0), is_dropped=dropped, crop=place)
    return prepare_item(
        portrait, draws, small_config(**settings), family="sd15", count_tokens=SmallModels.count_tokens
    )


def batch_of(items, models=None, **kwargs):
    draws = [
        draw_sample(0, 0, position, timesteps=1000, drop_probability=0) for position in range(len(items))
    ]
    return prepare_batch(items, draws, models or SmallModels(), **{"looks_at_foreground": True, **kwargs})


def test_masks_come_in_crop_order_and_lie_on_their_parts():
    found = item()
    assert found.parts == ("Face", "Left_Eye", "Left_Ear", "Nose", "Upper_Lip")
    for mask, class_id in zip(found.part_masks, (1, 4, 7, 10, 12), strict=True):
        inside = torch.from_numpy(PERSON.label_map == class_id)
        assert bool((mask[inside] == 1).all())
    assert found.part_masks[1].sum() == (PERSON.label_map == 4).sum()


def test_the_square_of_an_oblong_picture_and_its_masks_stay_together():
    # Twice as wide: the label map is stretched over it, the square is cut out of both alike.
    wide = replace(PERSON, picture=np.repeat(PERSON.picture, 2, axis=1))
    for crop in (0.0, 0.5, 1.0):
        found = item(wide, place=crop, crop="random")
        nose = found.part_masks[3] == 1
        colour = torch.from_numpy(PERSON.picture[PERSON.label_map == 10][0]) / 255
        assert nose.any() or crop != 0.5
        torch.testing.assert_close(found.pixels[:, nose], colour[:, None].expand(-1, int(nose.sum())))


def test_the_middle_is_cut_unless_chance_is_asked_for():
    wide = replace(PERSON, picture=np.repeat(PERSON.picture, 2, axis=1))
    assert torch.equal(item(wide, place=0.0).pixels, item(wide, place=1.0).pixels)


@pytest.mark.parametrize(
    ("place", "expected"), [(0.0, (0, 0, 60, 60)), (0.5, (20, 0, 80, 60)), (1.0, (40, 0, 100, 60))]
)
def test_the_square_is_the_largest_one(place, expected):
    assert square_box(60, 100, place) == expected
    left, top, right, bottom = expected
    assert square_box(100, 60, place) == (top, left, bottom, right)


def test_a_square_of_the_right_size_is_not_touched():
    assert np.array_equal(cut_square(PERSON.picture, (0, 0, 64, 64), 64), PERSON.picture)


def test_the_foreground_is_what_the_label_map_calls_no_background():
    assert torch.equal(item().foreground > 0, torch.from_numpy(PERSON.label_map > 0))


def test_the_originals_foreground_is_empty_where_background_surrounds_the_head():
    assert item(foreground="filled").foreground.sum() == 0
    below = PERSON.label_map.copy()
    below[60:, 10:54] = 1
    found = item(replace(PERSON, label_map=below), foreground="filled").foreground
    assert torch.equal(found > 0, torch.from_numpy(below > 0))


def test_a_picture_without_background_is_all_foreground():
    full = replace(PERSON, label_map=np.ones_like(PERSON.label_map))
    for foreground in ("filled", "exact"):
        assert item(full, foreground=foreground).foreground.min() == 1


def test_a_dropped_sample_loses_text_and_picture_and_keeps_face_and_parts():
    found = item(dropped=True)
    assert found.text == ""
    assert not found.clip_pixels.any()
    assert len(found.part_pixels) == 5
    assert torch.equal(found.id_vector, item().id_vector)


def test_only_the_chosen_regions_are_trained():
    found = item(regions=["face", "nose"])
    assert found.parts == ("Face", "Nose")
    assert found.text.count("<|facial|>") == 2
    assert not found.part_masks[2:].any()


def test_words_and_parts_can_be_paired_by_name():
    # The text says ears before eyes; by rank the eyes' crop goes to "ears", as in the original.
    by_rank, by_name = item(), item(pairing="by name")
    assert by_rank.parts[1:3] == ("Left_Eye", "Left_Ear")
    assert by_name.parts[1:3] == ("Left_Ear", "Left_Eye")
    assert torch.equal(by_name.part_masks[1], by_rank.part_masks[2])


def test_a_fixed_caption_stands_for_that_of_the_data():
    assert "dimple" in item(replace(PERSON, face_caption="a dimple beside the nose.")).text
    assert (
        "dimple" not in item(replace(PERSON, face_caption="a dimple beside the nose."), captions="fixed").text
    )


def test_a_portrait_without_a_face_vector_trains_with_zeros():
    assert not item(replace(PERSON, id_original=None)).id_vector.any()


# --- batches ----------------------------------------------------------------------------------------------


def test_only_parts_with_a_word_go_through_clip_and_the_rest_is_the_zero_image():
    models = SmallModels()
    items = [item(), item(dropped=True), item(regions=["nose"])]
    batch = batch_of(items, models)
    assert models.clip_pictures == 3 + 5 + 0 + 1 + 1  # pictures, parts, and the zero image
    assert batch.valid.sum(1).tolist() == [5, 0, 1]
    zero = models.encode_clip(torch.zeros(1, 3, 224, 224))[0]
    assert torch.equal(batch.part_features[1], zero.expand(5, -1, -1))
    assert torch.equal(batch.part_features[2, 0], models.encode_clip(items[2].part_pixels)[0])


def test_a_step_that_looks_at_the_whole_picture_has_no_mask():
    assert batch_of([item()], looks_at_foreground=False).foreground is None


@pytest.mark.parametrize("predicts", ["noise", "velocity"])
def test_the_target_leads_back_to_the_picture(predicts):
    models = SmallModels()
    models.predicts = predicts
    latents, noise, steps = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.tensor([10, 900])
    noisy, target = noised(latents, noise, steps, models)
    alphas = models.alphas_cumprod[steps].view(-1, 1, 1, 1)
    kept, added = alphas.sqrt(), (1 - alphas).sqrt()
    found = (noisy - added * target) / kept if predicts == "noise" else kept * noisy - added * target
    torch.testing.assert_close(found, latents, rtol=1e-4, atol=1e-4)


def test_another_identity_changes_the_identity_alone():
    models = SmallModels()
    people = SmallPeople(2)
    batch = batch_of([item(people[0]), item(people[1])], models)
    for changed in (with_identity_of(batch, [1, 0]), with_nobody(batch, models)):
        for name in ("noisy", "target", "rows", "part_masks", "indices"):
            assert getattr(changed, name) is getattr(batch, name)
        for name in ("id_vectors", "clip_features", "part_features"):
            assert not torch.equal(getattr(changed, name), getattr(batch, name))
    assert not with_nobody(batch, models).id_vectors.any()
