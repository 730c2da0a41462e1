"""One seed of the experiment: base, training with the right identities and with shuffled ones, what came of each.

Everything is kept in a folder as it is made, and found there when the same is asked for again: a run that was stopped
goes on, training in the middle of a run included.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from consistentid_core.training.attention import attached
from consistentid_core.training.config import TrainingConfig, from_mapping
from consistentid_core.training.initialise import initial_modules
from consistentid_core.training.modules import TrainedModules
from consistentid_core.training.state import AVERAGE, read_groups
from consistentid_core.training.step import Batch, layers_to_capture, with_identity_of
from consistentid_core.training.trainer import Trainer

from .base import base_world
from .criteria import (
    Verdict,
    identity_is_used,
    localisation_falls,
    words_look_at_their_parts,
    wrong_identity_gains_nothing,
)
from .measuring import held_out_losses, where_words_look
from .portraits import SIDE, People
from .world import SIZES

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """How much of everything. people: trained on, with ``pictures`` each; held_out: others, to measure with.

    base_steps: of the base model.  steps: of ConsistentID.
    """

    name: str
    people: int
    held_out: int
    base_steps: int
    steps: int
    pictures: int = 4
    batch_size: int = 8
    learning_rate: float = 4e-3


FULL = Recipe("full", people=400, held_out=128, base_steps=1000, steps=600)
#: What fits into every run of the tests.
CUT = Recipe("cut", people=200, held_out=96, base_steps=120, steps=150)
RECIPES = {recipe.name: recipe for recipe in (FULL, CUT)}

#: The names of the two trainings.
TRAINED, SHUFFLED = "trained", "shuffled"


class Experiment:
    """A recipe with one seed, in a folder of its own."""

    def __init__(self, recipe: Recipe, seed: int, folder: Path, say: Say):
        """say: told what goes on."""
        self.recipe, self.seed, self.say = recipe, seed, say
        self.folder = folder / f"{recipe.name}-{seed}"
        self.people = People(range(recipe.people), recipe.pictures, seed)
        #: People nobody is trained on: other numbers.
        self.strangers = People(range(recipe.people, recipe.people + recipe.held_out), 2, seed)
        self._require_same()
        self.world = base_world(
            self.folder / "base.safetensors", self.people, steps=recipe.base_steps, seed=seed, say=say
        )

    def config(self, training: str) -> TrainingConfig:
        """The settings of one of the trainings: those of the preset, but for what is small here."""
        recipe = self.recipe
        return from_mapping(
            {
                "output": str(self.folder / training), "seed": self.seed, "resolution": SIDE, "precision": "fp32",
                "rank": 8, "steps": recipe.steps, "batch_size": recipe.batch_size, "warmup_steps": 20,
                "learning_rate": recipe.learning_rate, "ema_decay": 0.99, "pairing": "by name",
                "validation_samples": 0, "validate_every": 0, "save_every": 100, "keep": 1, "log_every": 1,
                "sample_every": 0,  # the page draws what is looked at
                "cache_gigabytes": 0,  # computed sooner than read
            }
        )  # fmt: skip

    def new_modules(self) -> TrainedModules:
        """The networks as every training begins."""
        world = self.world
        start = initial_modules(
            None, world.layers, world.base_weight, world.family, world.cross_attention_dim,
            seed=self.seed, rank=8, **SIZES,
        )  # fmt: skip
        return start.modules

    def train(self, training: str) -> TrainedModules:
        """Train, or go on, or read what was trained; returns the running average."""
        config, kind = self.config(training), ShuffledTrainer if training == SHUFFLED else Trainer
        modules = self.new_modules()

        def on_step(step: int, values: dict[str, float]) -> None:
            if step % 100 == 0:
                self.say(f"{training}: step {step} of {config.steps}, {values['seconds']:.2f} s a step")

        trainer = kind(config, self.world, self.people, modules, folder=Path(config.output), on_step=on_step)
        with trainer:
            trainer.run()
        last = trainer.states / f"step-{config.steps:08d}"
        modules.load_groups(read_groups(last / f"{AVERAGE}.safetensors"))
        return modules

    def measure(self, name: str, modules: TrainedModules) -> dict[str, Any]:
        """Losses of the held-out people and attention of their words, as plain values; the maps go into a file."""
        config = self.config(TRAINED)
        captured = layers_to_capture(self.world.layers, config)
        with attached(self.world.unet_module, self.world.layers, modules.adapters, captured) as attention:
            losses = held_out_losses(self.strangers, modules, attention, self.world, config)
            looks = where_words_look(self.strangers, modules, attention, self.world, config)
        torch.save(looks.maps, self.folder / f"{name}_maps.pt")
        found = {
            "losses": asdict(losses),
            "inside_over_outside": looks.inside_over_outside,
            "own_over_others": looks.own_over_others,
        }
        self._path(name).write_text(json.dumps(found), "utf-8")
        return found

    def kept(self, name: str) -> dict[str, Any]:
        """What :meth:`measure` found."""
        return json.loads(self._path(name).read_text("utf-8"))

    def run(self) -> dict[str, Any]:
        """Everything; by name what was measured."""
        makers = {"before": self.new_modules} | {
            training: lambda training=training: self.train(training) for training in (TRAINED, SHUFFLED)
        }
        return {
            name: self.kept(name) if self._path(name).is_file() else self.measure(name, make())
            for name, make in makers.items()
        }

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _require_same(self) -> None:
        """What lies in the folder must be of the same recipe."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, mine = self.folder / "recipe.json", json.dumps(asdict(self.recipe))
        if path.is_file() and path.read_text("utf-8") != mine:
            raise ValueError(
                f"'{self.folder}' holds an experiment of another recipe; delete it to begin anew."
            )
        path.write_text(mine, "utf-8")


class ShuffledTrainer(Trainer):
    """Trains every portrait with the identity of another one: vector, picture and parts.

    There is nothing to learn of who somebody is; all else is as it was.
    """

    def batch(self, micro_step: int, looks_at_foreground: bool) -> Batch:
        """As without shuffling, with everybody's identity moved on by one."""
        batch = super().batch(micro_step, looks_at_foreground)
        return with_identity_of(batch, [*range(1, len(batch)), 0])


def verdicts(before: dict[str, Any], after: dict[str, Any]) -> list[Verdict]:
    """All criteria of one training; before, after: from :meth:`Experiment.measure`."""
    losses, looks = after["losses"], "inside_over_outside"
    return [
        localisation_falls(before["losses"]["localisation"], losses["localisation"]),
        words_look_at_their_parts(before[looks], after[looks]),
        identity_is_used(losses["right"], losses["wrong"]),
        wrong_identity_gains_nothing(losses["wrong"], losses["nobody"]),
    ]
