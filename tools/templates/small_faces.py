"""Workflows that cut a face out of a picture, make it anew at a size the model can draw, and paste it back."""

from .blocks import (
    GOOD_PHOTO,
    MODEL_FILES,
    apply,
    decode,
    embed,
    empty_latent,
    encode,
    masked_latent,
    models,
    parse,
    person,
    photo,
    prompt_for_a_new_face,
    sample,
    save,
    where_the_face_goes,
)
from .graph import GREEN, ORANGE, PURPLE, TEAL, Group, Node, Template, node

_CROP = "crop"


def _crop(image: str, key: str = _CROP, title: str | None = None, **values: object) -> Node:
    return node(key, "ConsistentIDCropFace", title, image=image, size=(320, 0), **values)


def _pasted(picture: str, face: str, key: str = _CROP) -> list[Node]:
    """Scales a cut-out to its place and lays it there; the last node is called ``pasted``."""
    return [
        node(
            "scaled", "ImageScale", "Scale to its place",
            image=face, upscale_method="lanczos", width=f"@{key}.width", height=f"@{key}.height", crop="disabled",
        ),
        node(
            "pasted", "ImageCompositeMasked", "Paste the face back",
            destination=picture, source="@scaled.IMAGE", x=f"@{key}.x", y=f"@{key}.y", mask=f"@{key}.mask",
        ),
    ]  # fmt: skip


PASTE_BACK = Template(
    "consistentid_paste_back",
    "Face in a group",
    note=f"""## Put this face into a group picture
One face of the picture is cut out, painted anew as this person, and pasted back without a seam. All else stays as it \
is.

1. **The person**: {GOOD_PHOTO}. A small face is cut out by itself.
2. **The picture**: choose it, press **Run** once, and click the face that is to be replaced in *Crop Face: which one*.
3. **Prompt**: describe the person in that picture. Press **Run**.

| To get | change |
| --- | --- |
| more likeness | **denoise** up to 0.9, **merge_percent** down to 0.3 |
| a better fit | **denoise** down to 0.6 |
| hair and neck too | **expand** of *Grow Mask* up |
{MODEL_FILES}""",
    groups=[
        [models()],
        [
            Group(
                "The person",
                GREEN,
                [
                    [
                        photo(),
                        _crop("@photo.IMAGE", "person_crop", "Crop Face: if it is small", below_share=0.2),
                    ],
                    [parse(image="@person_crop.image"), embed(image="@person_crop.image")],
                ],
            )
        ],
        [
            Group(
                "The picture",
                TEAL,
                [
                    [
                        photo("target", "The picture"),
                        _crop("@target.IMAGE", title="Crop Face: which one", order="left_to_right"),
                    ],
                    where_the_face_goes("@crop.image"),
                ],
            )
        ],
        [prompt_for_a_new_face()],
        [
            Group(
                "The face anew",
                ORANGE,
                [
                    [
                        apply(),
                        *masked_latent("@crop.image"),
                        sample(model="@soft.MODEL", denoise=0.75),
                    ],
                    [decode(), *_pasted("@target.IMAGE", "@decode.IMAGE")],
                    [save("@pasted.IMAGE", "The picture with the face")],
                ],
            )
        ],
    ],
)


SECOND_PASS = Template(
    "consistentid_second_pass",
    "Small faces",
    note=f"""## A second pass over the face
In a full-length picture a face has few pixels, too few for any model. Here it is cut out, made once more at 512 \
pixels with the same person, and pasted back without a seam.

1. **The person**: {GOOD_PHOTO}.
2. **Prompt: the picture** says what it shows, **Prompt: the face** what its face shows.
3. Press **Run**.

| To get | change |
| --- | --- |
| more likeness | **denoise** of the second pass up to 0.6 |
| a face nearer to the first | **denoise** down to 0.3 |
| another face of several | click it in *Crop Face* |
| your own picture improved | connect a *Load Image* in place of *VAE Decode: first pass* |
{MODEL_FILES}""",
    groups=[
        [models()],
        [person()],
        [
            Group(
                "Prompts",
                PURPLE,
                [
                    [
                        encode(
                            title="Prompt: the picture",
                            prompt="full-length photo of a woman walking in a forest, wide shot, film, highly detailed",
                        ),
                    ],
                    [
                        encode(
                            "encode_face",
                            title="Prompt: the face",
                            prompt="close-up photo of a woman, face, natural skin, sharp focus, highly detailed",
                            merge_percent=0.4,
                        ),
                    ],
                ],
            )
        ],
        [
            Group(
                "First pass",
                ORANGE,
                [
                    [
                        apply(),
                        empty_latent(),
                        sample(),
                        node(
                            "first", "VAEDecode", "VAE Decode: first pass",
                            samples="@sample.LATENT", vae="@checkpoint.VAE",
                        ),
                    ],
                    [
                        node("shown", "PreviewImage", "After the first pass", images="@first.IMAGE", size=(320, 480)),
                        _crop("@first.IMAGE"),
                    ],
                ],
            )
        ],
        [
            Group(
                "Second pass",
                TEAL,
                [
                    [
                        node("encoded", "VAEEncode", pixels="@crop.image", vae="@checkpoint.VAE"),
                        node(
                            "again", "KSampler", "KSampler: second pass",
                            model="@apply.model", positive="@encode_face.positive", negative="@encode_face.negative",
                            latent_image="@encoded.LATENT", seed=2024, steps=30, cfg=5.0, sampler_name="euler",
                            scheduler="normal", denoise=0.45,
                        ),
                        node("decode", "VAEDecode", samples="@again.LATENT", vae="@checkpoint.VAE"),
                        *_pasted("@first.IMAGE", "@decode.IMAGE"),
                    ],
                    [save("@pasted.IMAGE")],
                ],
            )
        ],
    ],
)  # fmt: skip
