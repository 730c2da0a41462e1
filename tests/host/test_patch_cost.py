"""What the patch costs while sampling: reads by the host, operations, memory."""

import gc
import weakref
from collections import Counter
from types import SimpleNamespace

import comfy.ldm.modules.diffusionmodules.openaimodel as openaimodel
import comfy.model_sampling
import comfy.ops
import comfy.patcher_extension
import pytest
import torch
from consistentid_pack.consistentid_core.networks.leak_control import LeakControl
from consistentid_pack.consistentid_core.networks.unet_layers import attention_layers
from consistentid_pack.nodes.sampling.id_patch import IDAttentionPatch
from consistentid_pack.nodes.sampling.roles import KEY, Roles
from golden_host import small_unet
from peer_pack import apply_peer
from sampling import LEFT, apply, sample
from torch.utils._python_dispatch import TorchDispatchMode

STEPS = torch.tensor([9.0, 5.0, 3.0, 1.5, 0.7, 0.0])

#: Operations whose result the host waits for: a number read, or a shape that depends on values.
READS = {
    *("item", "_local_scalar_dense", "is_nonzero", "equal"),
    *("nonzero", "masked_select", "unique_dim", "_unique2", "repeat_interleave"),
}


class Reads(TorchDispatchMode):
    """Counts the operations that make the host wait for the device."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in READS:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def unet():
    return small_unet("sd15")


def reads_in_the_loop(model, monkeypatch) -> Counter:
    """What was read or copied to the host between the end of the first step and the end of the last one."""
    steps, counts = [], Reads()
    for name in ("cpu", "numpy", "tolist"):
        method = getattr(torch.Tensor, name)

        def counted(tensor, *args, _method=method, _name=name, **kwargs):
            counts.found[_name] += 1
            return _method(tensor, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, counted)

    def note(executor, *args, **kwargs):
        result = executor(*args, **kwargs)
        steps.append(Counter(counts.found))
        return result

    model = model.clone()
    kind = comfy.patcher_extension.WrappersMP.CALC_COND_BATCH
    model.add_wrapper_with_key(kind, "count", note)
    with counts:
        sample(model, sigmas=STEPS)
    monkeypatch.undo()
    assert len(steps) == len(STEPS) - 1
    return steps[-1] - steps[0]


PATCHES = {
    "plain settings": {},
    "mask and range": {"mask": LEFT, "start_percent": 0.1, "end_percent": 0.6},
    "leak control": {"leak_control": LeakControl("ease in-out", 0.5, 0.2, norm_rescale=0.5, self_mask=True)},
}


@pytest.mark.parametrize("options", PATCHES.values(), ids=PATCHES)
def test_nothing_is_read_by_the_host_in_the_step_loop(unet, options, monkeypatch):
    plain = reads_in_the_loop(unet, monkeypatch)
    assert reads_in_the_loop(apply(unet, **options), monkeypatch) == plain


def test_the_counting_would_notice_a_read(unet, monkeypatch):
    """The kind of pack that reads the noise level in every layer."""
    plain = reads_in_the_loop(unet, monkeypatch)
    more = reads_in_the_loop(apply_peer(unet), monkeypatch) - plain
    later_steps, layers_it_patches = len(STEPS) - 2, 15
    assert more == {
        "item": later_steps * layers_it_patches,
        "cpu": later_steps * layers_it_patches,
    }


def tensors_of_calls(model) -> list[dict[int, torch.Tensor]]:
    """What the attention replacements of each model call of a run hold, by address."""
    calls = []

    def note(executor, x, timesteps, context, y, control, transformer_options, **kwargs):
        replacements = transformer_options["patches_replace"]["attn2"].values()
        calls.append({id(tensor): tensor for one in replacements for tensor in _tensors(one)})
        return executor(x, timesteps, context, y, control, transformer_options, **kwargs)

    model = model.clone()
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "note", note)
    sample(model, sigmas=STEPS)
    return calls


def test_nothing_is_made_anew_from_step_to_step(unet):
    calls = tensors_of_calls(apply(unet, mask=LEFT, start_percent=0.1))
    assert len(calls) == len(STEPS) - 1 and len(calls[0]) > 32
    assert all(call.keys() == calls[0].keys() for call in calls)


def test_what_a_run_prepared_is_gone_after_it(unet):
    held = [weakref.ref(tensor) for tensor in tensors_of_calls(apply(unet, mask=LEFT))[0].values()]
    gc.collect()
    assert held and not any(one() is not None for one in held)


class Operations(TorchDispatchMode):
    """Counts everything that is computed."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.found[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def operations_of_a_unet_call(model) -> Counter:
    """Of the second step: what the first one makes for all steps is left out."""
    calls = []

    def note(executor, *args, **kwargs):
        with Operations() as operations:
            result = executor(*args, **kwargs)
        calls.append(operations.found)
        return result

    model = model.clone()
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, "note", note)
    sample(model)
    return calls[1]


