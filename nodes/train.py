"""Train ConsistentID."""

from comfy_api.latest import io, ui

from ..consistentid_core.networks.checkpoint import load_checkpoint
from ..consistentid_core.training.config import PRESETS
from .host import folders
from .host.inputs import FileChoice
from .host.older import SHOWN_ON_CACHED_RUNS
from .models.consistentid import ConsistentIDModel
from .models.types import CATEGORY, ConsistentIDType
from .training.files import run_folder
from .training.node_config import AS_PRESET, file_behind, node_config
from .training.sets import find_set, list_sets, set_stamp

#: No file to start from.
NEW = "new weights"


class TrainConsistentID(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDTrain",
            display_name="Train ConsistentID",
            category=CATEGORY,
            description="Trains ConsistentID weights on a set of portraits, or trains given ones further. The file is "
            "then listed in Load ConsistentID Model. A run that is cancelled is saved and goes on when it is queued "
            "again.",
            search_aliases=["training", "fine-tune", "finetune", "train lora", "face id training"],
            is_output_node=True,
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="The SD1.5 or SDXL model to train on, from Load Checkpoint. It stays as it is: a copy is "
                    "loaded from its file.",
                ),
                io.Vae.Input("vae", tooltip="The VAE of the checkpoint."),
                io.Clip.Input("clip", tooltip="The text encoder of the checkpoint."),
                io.ClipVision.Input("clip_vision", tooltip="CLIP ViT-H/14, from Load CLIP Vision."),
                FileChoice(
                    "dataset",
                    options=list_sets(),
                    tooltip="A set of portraits that was built, in ComfyUI's folder datasets. docs/data.md says how to "
                    "build one from photos. The example is built from three photos when it is first used.",
                ),
                io.String.Input(
                    "output_name",
                    default="my_consistentid",
                    tooltip="The name of the file in models/consistentid, and of the run's folder in "
                    "output/consistentid_training. The same name goes on with the same run.",
                ),
                FileChoice(
                    "start_from",
                    options=[NEW, *folders.list_weights(folders.CONSISTENTID)],
                    default=NEW,
                    tooltip="new weights: begin anew. Or a file in models/consistentid: a ConsistentID file to train "
                    "further, or an IP-Adapter FaceID-Plus file to begin from.",
                ),
                io.Combo.Input(
                    "preset",
                    options=list(PRESETS),
                    tooltip="recommended: what has proved itself in training. original: what the released trainer "
                    "does.",
                ),
                io.Int.Input(
                    "steps",
                    default=2000,
                    min=2,
                    max=10_000_000,
                    tooltip="In all. A larger number later on continues the run.",
                ),
                io.Float.Input(
                    "learning_rate",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=1e-6,
                    tooltip="0 chooses: 1e-4 for new weights, 1e-5 for a ConsistentID file.",
                ),
                io.Int.Input(
                    "batch_size",
                    default=1,
                    min=1,
                    max=1024,
                    tooltip="Portraits that are computed at once. More take more memory.",
                ),
                io.Int.Input(
                    "accumulation",
                    default=4,
                    min=1,
                    max=1024,
                    tooltip="Batches per step, one after another. batch_size times accumulation is what a step sees; "
                    "the paper has 16.",
                ),
                io.Int.Input(
                    "resolution",
                    default=512,
                    min=64,
                    max=2048,
                    step=64,
                    tooltip="Side of the square that portraits are cut to: 512 for SD1.5, 1024 for SDXL.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFF_FFFF,
                    # A new seed would make the next run another one, which cannot go on with this one.
                    control_after_generate=False,
                    tooltip="Of everything that is drawn. The same seed on the same machine gives the same weights.",
                ),
                io.Combo.Input(
                    "localisation",
                    options=[AS_PRESET, "paper", "original_code", "off"],
                    tooltip="Which attention learns to look at the parts of the face. paper: that of the words. "
                    "original_code: as the released code. off: none.",
                ),
                io.Combo.Input(
                    "precision",
                    options=["bf16", "fp16", "fp32"],
                    tooltip="In which the UNet computes; the trained weights are always 32-bit. fp16 for cards before "
                    "Ampere, fp32 for the CPU.",
                ),
                io.Boolean.Input(
                    "gradient_checkpointing",
                    default=True,
                    tooltip="Less memory, a third more time, the same result.",
                ),
                io.Int.Input(
                    "save_every",
                    default=500,
                    min=0,
                    max=1_000_000,
                    advanced=True,
                    tooltip="Steps between saved states. 0: at the end and on Cancel only.",
                ),
                io.Int.Input(
                    "sample_every",
                    default=250,
                    min=0,
                    max=1_000_000,
                    advanced=True,
                    tooltip="Steps between sample pictures of held-out portraits. 0: one at the end.",
                ),
                io.Int.Input(
                    "validate_every",
                    default=250,
                    min=0,
                    max=1_000_000,
                    advanced=True,
                    tooltip="Steps between measurements on held-out portraits; 0 for none. They are in validation.csv.",
                ),
                io.String.Input(
                    "dataset_path",
                    default="",
                    advanced=True,
                    tooltip="A set in another folder of this machine; it takes the place of the one chosen above.",
                ),
                io.String.Input(
                    "settings",
                    multiline=True,
                    default="",
                    advanced=True,
                    tooltip="Any other setting of docs/training.md, one per line, like rank: 64 or ema_decay: 0. They "
                    "win over the widgets.",
                ),
            ],
            outputs=[
                ConsistentIDType.Output("consistentid", tooltip="The trained weights, for the other nodes."),
                io.String.Output("file", tooltip="The name of the file in models/consistentid."),
                io.Custom("LOSS_MAP").Output("loss", tooltip="The loss of every step, for Plot Loss Graph."),
                io.Int.Output("steps", tooltip="How many steps the weights were trained."),
                io.Image.Output(
                    "images",
                    tooltip="Sample pictures: those of the first step, then those of the last.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, dataset: str, start_from: str, dataset_path: str = "", **_):
        start = None if start_from == NEW else folders.file_stamp(start_from, folders.CONSISTENTID)
        return set_stamp(dataset, dataset_path), start

    @classmethod
    def execute(
        cls,
        model,
        vae,
        clip,
        clip_vision,
        dataset: str,
        output_name: str,
        start_from: str,
        settings: str = "",
        dataset_path: str = "",
        **widgets,
    ) -> io.NodeOutput:
        # What only training needs is not loaded with the pack.
        from ..consistentid_core.data.reading import open_portraits
        from .training.node_run import train_in_node

        start = "" if start_from == NEW else folders.find_weights(start_from, folders.CONSISTENTID)
        output = run_folder(output_name)
        data = find_set(dataset, dataset_path)
        config = node_config(
            settings, checkpoint=file_behind(model), data=str(data), output=str(output), start_from=start, **widgets
        )  # fmt: skip
        run = train_in_node(model, vae, clip, clip_vision, config, open_portraits(data), name=output_name)
        path = folders.find_weights(run.file, folders.CONSISTENTID)
        return io.NodeOutput(
            ConsistentIDModel(load_checkpoint(path, mapped=folders.maps_files())),
            run.file,
            {"loss": run.losses},
            run.steps,
            run.pictures,
            ui=ui.PreviewImage(run.pictures),
        )


NODES = [TrainConsistentID]
