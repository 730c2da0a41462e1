"""Train ConsistentID on a checkpoint from the disk, loaded as on a server: in inference mode by the host's loader."""

import csv
import gc
import weakref
from pathlib import Path

import comfy.model_management
import comfy.sd
import comfy.utils
import folder_paths
import numpy as np
import pytest
import torch
from comfy_extras.nodes_train import LossGraphNode
from consistentid_pack.consistentid_core.data.reading import open_portraits
from consistentid_pack.consistentid_core.errors import MissingModelError, ModelMismatchError
from consistentid_pack.consistentid_core.identity.id_embedding import IDEmbedding
from consistentid_pack.consistentid_core.networks.checkpoint import load_checkpoint
from consistentid_pack.consistentid_core.training.config import ConfigError, from_mapping
from consistentid_pack.consistentid_core.training.memory import TooLittleMemoryError
from consistentid_pack.consistentid_core.training.modules import new_modules
from consistentid_pack.consistentid_core.training.state import AVERAGE, WEIGHTS, read_groups, write_groups
from consistentid_pack.consistentid_core.training.trainer import TrainingStoppedError, split
from consistentid_pack.nodes.apply import ApplyConsistentID
from consistentid_pack.nodes.encode import EncodeFacialPrompt
from consistentid_pack.nodes.face_parser import NO_PARTS, FacePartsFromMap
from consistentid_pack.nodes.host import folders
from consistentid_pack.nodes.model import LoadConsistentIDModel
from consistentid_pack.nodes.train import NEW, TrainConsistentID
from consistentid_pack.nodes.training import node_run, sets
from consistentid_pack.nodes.training.draw import NEGATIVE_PROMPT, HostDrawing
from consistentid_pack.nodes.training.files import publish, run_folder
from consistentid_pack.nodes.training.host_adapter import HostModels, trainable_copy
from golden_host import GoldenCLIP, clip_vision, small_unet
from golden_training import host_models
from PIL import Image
from portrait_data import store_portraits, write_networks

from nodes import VAEDecode, common_ksampler
from tools.model_files import resolve
from tools.standins import catalogue

#: Small networks of the trained kind; the UNet is a narrow one.
NARROW = {"width": 64, "depth": 1, "heads": 1, "hidden_dim": 64}

SETTINGS = """
learning_rate: 0.01
warmup_steps: 0
ema_decay: 0.9
drop_probability: 0
sample_count: 1
sample_steps: 2
sample_prompts: [a portrait of a person]
"""

#: What the node is set to unless a test says otherwise.
WIDGETS = {
    "dataset": "faces", "output_name": "trained", "start_from": "start.safetensors", "preset": "recommended",
    "steps": 4, "learning_rate": 0.0, "batch_size": 1, "accumulation": 1, "resolution": 64, "seed": 0,
    "localisation": "paper", "precision": "fp32", "gradient_checkpointing": True, "save_every": 0,
    "sample_every": 0, "validate_every": 0, "settings": SETTINGS,
}  # fmt: skip


def load(key):
    """MODEL, CLIP and VAE of a stand-in, as Load Checkpoint gives them."""
    file = resolve({key: {"sd15": catalogue.NARROW, "sdxl": catalogue.SDXL}[key][catalogue.CHECKPOINT]}, [])[
        key
    ]
    with torch.inference_mode():
        return comfy.sd.load_checkpoint_guess_config(
            str(file.folder / file.name), output_vae=key == "sd15", output_clip=key == "sd15"
        )[:3]


@pytest.fixture(scope="module")
def sd15():
    return load("sd15")


@pytest.fixture(scope="module")
def vision():
    return clip_vision()


@pytest.fixture(scope="module")
def start(sd15, vision, tmp_path_factory):
    """A ConsistentID file for the narrow UNet."""
    model, clip, vae = sd15
    with torch.inference_mode(False):
        frozen = HostModels(trainable_copy(model), vae, clip, vision)
        modules = new_modules(
            frozen.layers, frozen.base_weight, frozen.cross_attention_dim,
            seed=0, rank=2, facial_encoder=NARROW, id_projection={"depth": 1, "heads": 1, "hidden_dim": 64},
        )  # fmt: skip
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    write_groups(path, modules.groups(), "sd15", {})
    return path