LAYERS = 16

#: What each cross-attention layer may compute beside the reading of the ID tokens and its addition.
EXTRA = {
    "plain settings": ({}, Counter()),
    "range": ({"start_percent": 0.1, "end_percent": 0.6}, Counter()),
    "mask": ({"mask": LEFT}, Counter(mul=LAYERS)),
}


@pytest.mark.parametrize("options, extra", EXTRA.values(), ids=EXTRA)
def test_a_unet_call_costs_one_reading_and_one_addition_a_layer(unet, options, extra):
    more = operations_of_a_unet_call(apply(unet, **options)) - operations_of_a_unet_call(unet)
    for view in ("reshape", "transpose", "unsqueeze"):
        del more[view]
    reading = Counter(scaled_dot_product_attention=LAYERS, add=LAYERS)
    assert more == reading + extra


def test_a_self_mask_makes_no_constants_in_the_layers(unet):
    masked = operations_of_a_unet_call(apply(unet, leak_control=LeakControl(self_mask=True)))
    more = masked - operations_of_a_unet_call(unet)
    assert more["std"] == LAYERS and not more.keys() & {"arange", "exp"}


# --- memory at full size -----------------------------------------------------------------------

#: SDXL as released.
SDXL = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "use_spatial_transformer": True,
    "use_linear_in_transformer": True, "context_dim": 2048, "num_head_channels": 64,
    "num_classes": "sequential", "adm_in_channels": 2816, "legacy": False,
}  # fmt: skip

MEGABYTE = 2**20


def full_size_patch(**options) -> IDAttentionPatch:
    """For SDXL at full size, without any data behind the shapes."""
    layers = [layer for layer in attention_layers(SDXL) if layer.is_cross]
    weights = openaimodel.UNetModel(
        **SDXL, device="meta", operations=comfy.ops.disable_weight_init
    ).state_dict()

    def keys_values():
        widths = {layer.index: len(weights[f"{layer.weight_prefix}.to_k.weight"]) for layer in layers}
        return {
            i: (torch.empty(1, 4, w, device="meta"), torch.empty(1, 4, w, device="meta"))
            for i, w in widths.items()
        }

    assert len(layers) == 70
    return IDAttentionPatch(
        "sdxl", {layer.index: layer.block for layer in layers}, keys_values(), keys_values(), **options
    )


def bytes_of_a_run(patches, latents: int, dtype=torch.float16) -> int:
    """What the prepared tensors of a run with guidance hold, 1024 x 1024 pixels each."""

    class Executor:
        class_obj = SimpleNamespace(
            get_dtype_inference=lambda: dtype, model_sampling=comfy.model_sampling.ModelSamplingDiscrete()
        )

        def __call__(self, *args, **kwargs):
            pass

    roles = Roles({"positive": [{"uuid": "p"}], "negative": [{"uuid": "n"}]}, (128, 128), latents)
    x = torch.empty(2 * latents, 4, 128, 128, device="meta")
    options = {KEY: roles, "uuids": ["p", "n"], "sigmas": torch.ones(2 * latents, device="meta")}
    for patch in patches:
        patch(Executor(), x, None, transformer_options=options)
    storages = {}
    for tensor in _tensors(roles.caches):
        storages[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
    assert storages
    return sum(storages.values())


def _tensors(thing) -> list[torch.Tensor]:
    """All tensors in a nest of containers and of objects of the pack, made for a run."""
    if isinstance(thing, torch.Tensor):
        return [thing]
    if isinstance(thing, torch.device | torch.dtype | IDAttentionPatch):
        return []
    if isinstance(thing, dict):
        thing = list(thing.values())
    elif hasattr(thing, "__dict__"):
        thing = list(vars(thing).values())
    return [one for part in thing for one in _tensors(part)] if isinstance(thing, list | tuple) else []


@pytest.mark.parametrize("people, latents", [(1, 1), (1, 64), (8, 16)])
def test_the_id_tensors_of_a_run_stay_small_on_sdxl_at_full_size(people, latents):
    patches = [full_size_patch(percents=(0.2, 1.0))]
    patches += [full_size_patch(percents=(0.2, 1.0), mask=torch.ones(1, 512, 512)) for _ in range(people - 1)]
    assert bytes_of_a_run(patches, latents) < 64 * MEGABYTE
