"""Workflows that start from a picture, or in which something besides the person has a say."""

from . import model_links
from .blocks import (
    GOOD_PHOTO,
    MODEL_FILES,
    apply,
    decode,
    embed,
    empty_latent,
    masked_latent,
    models,
    parse,
    person,
    photo,
    portrait,
    prompt,
    prompt_for_a_new_face,
    sample,
    sampling,
    save,
    where_the_face_goes,
)
from .graph import GREEN, ORANGE, TEAL, Group, Node, Template, node

#: About 512x768 in any shape.
_MEGAPIXELS = 0.4


def _scale(image: str) -> Node:
    return node(
        "scale", "ImageScaleToTotalPixels", "Scale to the model's size",
        image=image, upscale_method="lanczos", megapixels=_MEGAPIXELS, resolution_steps=8,
    )  # fmt: skip


IMG2IMG = Template(
    "consistentid_img2img",
    "Restyle a photo",
    note=f"""## A photo in another style
The sampler starts from the photo instead of noise: composition and colours stay, and so does the person.

1. **The person**: {GOOD_PHOTO}. To restyle another picture of the person, load it with a second *Load Image* and \
connect that to *Scale*.
2. **Prompt**: name the style.
3. Press **Run**.

| To get | change |
| --- | --- |
| more of the style | **denoise** up to 0.75 |
| more of the photo | **denoise** down to 0.5 |
| more likeness | **merge_percent** down to 0.4 |

With **denoise** 0.65 sampling begins at 35 %, so a **merge_percent** below 0.35 acts from the start.
{MODEL_FILES}""",
    groups=[
        [models()],
        [person()],
        [
            prompt(
                prompt="oil painting of a woman, thick brush strokes, impressionist portrait, warm light, canvas",
                negative_prompt="photo, lowres, bad anatomy, worst quality, low quality, blurry",
                merge_percent=0.5,
            )
        ],
        [
            Group(
                "Portrait",
                ORANGE,
                [
                    [
                        apply(),
                        _scale("@photo.IMAGE"),
                        node("latent", "VAEEncode", pixels="@scale.IMAGE", vae="@checkpoint.VAE"),
                        sample(denoise=0.65),
                    ],
                    [decode(), save()],
                ],
            )
        ],
    ],
)

INPAINT = Template(
    "consistentid_inpaint",
    "Put this face here",
    note=f"""## Put this face into a picture
Only the face of the picture is painted anew; all else stays as it is.

1. **The person**: {GOOD_PHOTO}.
2. **The picture**: choose the picture whose face is to be replaced. *Parse Face* finds it.
3. **Prompt**: describe the person in that picture. Press **Run**.

| To get | change |
| --- | --- |
| more likeness | **denoise** up to 0.9, **merge_percent** down to 0.3 |
| a better fit | **denoise** down to 0.6 |
| hair and neck too | **expand** of *Grow Mask* up |

To paint the place yourself: right-click *The picture*, **Open in Mask Editor**, and connect its MASK to *Grow \
Mask*; switch *Scale* off (**Ctrl+B**), because the mask has the size of the picture as it is.
{MODEL_FILES}""",
    groups=[
        [models()],
        [
            Group("The person", GREEN, [[photo(), embed()], [parse()]]),
        ],
        [
            Group(
                "The picture",
                TEAL,
                [
                    [photo("target", "The picture"), _scale("@target.IMAGE")],
                    where_the_face_goes("@scale.IMAGE"),
                ],
            )
        ],
        [prompt_for_a_new_face()],
        [
            Group(
                "Inpainting",
                ORANGE,
                [
                    [
                        apply(),
                        *masked_latent("@scale.IMAGE"),
                    ],
                    [
                        sample(model="@soft.MODEL", denoise=0.75),
                        decode(),
                        node(
                            "composite", "ImageCompositeMasked", "Keep all but the face",
                            destination="@scale.IMAGE", source="@decode.IMAGE", mask="@mask.MASK",
                        ),
                    ],
                    [save("@composite.IMAGE", "The picture with the face")],
                ],
            )
        ],
    ],
)  # fmt: skip

CONTROLNET = Template(
    "consistentid_controlnet",
    "Pose",
    note=f"""## The person in a given pose
A ControlNet sets the pose, ConsistentID the person. Any ControlNet works the same way.

1. **The person**: {GOOD_PHOTO}.
2. **The pose**: choose an OpenPose picture of the shape of your portrait.
3. **Prompt**: write what the picture shows. Press **Run**.

**strength** 0.35 to 0.6 leaves the face its freedom; the original demonstrates 0.5.
{MODEL_FILES}- **controlnet**: [control_v11p_sd15_openpose_fp16.safetensors]\
(https://huggingface.co/comfyanonymous/ControlNet-v1-1_fp16_safetensors)
""",
    groups=[
        [
            models(
                node(
                    "controlnet", "ControlNetLoader", "Load ControlNet (OpenPose)",
                    models=[model_links.CONTROLNET_POSE], control_net_name=model_links.CONTROLNET_POSE.name,
                )
            )
        ],
        [person()],
        [prompt()],
        [
            Group(
                "Pose",
                TEAL,
                [
                    [
                        photo("pose", "The pose", "pose.png"),
                        node(
                            "control", "ControlNetApplyAdvanced",
                            positive="@encode.positive", negative="@encode.negative",
                            control_net="@controlnet.CONTROL_NET", image="@pose.IMAGE", strength=0.5,
                        ),
                    ]
                ],
            )
        ],
        [
            sampling(
                apply(), empty_latent(), sample(positive="@control.positive", negative="@control.negative")
            )
        ],
    ],
)  # fmt: skip

STYLE_LORA = Template(
    "consistentid_style_lora",
    "Style LoRA",
    note=f"""## The person in the style of a LoRA
A LoRA for the style comes first, then the person. The LoRA of ConsistentID adds to it.

1. **The person**: {GOOD_PHOTO}.
2. **Load LoRA**: choose a style LoRA for SD1.5. Write its trigger words into the prompt.
3. Press **Run**.

| To get | change |
| --- | --- |
| more of the style | **start_percent** up to 0.3, **lora_weight** down to 0.6 |
| more likeness | **start_percent** 0, **merge_percent** down to 0.4 |

A base model made for the style helps more than a strong LoRA on a photographic one.
{MODEL_FILES}- **loras**: a style LoRA, here [ghibli_style_offset](https://civitai.com/models/6526)
""",
    groups=[
        [
            models(
                node(
                    "lora", "LoraLoader", "Load LoRA (style)", models=[model_links.STYLE_LORA],
                    model="@checkpoint.MODEL", clip="@checkpoint.CLIP",
                    lora_name=model_links.STYLE_LORA.name, strength_model=0.8, strength_clip=0.8,
                )
            )
        ],
        [person()],
        [
            prompt(
                prompt="ghibli style, portrait of a woman in a meadow, summer sky, clouds, best quality, detailed",
                negative_prompt="photo, 3d, lowres, bad anatomy, worst quality, low quality, blurry",
                clip="@lora.CLIP",
            )
        ],
        [portrait(model="@lora.MODEL", start_percent=0.2, lora_weight=0.8)],
    ],
)  # fmt: skip
