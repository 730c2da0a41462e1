"""Workflows that judge their pictures: the best of many, and two settings tried against each other."""

from .blocks import GOOD_PHOTO, MODEL_FILES, apply, decode, empty_latent, encode, models, person, sample
from .graph import GREEN, ORANGE, PURPLE, TEAL, Group, Template, node

_MADE, _KEPT = 8, 2

BEST_OF = Template(
    "consistentid_best_of",
    "Best of eight",
    note=f"""## Make {_MADE}, keep the best {_KEPT}
1. **The person**: {GOOD_PHOTO}.
2. **Prompt**: write what the picture shows.
3. Press **Run**.

*Face Likeness* says how like the person each picture is, with what other photos of one person and of others \
usually score under it. *Likeness Gate* lets the best pass: by **count**, or with **keep** on *threshold* all that \
reach a score.

The recogniser of *ID Embedding* also conditions the pictures, so its scores flatter them. For a fairer judge add \
*Load Face Recogniser* with another network and connect it to *Face Likeness*.
{MODEL_FILES}""",
    groups=[
        [models()],
        [person()],
        [Group("Prompt", PURPLE, [[encode()]])],
        [
            Group(
                f"{_MADE} pictures",
                ORANGE,
                [[apply(), empty_latent(batch_size=_MADE), sample(), decode()]],
            )
        ],
        [
            Group(
                "How like the person",
                GREEN,
                [
                    [
                        node(
                            "likeness", "ConsistentIDLikeness", size=(400, 760), image="@decode.IMAGE",
                            photos="@photo.IMAGE",
                        ),
                        node(
                            "gate", "ConsistentIDLikenessGate", image="@likeness.image", scores="@likeness.scores",
                            keep="best", count=_KEPT,
                        ),
                    ]
                ],
            )
        ],
        [
            Group(
                f"The best {_KEPT}",
                TEAL,
                [
                    [
                        node("first", "ImageFromBatch", "The best", image="@gate.accepted", batch_index=0, length=1),
                        node(
                            "second", "ImageFromBatch", "The second", image="@gate.accepted", batch_index=1, length=1
                        ),
                        node(
                            "compare", "ImageCompare", size=(400, 460), image_a="@first.IMAGE", image_b="@second.IMAGE"
                        ),
                    ],
                    [node("save", "SaveImage", "The best", images="@gate.accepted", size=(400, 560),
                          filename_prefix="ConsistentID")],
                ],
            )
        ],
    ],
)  # fmt: skip

SWEEP = Template(
    "consistentid_sweep",
    "Sweep",
    note=f"""## merge_percent against weight, on one sheet
1. **The person**: {GOOD_PHOTO}.
2. **Prompt**: write what the picture shows.
3. Press **Run**: a picture is made for each pair of values, all from the same **seed**.

*Sweep* holds the values: **across** goes to **merge_percent** of *Encode Facial Prompt*, **down** to **weight** of \
*Apply ConsistentID*. Connect them to any other number to try that instead, and change the names in *Contact Sheet*. \
The number in a cell is its likeness; the best cell is green. Lower merge_percent and higher weight usually score \
higher and follow the prompt less, so look at the pictures too.
{MODEL_FILES}""",
    groups=[
        [
            models(),
            Group(
                "What is tried",
                TEAL,
                [[node("sweep", "ConsistentIDSweep", across="0.3, 0.5, 0.7", down="0.6, 0.8, 1")]],
            ),
        ],
        [person()],
        [Group("Prompt", PURPLE, [[encode(merge_percent="@sweep.across")]])],
        [
            Group(
                "A picture for each pair",
                ORANGE,
                [[apply(weight="@sweep.down"), empty_latent(), sample(), decode()]],
            )
        ],
        [
            Group(
                "The sheet",
                GREEN,
                [
                    [
                        node(
                            "likeness", "ConsistentIDLikeness", size=(400, 760), image="@decode.IMAGE",
                            photos="@photo.IMAGE",
                        )
                    ],
                    [
                        node(
                            "sheet", "ConsistentIDContactSheet", size=(560, 300), image="@decode.IMAGE",
                            across="@sweep.across", down="@sweep.down", scores="@likeness.scores",
                            across_name="merge_percent", down_name="weight",
                        ),
                        node("save", "SaveImage", "The sheet", images="@sheet.sheet", size=(560, 640),
                             filename_prefix="ConsistentID_sweep"),
                    ],
                ],
            )
        ],
    ],
)  # fmt: skip
