"""One UNet call as a real sampling run makes it, to be repeated."""

from typing import Any

import comfy.sample
import torch


def one_step(model, positive: list, negative: list, latent: torch.Tensor) -> None:
    """Sample one step with guidance, through ComfyUI's own guider."""
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    comfy.sample.sample(
        model, noise, 1, 5.0, "euler", "normal", positive, negative, latent, disable_pbar=True, seed=0
    )


class ModelCall:
    """The call of a step with guidance: positive and negative in one batch, with all that patches the model.

    What a run prepares once is prepared when the call is recorded, and kept for its repetitions.
    """

    def __init__(self, model, positive: list, negative: list, latent: torch.Tensor) -> None:
        """Raises RuntimeError if ComfyUI has too little memory for both in a batch: the call is half a step then."""
        recorded: list[dict[str, Any]] = []

        def record(apply_model, call):
            recorded.append(call)
            return apply_model(call["input"], call["timestep"], **call["c"])

        self._model = model.clone()
        self._model.set_model_unet_function_wrapper(record)
        one_step(self._model, positive, negative, latent)
        if len(recorded) != 1:
            raise RuntimeError(
                f"A step took {len(recorded)} model calls instead of one: too little memory for a batch of two."
            )
        self._call = recorded[0]

    def __call__(self) -> torch.Tensor:
        call = self._call
        return self._model.model.apply_model(call["input"], call["timestep"], **call["c"])
