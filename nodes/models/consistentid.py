"""The loaded ConsistentID model: what travels over a CONSISTENTID socket."""

from collections.abc import Iterator
from contextlib import contextmanager

import comfy.model_patcher
import torch

from ...consistentid_core.faces.face_parts import ZeroImage
from ...consistentid_core.families import FAMILIES
from ...consistentid_core.memory import remember
from ...consistentid_core.networks.checkpoint import Checkpoint
from ...consistentid_core.networks.facial_encoder import FacialEncoder
from ...consistentid_core.networks.id_key_values import IDKeyValueProjection
from ...consistentid_core.networks.projection import IDProjection
from .managed import manage

#: Keys and values of the ID tokens per adapter index of a cross-attention layer: (people, tokens, width) each;
#: of several people the first is for the first picture of a batch, and so on.
KeysValues = dict[int, tuple[torch.Tensor, torch.Tensor]]


class ConsistentIDModel:
    """The parts of a ConsistentID checkpoint, ready to use.

    The facial encoder and the ID networks live under the memory manager; the LoRA
    tensors stay in main memory until they are handed to a model as weight patches.
    """

    def __init__(self, checkpoint: Checkpoint):
        self.family = checkpoint.family
        self.cross_attention_dim = checkpoint.cross_attention_dim
        key_values = IDKeyValueProjection.weights(checkpoint.adapters)
        #: The LoRA tensors by checkpoint key. The others live in their network: SDXL's are 0.7 GB.
        self.adapters = {key: one for key, one in checkpoint.adapters.items() if key not in key_values}
        self.facial_encoder = manage(
            FacialEncoder.builder(checkpoint.facial_encoder), checkpoint.facial_encoder
        )
        self.id_projection = manage(IDProjection.builder(checkpoint.id_projection), checkpoint.id_projection)
        self.key_value_projection = manage(IDKeyValueProjection.builder(key_values), key_values)
        self._users_of_id_networks = 0

    @property
    def patcher(self) -> comfy.model_patcher.ModelPatcher:
        """The largest network's. The host's cache takes what has one for a model, and drops old models first."""
        return self.key_value_projection.patcher

    def get_models(self) -> list[comfy.model_patcher.ModelPatcher]:
        """The patchers, for the host's book-keeping."""
        return [self.facial_encoder.patcher, self.id_projection.patcher, self.key_value_projection.patcher]

    @contextmanager
    def id_networks(self) -> Iterator[None]:
        """Within, the ID networks may stay on their device; then they leave it, since sampling has no use for them.

        Half a gigabyte for SDXL.
        """
        self._users_of_id_networks += 1
        try:
            yield
        finally:
            self._users_of_id_networks -= 1
            if not self._users_of_id_networks:
                for network in (self.id_projection, self.key_value_projection):
                    network.unload()

    def keys_values(
        self, id_vector: torch.Tensor, clip_features: torch.Tensor, people: int = 1
    ) -> KeysValues:
        """What the ID tokens of one person, or of several, add to every cross-attention layer.

        id_vector: (k, 512), unit length or zeros.  clip_features: (1, 257, 1280), or one set per vector.
        people: how many share the vectors; each vector gives a set of tokens, and those of a person follow each other.
        Returns keys and values in float32 on the CPU: about 0.3 MB for SD1.5 and one vector.
        """
        with self.id_networks():
            device = self.id_projection.device
            clip_features = clip_features.expand(len(id_vector), -1, -1)
            tokens = self.id_projection.loaded()(
                id_vector.to(device), clip_features.to(device), shortcut=FAMILIES[self.family].shortcut
            )
            device = self.key_value_projection.device
            projected = self.key_value_projection.loaded()(
                tokens.to(device).unflatten(0, (people, -1)).flatten(1, 2)
            )
            return {index: (k.cpu(), v.cpu()) for index, (k, v) in projected.items()}

    def no_identity_keys_values(self, zero_image: ZeroImage) -> KeysValues:
        """:meth:`keys_values` of "nobody": a zero face and the zero image (SPEC 4).

        The same for every person, so computed once per zero image.
        """
        return remember(
            "keys and values of nobody",
            (self, zero_image),
            lambda: self.keys_values(torch.zeros(1, 512), zero_image.features.unsqueeze(0)),
        )
