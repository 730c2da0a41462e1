"""Apply ConsistentID on the small golden UNets, in ComfyUI's own sampling loop."""

import copy

import comfy.ldm.modules.attention as host_attention
import comfy.model_management
import comfy.samplers
import pytest
import torch
from comfy_api.latest import io
from comfy_extras.nodes_custom_sampler import Guider_DualCFG
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from comfy_extras.nodes_perpneg import Guider_PerpNeg
from consistentid_pack.consistentid_core.errors import ModelMismatchError
from consistentid_pack.consistentid_core.networks.unet_layers import attention_layers
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.identity import SetIdentity
from consistentid_pack.nodes.person.clip_features import zero_image
from consistentid_pack.nodes.person.keys_values import features_of_person
from consistentid_pack.nodes.sampling.id_attention import IDAttention
from consistentid_pack.nodes.sampling.id_patch import IDAttentionPatch
from consistentid_pack.nodes.sampling.lora import fitting_layers, merge_lora
from golden_host import clip_vision, consistentid_model, options_of_one_call, small_unet
from golden_set import manifest, normal, tensors
from sampling import compile_node, person, photo, relative, watch_calls

SIGMAS = torch.tensor([5.9, 2.9, 1.6, 0.0])
SHAPE = (1, 4, 16, 16)
NOISE = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
POSITIVE = torch.randn(1, 77, 768, generator=torch.Generator().manual_seed(2))
NEGATIVE = torch.randn(1, 77, 768, generator=torch.Generator().manual_seed(3))
MIDDLE = torch.randn(1, 77, 768, generator=torch.Generator().manual_seed(4))


@pytest.fixture(scope="module")
def consistentid():
    return consistentid_model("sd15")


@pytest.fixture
def apply(consistentid, vision):
    """Run the node: apply(model, weight=...) -> patched model."""

    def run(model, *, seed=0, weight=1.0, lora_weight=1.0, start_percent=0.0, end_percent=1.0):
        return ApplyConsistentID.execute(
            model, consistentid, person(seed), weight, lora_weight, start_percent, end_percent,
            clip_vision=vision, image=photo(seed),
        ).args[0]  # fmt: skip

    return run


@pytest.fixture
def shown(monkeypatch):
    """Who is shown in each model call."""
    return watch_calls(monkeypatch)


def sample(model, positive=POSITIVE, negative=NEGATIVE, *, cfg=5.0, batch=1, sigmas=SIGMAS, guider=None):
    """Latents of a few Euler steps through a guider, as KSampler makes them."""
    noise = NOISE.expand(batch, -1, -1, -1).clone()
    if guider is None:
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(conditioning(positive), conditioning(negative))
        guider.set_cfg(cfg)
    return guider.sample(
        noise, torch.zeros_like(noise), comfy.samplers.ksampler("euler"), sigmas, disable_pbar=True
    )


def conditioning(value, **options):
    return [[value, dict(options)]] if isinstance(value, torch.Tensor) else value


def guided_by(guider_class, *conditionings, cfg):
    """A run through a guider of that class, as a function of the model."""

    def run(model):
        guider = guider_class(model)
        guider.set_conds(*map(conditioning, conditionings))
        guider.set_cfg(*cfg)
        return sample(model, guider=guider)

    return run


