"""LoRA Hooks in ComfyUI's sampling loop, on the small golden UNet."""

import torch
from consistentid_pack.nodes.lora_hooks import LoraHooks
from golden_host import consistentid_model
from sampling import apply, relative, sample, text

#: 3.0 lies at 22 % and 1.5 at 53 % of the schedule.
SIGMAS = torch.tensor([9.0, 5.0, 3.0, 1.5, 0.7, 0.0])


def hooked(unet, model, *arguments, sigmas=SIGMAS):
    """A run of the model with the LoRA as hooks on both conditionings."""
    hooks = LoraHooks.execute(unet, consistentid_model("sd15"), *arguments).args[0]
    return sample(model, text(0, hooks=hooks), text(1, hooks=hooks), sigmas=sigmas)


def merged(unet, lora_weight, sigmas=SIGMAS, **options):
    return sample(apply(unet, lora_weight=lora_weight, **options), sigmas=sigmas)


def test_the_lora_as_hooks_equals_the_merged_lora(unet):
    assert relative(hooked(unet, apply(unet), 0.8, 1.0), merged(unet, 0.8)) < 1e-4


def test_hooks_with_an_end_stop_the_lora_there(unet):
    """Three steps with the LoRA, two without."""
    ended = hooked(unet, apply(unet, weight=0.0), 1.0, 0.4)
    assert relative(ended, merged(unet, 1.0, weight=0.0)) > 1e-4
    assert relative(ended, merged(unet, 0.0, weight=0.0)) > 1e-4
    first_steps = hooked(unet, apply(unet, weight=0.0), 1.0, 0.4, sigmas=SIGMAS[:4])
    assert relative(first_steps, merged(unet, 1.0, SIGMAS[:4], weight=0.0)) < 1e-4