@pytest.fixture
def place(empty_folders, start, monkeypatch):
    """ComfyUI's folders with the file to start from and a set of eight people."""
    models = empty_folders / "models" / "consistentid"
    models.mkdir(parents=True)
    (models / "start.safetensors").write_bytes(start.read_bytes())
    folder_paths.folder_names_and_paths["datasets"] = ([str(empty_folders / "datasets")], set())
    store_portraits(empty_folders / "datasets" / "faces", 8)
    return empty_folders


@pytest.fixture
def run(place, sd15, vision):
    """Runs the node; sockets and widgets may be given."""
    model, clip, vae = sd15

    def run(**changes):
        sockets = {"model": model, "vae": vae, "clip": clip, "clip_vision": vision}
        return TrainConsistentID.execute(**{**sockets, **WIDGETS, **changes}).args

    return run


def weights(path):
    return {
        f"{group}.{key}": one for group, tensors in read_groups(path).items() for key, one in tensors.items()
    }


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(tensor, other[key]) for key, tensor in one.items())


# --- a run ------------------------------------------------------------------------------------------------


def test_it_trains_and_the_file_loads(run, place, sd15, monkeypatch):
    copies = []
    monkeypatch.setattr(
        node_run, "trainable_copy", lambda *given: copies.append(trainable_copy(*given)) or copies[-1]
    )
    before = {key: one.clone() for key, one in sd15[0].model.state_dict().items()}
    consistentid, file, loss, steps, images = run()

    assert (file, steps) == ("trained.safetensors", 4)
    assert {"trained.safetensors", "trained_ema.safetensors"} <= set(
        folders.list_weights(folders.CONSISTENTID)
    )
    models = place / "models" / "consistentid"
    changed, started = weights(models / file), weights(models / "start.safetensors")
    assert [key for key, one in changed.items() if torch.equal(one, started[key])] == []
    assert consistentid.family == LoadConsistentIDModel.execute(file).args[0].family == "sd15"

    # Four steps with the file's rate: the last are better than the first.
    assert len(loss["loss"]) == 4 and all(np.isfinite(loss["loss"]))
    shown = LossGraphNode.execute(loss, "loss").ui.as_dict()["images"]
    assert (place / "temp" / shown[0]["subfolder"] / shown[0]["filename"]).is_file()
    assert images.shape == (1, 64, 64, 3)

    # Nothing of the run is left: neither in the given model nor in memory.
    assert same(before, dict(sd15[0].model.state_dict()))
    copy = weakref.ref(copies.pop().model)
    gc.collect()
    assert copy() is None


def test_the_loss_falls_on_one_portrait(run, place):
    text = SETTINGS + "validation_samples: 0\nbackground_probability: 0\nlog_every: 1\n"
    store_portraits(place / "datasets" / "one", 1)
    run(dataset="one", steps=12, settings=text, batch_size=2)
    with (place / "output" / "consistentid_training" / "trained" / "steps.csv").open() as file:
        losses = [float(one["noise_loss"]) for one in csv.DictReader(file)]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])


def test_pictures_are_those_of_the_nodes(run, place, sd15, vision):
    """Bit for bit: what the run drew at its last step, and what a graph draws from the file."""
    model, clip, vae = sd15
    _, file, _, _, images = run(sample_every=2)
    folder = place / "output" / "consistentid_training" / "trained"
    drawn = sorted((folder / "pictures").glob("step-*/sample-*.png"))
    assert [path.parent.name for path in drawn] == ["step-00000000", "step-00000002", "step-00000004"]
    assert images.shape == (2, 64, 64, 3)

    _, held_out = split(open_portraits(place / "datasets" / "faces"), 8)
    portrait, config = held_out[0], from_mapping({"sample_steps": 2, "resolution": 64})
    (consistentid,) = LoadConsistentIDModel.execute(file).args
    parts = FacePartsFromMap.execute(
        torch.from_numpy(portrait.picture)[None] / 255,
        label_map=torch.from_numpy(portrait.label_map)[None] / 255, no_face=NO_PARTS,
    ).args[0]  # fmt: skip
    positive, negative = EncodeFacialPrompt.execute(
        clip, consistentid, parts, "a portrait of a person", NEGATIVE_PROMPT, portrait.face_caption, "original", 0.6,
        vision,
    ).args  # fmt: skip
    vector = IDEmbedding(torch.from_numpy(portrait.id_vector)[None])
    patched = ApplyConsistentID.execute(
        model, consistentid, vector, 1.0, 1.0, 0.0, 1.0, vision, face_parts=parts
    ).args[0]
    pictures = {}
    for seed in (node_run.seeded(0, "picture 0 0"), 7):
        latent = {"samples": torch.zeros(1, 4, 8, 8)}
        (latents,) = common_ksampler(
            patched, seed, config.sample_steps, 5.0, "euler", "normal", positive, negative, latent
        )
        pictures[seed] = VAEDecode().decode(vae, latents)[0][0]
    own = HostDrawing(model, vae, clip, vision, config)(
        read_groups(place / "models" / "consistentid" / file), portrait, "a portrait of a person",
        seed=7, steps=2, size=64,
    )  # fmt: skip
    assert torch.equal(own, pictures[7])
    as_drawn = torch.from_numpy(np.asarray(Image.open(drawn[-1])))
    assert torch.equal((pictures[node_run.seeded(0, "picture 0 0")] * 255).round().byte(), as_drawn)


