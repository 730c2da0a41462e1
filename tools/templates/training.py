"""The workflow that trains."""

from .blocks import checkpoint, clip_vision
from .graph import BLUE, GREEN, ORANGE, Group, Template, node

TRAIN = Template(
    "consistentid_train",
    "Train",
    note="""## Train your own weights
From a set of portraits to a file that *Load ConsistentID Model* lists. Hours on a graphics card; the example is for \
a first try.

1. **dataset**: a set in ComfyUI's folder **datasets**. docs/data.md of this pack says how photos become one. The \
example is built from three photos when it is first used; that needs the face parser and InsightFace.
2. **output_name**: the name of the file.
3. **steps**: 100 shows that all is well; 2000 and more portraits begin to show in pictures.
4. Press **Run**.

| To | change |
| --- | --- |
| train given weights further | **start_from** |
| save memory | **ema_decay: 0** in **settings** |
| train SDXL | an SDXL checkpoint, **resolution** 1024 |

**Cancel** saves everything; **Run** goes on from there. A larger **steps** continues a finished run.

*Plot Loss Graph* shows a loss that jumps with the time steps drawn: only its trend counts. The run's folder in \
output/consistentid_training has the measurements on held-out portraits and a page of all sample pictures.

### Model files
ComfyUI lists what is missing. Their folders below **models**:
- **checkpoints**: a photographic SD1.5 model
- **clip_vision**: [CLIP ViT-H/14](https://huggingface.co/h94/IP-Adapter/tree/main/models/image_encoder) (2.5 GB), \
any file name

Only to build the example:
- **consistentid**: face_parsing.pth from [JackAILab/ConsistentID](https://huggingface.co/JackAILab/ConsistentID)
- **insightface/models/buffalo_l**: det_10g.onnx and w600k_r50.onnx of InsightFace's buffalo_l, *for non-commercial \
research only*
""",
    groups=[
        [Group("Models", BLUE, [[checkpoint(), clip_vision()]])],
        [
            Group(
                "Training",
                GREEN,
                [
                    [
                        node(
                            "train", "ConsistentIDTrain", size=(360, 0),
                            model="@checkpoint.MODEL", vae="@checkpoint.VAE", clip="@checkpoint.CLIP",
                            clip_vision="@clip_vision.CLIP_VISION", steps=100, settings="warmup_steps: 10",
                        )
                    ]
                ],
            )
        ],
        [
            Group(
                "What came of it",
                ORANGE,
                [
                    [
                        node("graph", "LossGraphNode", loss="@train.loss", size=(400, 300)),
                        node(
                            "samples", "SaveImage", "Sample pictures", images="@train.images",
                            filename_prefix="ConsistentID_training", size=(400, 400),
                        ),
                    ]
                ],
            )
        ],
    ],
)  # fmt: skip
