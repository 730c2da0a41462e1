"""ComfyUI's models as the training core calls them: captions, latents, SDXL, and what cannot be trained on."""

import pytest
import torch
from comfy.ldm.models.autoencoder import AutoencodingEngineLegacy
from consistentid_pack.consistentid_core.data.portrait import Portrait
from consistentid_pack.consistentid_core.errors import ModelMismatchError
from consistentid_pack.consistentid_core.networks.checkpoint import load_checkpoint
from consistentid_pack.consistentid_core.text.training_text import training_text
from consistentid_pack.consistentid_core.training.config import from_mapping
from consistentid_pack.consistentid_core.training.modules import new_modules
from consistentid_pack.consistentid_core.training.trainer import Trainer
from consistentid_pack.nodes.training.host_adapter import HostModels, trainable_copy
from golden_host import GoldenCLIP, clip_vision, small_unet
from golden_set import manifest
from golden_training import PooledVAE, host_models
from small_training import SmallPeople

GOLDEN = manifest("training_text")
PARTS = next(
    entry["chosen"] for name, entry in manifest("masks")["maps"].items() if f"'{name}'" in GOLDEN["note"]
)


pytestmark = pytest.mark.usefixtures("outside_inference_mode")


@pytest.fixture(scope="module")
def sd15():
    with torch.inference_mode(False):
        return host_models("sd15")


# --- texts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: str(case["id"]))
def test_captions_reach_the_encoder_as_in_the_original(case, sd15):
    sample = training_text(
        case["vqa_llva"], case["face_caption"], PARTS, count_tokens=sd15.count_tokens, dropped=case["dropped"]
    )
    found = sd15.encode_texts([sample.text])
    assert sample.text == case["text"]
    assert [token for token, _ in sd15._clip.encoded[-1]["l"][0]] == case["clean_input_ids"]
    assert found.indices[0].tolist() == case["facial_token_idx"]
    assert found.valid[0].tolist() == case["facial_token_idx_mask"]
    assert found.pooled is None


def test_brackets_in_a_caption_mean_nothing(sd15):
    sd15.encode_texts(["a (very:1.5) (((old))) face"])
    tokens = sd15._clip.encoded[-1]["l"][0]
    assert {weight for _, weight in tokens} == {1.0}
    assert sd15.count_tokens("a (very:1.5) face") > sd15.count_tokens("a very face")


def test_sdxl_keeps_the_end_of_a_cut_text_and_pools_it():
    sdxl = host_models("sdxl")
    found = sdxl.encode_texts(["word " * 75 + "face <|facial|> nose <|facial|>", "a face <|facial|>"])
    cut = sdxl._clip.encoded[-2]
    assert [chunks[0][-1][0] for chunks in cut.values()] == [49407, 49407]
    # "face" has the last row before the end token's; "nose" was cut off.
    assert found.valid.sum(1).tolist() == [0, 1]
    assert found.rows.shape == (2, 77, 2048)
    assert found.pooled.shape == (2, 1280)


# --- latents ----------------------------------------------------------------------------------------------


class SmallVAE:
    """The host's autoencoder with the fewest channels it allows."""

    def __init__(self):
        size = {
            "double_z": True, "z_channels": 4, "resolution": 64, "in_channels": 3, "out_ch": 3, "ch": 32,
            "ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0,
        }  # fmt: skip
        torch.manual_seed(0)
        self.first_stage_model = AutoencodingEngineLegacy(
            ddconfig=size, embed_dim=4,
            regularizer_config={"target": "comfy.ldm.models.autoencoder.DiagonalGaussianRegularizer"},
        )  # fmt: skip
        # The host's layers leave their weights as the memory was.
        for parameter in self.first_stage_model.parameters():
            torch.nn.init.normal_(parameter, std=0.05)

    def encode(self, image):
        return self.first_stage_model.encode(image.movedim(-1, 1) * 2 - 1)


def test_latents_have_the_middle_and_the_width_of_the_vaes_distribution():
    vae = SmallVAE()
    models = HostModels(small_unet("sd15"), vae, GoldenCLIP("sd15"), clip_vision())
    pixels = torch.rand(2, 3, 64, 64)
    mean, deviation = models.encode_pictures(pixels)
    middle = vae.encode(pixels.movedim(1, -1))  # what the host gives: the distribution's middle
    torch.testing.assert_close(mean, 0.18215 * middle)
    assert deviation.shape == mean.shape == (2, 4, 8, 8)
    moments = vae.first_stage_model.encoder(pixels * 2 - 1)
    logvar = vae.first_stage_model.quant_conv(moments).chunk(2, 1)[1]
    torch.testing.assert_close(deviation, 0.18215 * (0.5 * logvar).exp(), rtol=1e-3, atol=1e-5)


def test_a_vae_without_a_distribution_gives_its_latents(sd15):
    mean, deviation = sd15.encode_pictures(torch.rand(1, 3, 64, 64))
    assert mean.shape == (1, 4, 8, 8)
    assert not deviation.any()


# --- training ---------------------------------------------------------------------------------------------


class HostPeople:
    """:class:`SmallPeople` as the pack's own portraits, which were loaded under its name."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return Portrait(**vars(SmallPeople(4)[index]))


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_both_families_train_and_their_files_load(family, tmp_path):
    models = host_models(family)
    narrow = {"width": 64, "depth": 1, "heads": 1, "hidden_dim": 64}
    modules = new_modules(
        models.layers, models.base_weight, models.cross_attention_dim,
        seed=0, rank=2, facial_encoder=narrow, id_projection={"depth": 1, "heads": 1, "hidden_dim": 64},
    )  # fmt: skip
    config = from_mapping(
        {
            "resolution": 64, "steps": 3, "batch_size": 1, "precision": "fp32", "rank": 2, "ema_decay": 0,
            "gradient_checkpointing": True, "drop_probability": 0, "validate_every": 0, "validation_samples": 0,
            "learning_rate": 1e-3, "warmup_steps": 0,
        }
    )  # fmt: skip
    losses = []
    trainer = Trainer(
        config, models, HostPeople(), modules, folder=tmp_path, recomputed=models.recomputed,
        on_step=lambda step, values: losses.append(values),
    )  # fmt: skip
    with trainer:
        folder = trainer.run()
    assert all(torch.isfinite(torch.tensor([one["loss"], one["gradient_norm"]])).all() for one in losses)
    assert all(one["facial_words"] > 0 and one["localisation_loss"] != 0 for one in losses)
    assert [name for name, one in modules.named_parameters() if not one.grad.any()] == []
    checkpoint = load_checkpoint(folder / "consistentid.safetensors")
    assert checkpoint.family == family
    assert checkpoint.layer_count == len(models.layers)


# --- what cannot be trained on ----------------------------------------------------------------------------


def test_models_of_two_families_are_refused():
    with pytest.raises(ModelMismatchError, match="reads texts of width 768 .* that of SDXL"):
        HostModels(small_unet("sd15"), PooledVAE(), GoldenCLIP("sdxl"), clip_vision())


def test_a_model_without_a_file_is_refused():
    with pytest.raises(ModelMismatchError, match="has no file to be loaded from a second time"):
        trainable_copy(small_unet("sd15"))