def test_average_and_best_weights_are_listed_beside_the_newest(place):
    written = {}
    for folder, stem in (("step-00000004", WEIGHTS), ("step-00000004", AVERAGE), ("best-00000002", WEIGHTS)):
        path = place / "states" / folder / f"{stem}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written.setdefault((folder, stem), f"{folder} {stem}".encode()))
    shared = place / "shared by programs"  # of extra_model_paths.yaml, which comes first
    folder_paths.folder_names_and_paths["consistentid"][0].insert(0, str(shared))
    assert publish("name", place / "states" / "step-00000004") == "name.safetensors"
    models = place / "models" / "consistentid"
    assert [(models / f"name{kind}.safetensors").read_bytes() for kind in ("", "_ema", "_best")] == [
        *written.values()
    ]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    "name", ["con", "NUL", "aux.v2", "com1", "lpt9.a", "anna.", "人" * 90, "a\ud800", ".hidden"]
)
def test_a_name_that_some_systems_refuse_or_cut_is_refused_everywhere(name):
    with pytest.raises(ValueError, match="cannot be used as output_name"):
        run_folder(name)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("name", ["Anna v1.2", "console", "común", " padded "])
def test_other_names_can_be_used(name):
    assert run_folder(name).name == name.strip()


def test_a_file_that_would_hide_the_run_s_own_is_named(place):
    """Of two files of one name the loader takes that of the folder it looks into first."""
    shared = place / "shared by programs"  # of extra_model_paths.yaml
    shared.mkdir()
    folder_paths.folder_names_and_paths["consistentid"][0].insert(0, str(shared))
    assert run_folder("mine").name == "mine"
    (place / "output" / "consistentid_training" / "mine" / "states" / "step-00000001").mkdir(parents=True)
    (shared / "mine_ema.safetensors").write_bytes(b"another's")
    with pytest.raises(ValueError, match="mine_ema.safetensors' is there already and no run"):
        run_folder("mine")


@pytest.mark.parametrize("taken", ["mine.safetensors", "mine.bin", "mine_ema.safetensors", "mine_best.bin"])
def test_no_file_of_somebody_else_is_replaced(place, taken):
    (place / "models" / "consistentid" / taken).write_bytes(b"another's")
    with pytest.raises(ValueError, match="is there already and no run"):
        run_folder("mine")


# --- cancelled, and queued again --------------------------------------------------------------------------


@pytest.fixture
def cancel_at():
    """Presses Cancel when the progress bar of the node reaches a step."""

    def cancel_at(step):
        comfy.utils.set_progress_bar_global_hook(
            lambda value, total, preview, **_: value == step and total == 4 and
            comfy.model_management.interrupt_current_processing()
        )  # fmt: skip

    yield cancel_at
    comfy.utils.set_progress_bar_global_hook(None)
    comfy.model_management.interrupt_current_processing(False)