class ByHand:
    """The explicit formula: identity keys and values by place in a known batch order."""

    def __init__(self, model, consistentid, vision, *, seed=0, weight=1.0, pattern):
        layers = attention_layers(model.model.model_config.unet_config)
        features = features_of_person(vision, photo(seed), None)
        shown = consistentid.keys_values(person(seed).vector, features)
        hidden = consistentid.no_identity_keys_values(zero_image(vision))
        self.model = model.clone()
        for layer in layers:
            if layer.is_cross:
                chosen = [(shown if show else hidden)[layer.index] for show in pattern]
                k, v = (torch.cat([pair[which] for pair in chosen]) for which in (0, 1))
                self.model.set_model_attn2_replace(self.replacement(k, v * weight), *layer.block)

    @staticmethod
    def replacement(id_k, id_v):
        def attend(q, k, v, heads):
            b, _, width = q.shape
            q, k, v = (t.view(b, -1, heads, width // heads).transpose(1, 2) for t in (q, k, v))
            out = torch.nn.functional.scaled_dot_product_attention(q, k, v)
            return out.transpose(1, 2).reshape(b, -1, width)

        def run(q, k, v, extra_options):
            heads = extra_options["n_heads"]
            return attend(q, k, v, heads) + attend(q, id_k, id_v, heads)

        return run


# --- numbers of the original -------------------------------------------------


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_model_call_equals_the_original_unet(family):
    golden, stored = manifest(f"unet_small_{family}"), tensors(f"unet_small_{family}")
    consistentid = consistentid_model(family)
    context = normal(f"unet_small_{family}.ctx", (2, 81, consistentid.cross_attention_dim))
    x = normal(f"unet_small_{family}.x", (2, 4, 16, 16))
    for case in golden["cases"]:
        model = small_unet(family)
        options, text = {}, context if "81" in case["name"] else context[:, :77]
        if case["adapter"]:
            layers = fitting_layers(model, consistentid)
            model = model.clone()
            merge_lora(model, consistentid, layers, case["lora_scale"])
            project = consistentid.key_value_projection.loaded()
            first, second = (project(context[i : i + 1, 77:]) for i in (0, 1))
            patch = IDAttentionPatch(family, cross_blocks(layers), first, second, weight=case["ip_scale"])
            options = options_of_one_call(patch, model, x, show=[True, False])
            text = context[:, :77]
        comfy.model_management.load_models_gpu([model])
        extra = {}
        if golden["added_cond"]:
            extra["y"] = sdxl_vector(model, normal(f"unet_small_{family}.pooled", (2, 1280)))
        timesteps = torch.full((2,), float(case["timestep"]))
        out = model.model.diffusion_model(x, timesteps, context=text, transformer_options=options, **extra)
        assert relative(out, stored[case["name"]]) < 2e-5, case["name"]
        model.detach()


def cross_blocks(layers):
    return {layer.index: layer.block for layer in layers if layer.is_cross}


def sdxl_vector(model, pooled):
    """Pooled text and the sizes of golden ``time_ids``, as SDXL's label embedding wants them."""
    embed = model.model.embedder
    sizes = torch.cat([embed(torch.tensor([float(v)])) for v in (1152, 864, 0, 0, 1152, 864)]).flatten()
    return torch.cat([pooled, sizes.expand(2, -1)], dim=1)


# --- precision ---------------------------------------------------------------


@pytest.fixture
def asked_for(monkeypatch):
    """The types in which the host's attention was asked to read the ID tokens."""
    types = []
    attention = host_attention.attention_pytorch

    def noted(q, k, v, heads, *args, **kwargs):
        types.append({q.dtype, k.dtype, v.dtype})
        return attention(q, k, v, heads, *args, **kwargs)

    monkeypatch.setattr(host_attention, "attention_pytorch", noted)
    return types


def read(layer_asks=None, dtype=torch.float16):
    """One layer that reads ID tokens, after another node has read the text."""
    q, keys, values = (normal(f"precision.{name}", (1, 4, 32)).to(dtype) for name in "qkv")
    layer = IDAttention(lambda q, k, v, options: torch.zeros_like(q), keys, values, torch.ones(1, 1, 1))
    return layer(q, q, q, {"n_heads": 4, "attn_precision": layer_asks})


def test_the_id_tokens_are_read_in_the_model_s_precision_if_nobody_asks(asked_for):
    assert read().dtype == torch.float16
    assert asked_for == [{torch.float16}]


def test_a_layer_that_asks_for_full_precision_gets_it_for_the_id_tokens_too(asked_for):
    assert read(layer_asks=torch.float32).dtype == torch.float16
    assert asked_for == [{torch.float32}]


def test_a_host_that_forces_full_precision_gets_it_for_the_id_tokens_too(asked_for, monkeypatch):
    """As ComfyUI does on macOS from 14.5 on, where half precision gives black pictures."""
    monkeypatch.setattr(host_attention, "FORCE_UPCAST_ATTENTION_DTYPE", {torch.float16: torch.float32})
    assert read().dtype == torch.float16
    assert read(dtype=torch.bfloat16).dtype == torch.bfloat16
    assert asked_for == [{torch.float32}, {torch.bfloat16}]


# --- strength and range --------------------------------------------------------


def test_weight_zero_is_bit_identical_to_the_plain_model(unet, apply):
    assert torch.equal(sample(apply(unet, weight=0.0, lora_weight=0.0)), sample(unet))


def test_the_patch_adds_the_id_attention_of_the_formula(unet, apply, consistentid, vision):
    by_hand = ByHand(unet, consistentid, vision, weight=0.7, pattern=[False, True]).model
    # ComfyUI batches [negative, positive] for this model size; test_batched_and_separate... covers the rest.
    assert relative(sample(apply(unet, weight=0.7, lora_weight=0.0)), sample(by_hand)) < 1e-5


def test_the_lora_is_merged_exactly(unet, apply, consistentid):
    patched = apply(unet, weight=0.0, lora_weight=0.6)
    layers = attention_layers(unet.model.model_config.unet_config)
    for layer in layers:
        for name, target in (("to_q", "to_q"), ("to_k", "to_k"), ("to_v", "to_v"), ("to_out", "to_out.0")):
            key = f"diffusion_model.{layer.weight_prefix}.{target}.weight"
            up, down = (
                consistentid.adapters[f"{layer.index}.{name}_lora.{part}.weight"] for part in ("up", "down")
            )
            base = unet.model.state_dict()[key]
            torch.testing.assert_close(
                patched.patch_weight_to_device(key, return_weight=True), base + 0.6 * up @ down
            )


def test_outside_its_range_the_identity_is_silent(unet, apply):
    only_lora = sample(apply(unet, weight=0.0))
    assert torch.equal(sample(apply(unet, start_percent=0.99, end_percent=1.0)), only_lora)


@pytest.mark.parametrize("start, end", [(0.5, 0.5), (0.6, 0.4), (1.0, 1.0), (0.0, 0.0)])
def test_a_range_that_holds_no_step_is_refused(unet, apply, start, end):
    with pytest.raises(ValueError, match=f"start_percent {start:g} is not below end_percent {end:g}"):
        apply(unet, start_percent=start, end_percent=end)


def test_inside_a_wide_range_nothing_changes(unet, apply):
    assert torch.equal(sample(apply(unet, start_percent=0.001, end_percent=0.999)), sample(apply(unet)))


def test_the_range_ends_between_two_steps(unet, apply):
    """Sigma 2.9 is at 23 % and 1.6 at 50 % of the schedule: a patch until 35 % acts in the first two steps only."""
    first_two = sample(apply(unet, end_percent=0.35))
    assert not torch.equal(first_two, sample(apply(unet)))
    assert not torch.equal(first_two, sample(apply(unet, end_percent=0.1)))
    assert torch.equal(first_two, sample(apply(unet, end_percent=0.45)))


# --- who is who ------------------------------------------------------------------


def test_batched_and_separate_conditionings_agree(unet, apply, monkeypatch):
    batched = sample(apply(unet))
    monkeypatch.setattr(type(unet.model), "memory_required", lambda *_, **__: float("inf"))
    assert relative(sample(apply(unet)), batched) < 1e-5


def test_without_guidance_only_the_person_is_evaluated(unet, apply, consistentid, vision):
    by_hand = ByHand(unet, consistentid, vision, pattern=[True]).model
    assert relative(sample(apply(unet, lora_weight=0.0), cfg=1.0), sample(by_hand, cfg=1.0)) < 1e-5


def test_a_batch_of_latents_shares_the_identity(unet, apply):
    single = sample(apply(unet))
    for one in sample(apply(unet), batch=3):
        assert relative(one[None], single) < 1e-5


def test_dual_cfg_gives_the_identity_to_its_first_conditioning_only(unet, apply, consistentid, vision):
    run = guided_by(Guider_DualCFG, POSITIVE, MIDDLE, NEGATIVE, cfg=(4.0, 2.0))
    # The guider calls [negative, middle, positive]; the host batches them in reverse.
    by_hand = ByHand(unet, consistentid, vision, pattern=[True, False, False]).model
    assert relative(run(apply(unet, lora_weight=0.0)), run(by_hand)) < 1e-5


def test_perp_neg_keeps_the_identity_out_of_its_empty_conditioning(unet, apply, consistentid, vision):
    run = guided_by(Guider_PerpNeg, POSITIVE, NEGATIVE, MIDDLE, cfg=(4.0, 1.0))
    by_hand = ByHand(unet, consistentid, vision, pattern=[False, False, True]).model
    assert relative(run(apply(unet, lora_weight=0.0)), run(by_hand)) < 1e-5


def test_perturbed_attention_guidance_sees_the_identity(unet, apply, shown):
    """PAG evaluates the positive alone, as index 0, like the negative of other guiders."""
    perturbed = PerturbedAttentionGuidance.execute(apply(unet), 3.0).args[0]
    assert torch.isfinite(sample(perturbed)).all()
    assert shown == ["na", "a"] * (len(SIGMAS) - 1)


class OtherNames(comfy.samplers.CFGGuider):
    """A guider that calls its only list something of its own."""

    def set_conds(self, conditioning):
        self.inner_set_conds({"subject": conditioning})

    def predict_noise(self, x, timestep, model_options=None, seed=None):
        lists = [self.conds["subject"]]
        return comfy.samplers.calc_cond_batch(self.inner_model, lists, x, timestep, model_options)[0]


def test_a_guider_without_a_positive_is_warned_about_once_a_run(unet, apply, caplog):
    """Such a run shows nobody; the person of Set Identity is shown in any list."""
    model, warnings = apply(unet), []
    own = SetIdentity.execute(conditioning(POSITIVE), consistentid_model("sd15"), 1.0).args[0]
    for conds in (conditioning(POSITIVE), own):
        guider = OtherNames(model)
        guider.set_conds(conds)
        caplog.clear()
        sample(None, guider=guider)
        warnings.append([one.getMessage() for one in caplog.records if "shows nobody" in one.getMessage()])
    assert [len(of_run) for of_run in warnings] == [1, 0]
    assert "calls its conditionings 'subject'" in warnings[0][0]


def test_an_area_conditioning_copied_into_the_negative_shows_nobody(unet, apply, shown):
    """The host copies a positive area conditioning, uuid and all, into the negative list."""
    positive = [[POSITIVE, {"area": (8, 8, 4, 4), "strength": 1.0}], [MIDDLE, {}]]
    assert torch.isfinite(sample(apply(unet), positive=positive)).all()
    # Per step one call for the area and one for the whole picture, each with its negative.
    assert shown == ["na"] * 2 * (len(SIGMAS) - 1)


def test_masked_conditionings_all_show_the_person(unet, apply, consistentid, vision):
    left = torch.zeros(1, 16, 16)
    left[:, :, :8] = 1
    positive = [
        [POSITIVE, {"mask": left, "mask_strength": 1.0}],
        [MIDDLE, {"mask": 1 - left, "mask_strength": 1.0}],
    ]
    by_hand = ByHand(unet, consistentid, vision, pattern=[False, True, True]).model
    assert (
        relative(sample(apply(unet, lora_weight=0.0), positive=positive), sample(by_hand, positive=positive))
        < 1e-5
    )


def test_a_sampler_that_bypasses_the_guider_gets_a_clear_error(unet, apply):
    patched = apply(unet)
    options = {
        "wrappers": {k: dict(v) for k, v in patched.wrappers.items()},
        "uuids": [],
        "sigmas": torch.ones(1),
    }
    with pytest.raises(RuntimeError, match="guider"):
        patched.model.apply_model(NOISE, torch.ones(1), c_crossattn=POSITIVE, transformer_options=options)


# --- next to other patches ---------------------------------------------------------


def foreign_patch(q, k, v, extra_options):
    """Another pack's replacement: does something of its own, ordinary attention included."""
    heads = extra_options["n_heads"]
    return comfy.ldm.modules.attention.optimized_attention(q, k, v, heads) + 0.1 * q


@pytest.mark.parametrize("block", [("input", 1), ("middle", 0), ("input", 1, 0)], ids=str)
def test_another_attn2_patch_works_before_and_after_ours(unet, apply, block):
    theirs_first = unet.clone()
    theirs_first.set_model_attn2_replace(foreign_patch, *block)
    theirs_first = apply(theirs_first)
    ours_first = apply(unet)
    ours_first.set_model_attn2_replace(foreign_patch, *block)
    assert torch.equal(sample(theirs_first), sample(ours_first))
    assert not torch.equal(sample(ours_first), sample(apply(unet)))


def test_two_people_add_up_in_either_order(unet, apply):
    one_two = apply(apply(unet, seed=1), seed=2)
    two_one = apply(apply(unet, seed=2), seed=1)
    assert relative(sample(one_two), sample(two_one)) < 1e-5
    assert relative(sample(one_two), sample(apply(unet, seed=1))) > 1e-3


def test_two_people_share_one_lora(unet, apply):
    twice = apply(apply(unet, weight=0.0, lora_weight=0.4), weight=0.0, lora_weight=0.9)
    assert relative(sample(twice), sample(apply(unet, weight=0.0, lora_weight=0.9))) < 1e-5


def test_two_people_share_one_lora_if_the_file_was_loaded_for_each(unet, apply, consistentid):
    again = copy.copy(consistentid)
    again.adapters = {key: tensor.clone() for key, tensor in consistentid.adapters.items()}
    layers = fitting_layers(unet, again)
    twice = apply(unet, weight=0.0)
    merge_lora(twice, again, layers, 1.0)
    assert torch.equal(sample(twice), sample(apply(unet, weight=0.0)))
    other = copy.copy(again)
    other.adapters = {key: 2 * tensor for key, tensor in again.adapters.items()}
    merge_lora(twice, other, layers, 1.0)
    assert relative(sample(twice), sample(apply(unet, weight=0.0))) > 1e-3


def test_applying_leaves_the_model_as_it_was(unet, apply):
    before, weights = sample(unet), {k: v.clone() for k, v in unet.model.state_dict().items()}
    sample(apply(unet))
    assert not unet.patches and not unet.wrappers and not unet.attachments
    assert torch.equal(sample(unet), before)
    assert all(torch.equal(weights[k], v) for k, v in unet.model.state_dict().items())


def test_applying_again_from_the_same_base_adds_nothing(unet, apply):
    first = sample(apply(unet))
    for _ in range(3):
        again = apply(unet)
    assert torch.equal(sample(again), first)
    assert sum(len(wrappers) for by_key in again.wrappers.values() for wrappers in by_key.values()) == 2


@pytest.mark.parametrize("dtype, tolerance", [(torch.float16, 2e-2), (torch.bfloat16, 1e-1)])
def test_half_precision_models_work(apply, dtype, tolerance):
    model = small_unet("sd15")
    exact = sample(apply(model))
    half = small_unet("sd15", dtype=dtype)
    assert relative(sample(apply(half)), exact) < tolerance


def test_a_partly_loaded_model_gives_the_same_picture(unet, apply):
    """--lowvram: most weights stay off the device and are patched while they are cast."""
    exact = sample(apply(unet))
    low = apply(small_unet("sd15", casting=True))
    low.load(torch.device("cpu"), lowvram_model_memory=200_000)
    assert low.model.model_lowvram
    assert relative(sample(low), exact) < 1e-5


def test_the_compile_node_compiles_our_structure_once_and_right(unet, apply):
    compiled, graphs = compile_node()
    for options in ({}, {"seed": 5}, {"end_percent": 0.35}, {"weight": 0.3}):
        patched = apply(unet, **options)
        assert relative(sample(compiled(patched)), sample(patched)) < 1e-4, options
    assert len(graphs) == 1


# --- refusals ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model_family, adapter_family, words", [("sdxl", "sd15", "SDXL.*SD1.5"), ("sd15", "sdxl", "SD1.5.*SDXL")]
)
def test_families_do_not_mix(model_family, adapter_family, words, vision):
    with pytest.raises(ModelMismatchError, match=words):
        ApplyConsistentID.execute(
            small_unet(model_family), consistentid_model(adapter_family), person(), 1.0, 1.0, 0.0, 1.0,
            clip_vision=vision, image=photo(),
        )  # fmt: skip


def test_an_adapter_of_other_widths_is_refused_layer_by_layer(unet, consistentid):
    adapters = dict(consistentid.adapters)
    adapters["3.to_k_lora.up.weight"] = torch.zeros(48, 128)
    consistentid_of_other_widths = type("Other", (), {**vars(consistentid), "adapters": adapters})
    with pytest.raises(
        ModelMismatchError, match=r"layer 3 \(input_blocks.2.1.transformer_blocks.0.attn2.to_k\)"
    ):
        fitting_layers(unet, consistentid_of_other_widths)


def test_without_a_photo_the_node_says_what_to_connect(unet, consistentid, vision):
    with pytest.raises(ValueError, match="connect image .* or face_parts"):
        ApplyConsistentID.execute(unet, consistentid, person(), 1.0, 1.0, 0.0, 1.0, vision)


def test_another_clip_vision_is_named(unet, consistentid):
    wrong = clip_vision()
    wrong.config = {"hidden_size": 1664, "num_hidden_layers": 48, "patch_size": 14}
    with pytest.raises(ModelMismatchError, match="1664.*48 layers.*1280"):
        ApplyConsistentID.execute(unet, consistentid, person(), 1.0, 1.0, 0.0, 1.0, wrong, image=photo())


# --- nothing twice ---------------------------------------------------------------------


def test_clip_sees_a_new_photo_once_and_the_zero_image_once(unet, consistentid):
    fresh = clip_vision()
    for seed in (1, 1, 2):
        ApplyConsistentID.execute(
            unet, consistentid, person(seed), 1.0, 1.0, 0.0, 1.0, fresh, image=photo(seed)
        )
    assert fresh.model.passes == [1, 1, 1]


def test_the_first_apply_moves_the_id_networks_off_their_device_once(unet, consistentid, monkeypatch):
    """The person and nobody go through them together."""
    networks = (consistentid.id_projection, consistentid.key_value_projection)
    left = []

    def spy(network):
        detach = network.patcher.detach

        def leave(unpatch_all=True):
            if unpatch_all:  # otherwise a clone takes over, and the weights stay
                left.append(network)
            return detach(unpatch_all)

        monkeypatch.setattr(network.patcher, "detach", leave)

    for network in networks:
        spy(network)
    fresh = clip_vision()
    ApplyConsistentID.execute(unet, consistentid, person(), 1.0, 1.0, 0.0, 1.0, fresh, image=photo())
    assert sorted(map(id, left)) == sorted(map(id, networks))


def test_the_id_networks_leave_their_device_even_after_an_error(monkeypatch):
    consistentid = consistentid_model("sd15")
    with pytest.raises(RuntimeError), consistentid.id_networks():
        consistentid.key_value_projection.loaded()
        raise RuntimeError
    assert consistentid.key_value_projection.patcher.loaded_size() == 0


def test_the_schema_fits_its_node():
    assert ApplyConsistentID.GET_SCHEMA().node_id == "ConsistentIDApply"
    assert issubclass(ApplyConsistentID, io.ComfyNode)
