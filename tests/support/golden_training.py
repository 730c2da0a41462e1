"""The golden training sample pair, and the golden stand-in models as training reads them."""

from types import SimpleNamespace

import torch
from consistentid_pack.consistentid_core.networks.checkpoint import Checkpoint, recognise
from consistentid_pack.consistentid_core.training.losses import facial_token_indices
from consistentid_pack.consistentid_core.training.step import Batch
from consistentid_pack.nodes.training.host_adapter import HostModels
from golden_host import PREFIXES, GoldenCLIP, clip_vision, small_adapter, small_unet
from golden_set import manifest, normal, reference, state_dict

LOSSES = manifest("losses")
GOLDEN = LOSSES["training_forward"]


class PooledVAE:
    """A VAE whose latents are the means of 8 x 8 squares, of the three colours and their mean."""

    first_stage_model = SimpleNamespace()

    def encode(self, image):
        colours = torch.nn.functional.avg_pool2d(image.movedim(-1, 1) * 2 - 1, 8)
        return torch.cat((colours, colours.mean(1, keepdim=True)), 1)


class PooledCLIP(GoldenCLIP):
    """Pools the text of every family, as the host's encoders do, whether or not its UNet reads it."""

    def encode_from_tokens_scheduled(self, tokens, add_dict=None):
        ((rows, options),) = super().encode_from_tokens_scheduled(tokens, add_dict)
        if options["pooled_output"] is None:
            options["pooled_output"] = rows[:, -1]
        return [[rows, options]]


def host_models(family: str = "sd15") -> HostModels:
    """The golden models as the training core calls them."""
    return HostModels(small_unet(family), PooledVAE(), PooledCLIP(family), clip_vision())


def golden_checkpoint() -> Checkpoint:
    """The golden weights of SD1.5: full-size encoder and projection, adapters of the small UNet."""
    groups: dict[str, dict] = {}
    for name, shape in reference("checkpoint_sd15").items():
        group, key = name.split(".", 1)
        groups.setdefault(group, {})[key] = shape
    networks = {name: state_dict(groups[name], prefix) for name, prefix in PREFIXES["sd15"].items()}
    return recognise({**networks, "adapter_modules": small_adapter("sd15")})


def facial_words() -> torch.Tensor:
    """Where the words for facial parts are in the sample pair, (2, 77) bool."""
    mask = torch.zeros(2, 77, dtype=torch.bool)
    for sample, positions in enumerate(GOLDEN["token_positions"]):
        mask[sample, positions] = True
    return mask


def golden_batch(*, masked: bool) -> Batch:
    """The sample pair of ``training_forward``; masked: in a step that looks at the foreground."""
    indices, valid = facial_token_indices(facial_words())
    return Batch(
        noisy=normal("train.noisy", (2, 4, 64, 64)),
        target=normal("train.noise", (2, 4, 64, 64)),
        timesteps=torch.tensor(GOLDEN["timesteps"]),
        rows=normal("train.prompt", (2, 77, 768)),
        pooled=None,
        sizes=torch.zeros(2, 6),
        indices=indices,
        valid=valid,
        part_features=normal("train.parts", (2, 5, 257, 1280)),
        clip_features=normal("train.clip", (2, 257, 1280)),
        id_vectors=normal("train.id", (2, 1, 512))[:, 0],
        part_masks=torch.stack([rectangles(boxes) for boxes in LOSSES["rects_512"]]),
        foreground=rectangles(GOLDEN["foreground_rect_512"]) if masked else None,
    )


def rectangles(boxes, side=512):
    """(n, side, side) masks, 1 inside [y0, y1, x0, x1]; None gives an empty one."""
    masks = torch.zeros(len(boxes), side, side)
    for mask, box in zip(masks, boxes, strict=True):
        if box is not None:
            y0, y1, x0, x1 = box
            mask[y0:y1, x0:x1] = 1
    return masks
