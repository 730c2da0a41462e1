"""What a model knows of people it was never trained on: noise losses with several identities, and where words look."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from consistentid_core.regions import region_of_part
from consistentid_core.training.attention import TrainedAttention
from consistentid_core.training.config import TrainingConfig
from consistentid_core.training.draws import SampleDraws, draw_sample, seeded
from consistentid_core.training.items import prepare_item
from consistentid_core.training.modules import TrainedModules
from consistentid_core.training.step import (
    Batch,
    batch_losses,
    fused_rows,
    noised,
    prepare_batch,
    with_identity_of,
    with_nobody,
)

from .portraits import People
from .world import World

#: At which the noise is predicted, and at which attention is looked at.
TIMESTEPS, LOOKED_AT = (500, 700, 900), 500
_BATCH = 16


@dataclass(frozen=True)
class Losses:
    """One number for each held-out person, the mean over :data:`TIMESTEPS`.

    right: noise loss with identity from another picture of the same person.  wrong: from one of somebody else.
    nobody: with the zero face and zero pictures.  localisation: with the right person, without its weight.
    """

    right: list[float]
    wrong: list[float]
    nobody: list[float]
    localisation: list[float]


@dataclass(frozen=True, eq=False)
class Attention:
    """Where each facial word looks, in the finest layers that the localisation loss reads.

    inside_over_outside: by word, the mean probability inside its part over that outside.
    own_over_others: by word, how much of its attention lies in its part, over how much of the other words' does.
    maps: word -> (people, side, side).
    """

    inside_over_outside: dict[str, float]
    own_over_others: dict[str, float]
    maps: dict[str, Tensor]


@torch.no_grad()
def held_out_losses(
    people: People, modules: TrainedModules, attention: TrainedAttention, world: World, config: TrainingConfig
) -> Losses:
    """people: with at least two pictures of each; the first is predicted, the second says who it is."""
    found: dict[str, list[Tensor]] = {name: [] for name in ("right", "wrong", "nobody", "localisation")}
    for who in _batches(len(people.numbers)):
        shown, other = (batch_of(people, who, picture, world, config) for picture in (0, 1))
        right = with_identity(shown, other)
        # The batch is at least two people, each of whom is somebody else to the one before.
        cases = {
            "right": right,
            "wrong": with_identity_of(right, [*range(1, len(who)), 0]),
            "nobody": with_nobody(shown, world),
        }
        latents = world.encode_pictures(_pixels(people, who))[0]
        each: dict[str, list[Tensor]] = {name: [] for name in found}
        for timestep in TIMESTEPS:
            for name, batch in cases.items():
                losses = batch_losses(
                    _at(batch, latents, who, timestep, world, config), modules, attention, world, config
                )
                each[name].append(losses.noise)
                if name == "right":
                    each["localisation"].append(losses.localisation)
        for name, values in each.items():
            found[name].append(torch.stack(values).mean(0))
    return Losses(**{name: torch.cat(values).tolist() for name, values in found.items()})


@torch.no_grad()
def where_words_look(
    people: People, modules: TrainedModules, attention: TrainedAttention, world: World, config: TrainingConfig
) -> Attention:
    """Attention of the first picture of each person with their own identity."""
    words = facial_words(people, 0, world, config)
    found, masks = [], []
    for who in _batches(len(people.numbers)):
        batch = batch_of(people, who, 0, world, config)
        found.append(_finest_columns(batch, modules, attention, world))
        masks.append(functional.interpolate(batch.part_masks, size=found[-1].shape[-2:], mode="area"))
    maps, parts = torch.cat(found), torch.cat(masks)
    # People, words, parts: the mean of a word's map in a part, and outside of it.
    inside, outside = (
        torch.einsum("nwyx,npyx->nwp", maps, area) / area.sum((2, 3))[:, None] for area in (parts, 1 - parts)
    )
    shares = (inside / maps.mean((2, 3))[..., None]).mean(0)
    others = (shares.sum(0) - shares.diagonal()) / (len(words) - 1)
    return Attention(
        dict(zip(words, _ratios(inside, outside), strict=True)),
        dict(zip(words, (shares.diagonal() / others).tolist(), strict=True)),
        {word: maps[:, slot] for slot, word in enumerate(words)},
    )


def _ratios(inside: Tensor, outside: Tensor) -> list[float]:
    """Of each word with its own part."""
    return (inside.mean(0).diagonal() / outside.mean(0).diagonal()).tolist()


def batch_of(people: People, who: Sequence[int], picture: int, world: World, config: TrainingConfig) -> Batch:
    """One picture of each of some people at :data:`LOOKED_AT`, with noise that is always the same."""
    drawn = [_draws(config.seed, one, LOOKED_AT) for one in who]
    portraits = [people[one * people.pictures + picture] for one in who]
    items = [
        prepare_item(one, draw, config, family=world.family, count_tokens=world.count_tokens)
        for one, draw in zip(portraits, drawn, strict=True)
    ]
    return prepare_batch(items, drawn, world, looks_at_foreground=False)


def _at(
    batch: Batch, latents: Tensor, who: Sequence[int], timestep: int, world: World, config: TrainingConfig
) -> Batch:
    """The batch at another time step, with the noise that belongs to person and time step."""
    shape = tuple(latents.shape[1:])
    noise = torch.stack([_draws(config.seed, one, timestep).noise(shape) for one in who])
    timesteps = torch.full((len(who),), timestep)
    noisy, target = noised(latents, noise, timesteps, world)
    return replace(batch, noisy=noisy, target=target, timesteps=timesteps)


def _pixels(people: People, who: Sequence[int]) -> Tensor:
    pictures = [torch.from_numpy(people[one * people.pictures].picture.copy()) for one in who]
    return torch.stack(pictures).permute(0, 3, 1, 2) / 255


def with_identity(shown: Batch, other: Batch) -> Batch:
    """The pictures, texts and noise of one batch with the identities of another, place by place."""
    return replace(
        shown,
        id_vectors=other.id_vectors,
        clip_features=other.clip_features,
        part_features=other.part_features,
    )


def facial_words(people: People, who: int, world: World, config: TrainingConfig) -> tuple[str, ...]:
    """The regions of the facial words of the text, in its order."""
    portrait = people[who * people.pictures]
    item = prepare_item(
        portrait, _draws(config.seed, who, 0), config, family=world.family, count_tokens=world.count_tokens
    )
    return tuple(region_of_part(name) for name in item.parts)


def _finest_columns(
    batch: Batch, modules: TrainedModules, attention: TrainedAttention, world: World
) -> Tensor:
    """(B, slots, side, side): mean over heads and over the captured layers with the most positions."""
    tokens = modules.id_projection(batch.id_vectors, batch.clip_features, shortcut=False)
    rows = fused_rows(batch, modules)
    with attention.call(id_tokens=tokens, facial=(batch.indices, batch.valid)) as captured:
        world.unet(batch.noisy, batch.timesteps, rows, None, batch.sizes)
        layers = [one.probabilities.mean(1) for one in captured.values()]  # B n slots
    most = max(layer.shape[1] for layer in layers)
    finest = torch.stack([layer for layer in layers if layer.shape[1] == most]).mean(0)
    side = round(most**0.5)
    return finest.transpose(1, 2).unflatten(-1, (side, side))


def _draws(seed: int, who: int, timestep: int) -> SampleDraws:
    drawn = draw_sample(seeded(seed, "held out"), timestep, who, timesteps=1, drop_probability=0)
    return drawn.at(timestep)


def _batches(count: int) -> Iterator[list[int]]:
    """Numbers from 0 in batches; nobody is left alone in the last one."""
    batches = max(1, round(count / _BATCH))
    for number in range(batches):
        yield list(range(count * number // batches, count * (number + 1) // batches))