def test_a_cancelled_run_goes_on_bit_for_bit(run, place, cancel_at):
    models = place / "models" / "consistentid"
    _, whole, whole_loss, _, _ = run(output_name="whole")
    cancel_at(2)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run()
    assert not comfy.model_management.processing_interrupted()  # as after every cancelled node
    states = place / "output" / "consistentid_training" / "trained" / "states"
    assert [folder.name for folder in states.iterdir()] == ["step-00000002"]
    assert load_checkpoint(models / "trained.safetensors").family == "sd15"

    comfy.utils.set_progress_bar_global_hook(None)
    _, file, loss, steps, _ = run()
    assert steps == 4 and loss == whole_loss
    for suffix in ("", "_ema"):
        assert same(
            weights(models / f"trained{suffix}.safetensors"), weights(models / f"whole{suffix}.safetensors")
        )


def test_cancel_in_the_middle_of_a_step_loses_nothing(run, place, cancel_at):
    """The host asks for it in every layer; the step is finished and saved."""
    cancel_at(-1)
    comfy.model_management.interrupt_current_processing()
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(sample_every=1)
    states = place / "output" / "consistentid_training" / "trained" / "states"
    assert [folder.name for folder in states.iterdir()] == ["step-00000001"]


def test_a_name_goes_on_with_its_run_and_with_no_other(run):
    _, _, loss, steps, _ = run(steps=2)
    assert run(steps=2)[2:4] == (loss, steps)
    assert run(steps=3)[3] == 3
    with pytest.raises(TrainingStoppedError, match="seed was 0 and is 1"):
        run(steps=3, seed=1)


