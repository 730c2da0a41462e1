"""Workflows that differ in who describes the face."""

from . import model_links
from .blocks import (
    GOOD_PHOTO,
    MODEL_FILES,
    models,
    person,
    portrait,
    prompt,
)
from .graph import GREY, PURPLE, Group, Node, Template, node


def _caption(*nodes: Node) -> Group:
    """Where the caption comes from, in one column."""
    return Group("Caption", PURPLE, [list(nodes)])


LLAVA_CAPTION = Template(
    "consistentid_llava_caption",
    "Caption by LLaVA",
    note=f"""## LLaVA describes the face
The words for face, ears, eyes, nose and mouth in the caption carry the parts of the face. Here LLaVA 1.5 writes \
it, as for the training of ConsistentID.

1. **The person**: {GOOD_PHOTO}.
2. **Load Face Captioner**: *auto* takes the folder in models/LLM with all files of \
[llava-hf/llava-1.5-7b-hf](https://huggingface.co/llava-hf/llava-1.5-7b-hf). Or choose **use hub_id** and switch on \
**allow_download** once (14 GB).
3. **Prompt**: write what the picture shows. Press **Run**.

Captions over 330 characters are shortened: the original would ignore the face.
{MODEL_FILES}""",
    groups=[
        [models()],
        [person()],
        [
            _caption(
                node("captioner", "ConsistentIDCaptionerLoader"),
                node(
                    "caption", "ConsistentIDFaceCaptioner",
                    mode="describe face", image="@photo.IMAGE", captioner="@captioner.captioner",
                ),
                node("shown", "PreviewAny", "What LLaVA says", source="@caption.caption", size=(0, 200)),
            )
        ],
        [prompt(caption="@caption.caption")],
        [portrait()],
    ],
)  # fmt: skip

_CAPTION = (
    "The person has an oval face with fair skin, small ears, bright blue eyes, a straight nose and a broad smiling "
    "mouth."
)
_QUESTION = (
    "Describe this person's face in one or two sentences of at most 50 words. Name the face, ears, eyes, nose and "
    "mouth. Start with: The person has"
)

ANY_CAPTION = Template(
    "consistentid_any_caption",
    "Any caption",
    note=f"""## A caption from any node
Whatever gives text can describe the face: a typed text, Florence-2, Qwen, your own node. Its words for face, \
ears, eyes, nose and mouth carry the parts of the face.

1. **The person**: {GOOD_PHOTO}.
2. **The face in words**: describe it, in at most 330 characters.
3. **Prompt**: write what the picture shows. Press **Run**.

To let a language model look at the photo: switch on the two muted nodes (**Ctrl+M**) and connect *Generate Text* \
to **caption** instead.
{MODEL_FILES}""",
    groups=[
        [models()],
        [person()],
        [
            _caption(node("text", "PrimitiveStringMultiline", "The face in words", value=_CAPTION, size=(380, 180))),
            Group(
                "Or by a language model (muted)",
                GREY,
                [
                    [
                        node(
                            "language_model", "CLIPLoader", "Load language model", is_muted=True,
                            models=[model_links.VISION_LANGUAGE_MODEL],
                            clip_name=model_links.VISION_LANGUAGE_MODEL.name,
                        ),
                        node(
                            "generate", "TextGenerate", is_muted=True, size=(380, 0),
                            clip="@language_model.CLIP", image="@photo.IMAGE", prompt=_QUESTION, max_length=128,
                        ),
                    ]
                ],
            ),
        ],
        [prompt(caption="@text.STRING")],
        [portrait()],
    ],
)  # fmt: skip