# --- what cannot be used ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"output_name": "../x"}, ValueError, "cannot be used as output_name"),
        ({"output_name": ""}, ValueError, "cannot be used as output_name"),
        ({"output_name": "start"}, ValueError, "is there already and no run"),
        ({"dataset": "gone"}, MissingModelError, "The training set 'gone' is not there"),
        ({"dataset_path": "/no/such/place"}, MissingModelError, "holds no training data"),
        ({"start_from": "gone.safetensors"}, MissingModelError, "Model file 'gone.safetensors' not found"),
        ({"settings": "a: ["}, ConfigError, "The text in 'settings' is no YAML"),
        ({"settings": "rank"}, ConfigError, "The text in 'settings' is no list of settings"),
        ({"settings": "output: x"}, ConfigError, "sets output, which names a file or folder"),
        ({"settings": "preset: original"}, ConfigError, "sets preset, which is an input of the node"),
        ({"settings": "cache: /tmp/elsewhere"}, ConfigError, "sets cache, which names a file or folder"),
        ({"settings": "sample_every: .inf"}, ConfigError, "'sample_every' is inf"),
        ({"dataset": "../outside"}, MissingModelError, "The training set '../outside' is not there"),
        ({"settings": "colour: red"}, ConfigError, "unknown settings: colour"),
        ({"settings": "rank: 0"}, ConfigError, "'rank' is 0"),
        ({"resolution": 100}, ConfigError, "'resolution' is 100"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(run, place, changes, error, message):
    store_portraits(place / "outside", 1)  # beside the folder of the sets
    with pytest.raises(error, match=message):
        run(**changes)


def test_models_that_do_not_belong_together_are_named(run, vision):
    with pytest.raises(ModelMismatchError, match="the text encoder is that of SDXL"):
        run(clip=GoldenCLIP("sdxl"))
    with pytest.raises(ModelMismatchError, match="has no file to be loaded from a second time"):
        run(model=small_unet("sd15"))
    vision = type(vision)(**{**vars(vision), "config": {**vision.config, "hidden_size": 1664}})
    with pytest.raises(ModelMismatchError, match="has hidden size 1664"):
        run(clip_vision=vision)


def test_an_empty_set_is_named(run, place):
    (place / "datasets" / "empty" / "FGID_JSON").mkdir(parents=True)
    with pytest.raises(TrainingStoppedError, match="holds no sample that can be trained on"):
        run(dataset="empty")


@pytest.mark.parametrize(
    "error", [comfy.model_management.OOM_EXCEPTION("CUDA out of memory"), RuntimeError("not enough memory: 1 TB")]
)  # fmt: skip
def test_a_full_memory_says_what_to_change(run, monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(node_run, "train", fail)
    with pytest.raises(
        TooLittleMemoryError, match="switch gradient_checkpointing on, or set batch_size to 1 and"
    ):
        run(gradient_checkpointing=False, batch_size=2)
    monkeypatch.undo()


def test_the_weights_are_whole_where_they_cannot_be_copied(run, place, monkeypatch):
    def fail(*arguments):
        raise PermissionError("it is in use")

    monkeypatch.setattr("consistentid_pack.nodes.training.files.copy_whole", fail)
    with pytest.raises(Exception, match="could not be copied .* They are whole in") as raised:
        run(steps=2)
    assert "step-00000002" in str(raised.value)


# --- sets -------------------------------------------------------------------------------------------------


def test_sets_are_listed_by_their_paths(place):
    store_portraits(place / "datasets" / "more" / "of them", 1)
    (place / "datasets" / "photos").mkdir()
    assert sets.list_sets() == ["faces", "more/of them", sets.EXAMPLE]
    assert len(open_portraits(sets.find_set("more/of them"))) == 1
    assert sets.find_set("faces", str(place / "elsewhere")) == Path(place / "elsewhere")
    before = sets.set_stamp("more/of them")
    store_portraits(place / "datasets" / "more" / "of them", 2)
    assert sets.set_stamp("more/of them") != before


def test_the_example_is_built_when_it_is_first_used(place, monkeypatch, tmp_path):
    with pytest.raises(MissingModelError, match="BiSeNet face parser"):
        sets.find_set(sets.EXAMPLE)
    written = write_networks(tmp_path / "networks")
    parser = place / "models" / "consistentid" / "face_parsing.safetensors"
    parser.write_bytes(Path(written.face_parser).read_bytes())
    monkeypatch.setitem(
        folder_paths.folder_names_and_paths, "insightface", (list(written.insightface), set())
    )
    folder = sets.find_set(sets.EXAMPLE)
    portraits = open_portraits(folder)
    assert len(portraits) == 3
    assert all("face" in portraits[number].face_caption for number in range(3))
    assert sets.find_set(sets.EXAMPLE) == folder
    assert sets.list_sets() == ["faces", sets.EXAMPLE]


# --- the copy to train on ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_checkpoint_is_loaded_anew_to_be_trained_on(family, sd15, vision):
    """The given model's weights came to be in inference mode; the copy's can take part in a backward pass."""
    model = sd15[0] if family == "sd15" else load("sdxl")[0]
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_q.weight"
    patched = model.clone()
    patched.add_patches({key: ("diff", (torch.ones_like(model.model.state_dict()[key]),))})
    given = model.model.state_dict()[key].clone()
    assert given.is_inference()
    with torch.inference_mode(False), torch.enable_grad():
        copy = trainable_copy(patched, torch.float32)
        golden = host_models(family)
        frozen = HostModels(copy, golden._vae, golden._clip, vision)
        weight = frozen.unet_module.get_parameter(key.removeprefix("diffusion_model."))
        assert not any(one.is_inference() for one in frozen.unet_module.parameters())
        torch.testing.assert_close(weight, given.float() + 1, rtol=0, atol=1e-3)

        noisy = torch.zeros(1, 4, 8, 8).requires_grad_()
        text = frozen.encode_texts(["a face"])
        frozen.unet(
            noisy, torch.tensor([500]), text.rows, text.pooled, torch.full((1, 6), 64.0)
        ).sum().backward()
        assert noisy.grad.isfinite().all() and noisy.grad.any()

        # The host moves it in inference mode when a picture is drawn; training goes on all the same.
        with torch.inference_mode():
            node_run.unload(copy)
            frozen.unet_module.to(torch.float64).to(torch.float32)
        assert any(one.is_inference() for one in frozen.unet_module.parameters())
        frozen.unet(
            noisy, torch.tensor([500]), text.rows, text.pooled, torch.full((1, 6), 64.0)
        ).sum().backward()
        node_run.unload(copy)
    assert torch.equal(model.model.state_dict()[key], given)


@pytest.mark.usefixtures("place")
def test_a_new_node_begins_anew_and_keeps_its_seed():
    inputs = {one.id: one for one in TrainConsistentID.define_schema().inputs}
    assert inputs["start_from"].default == inputs["start_from"].options[0] == NEW
    # Another seed would be another run, which cannot go on with this one.
    assert inputs["seed"].control_after_generate is False
