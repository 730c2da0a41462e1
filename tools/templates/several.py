"""Workflows with more than one photo: of several people, or of one."""

from .blocks import (
    GOOD_PHOTO,
    MODEL_FILES,
    PROMPT,
    apply,
    embed,
    empty_latent,
    encode,
    models,
    parse,
    photo,
    portrait,
    prompt,
    sample,
    sampling,
)
from .graph import GREEN, PURPLE, TEAL, Group, Node, Template, node

_SCENE = "photo of a woman on the {} and another woman on the {}, in a café, half-length, film, bokeh, 4k"


def _size(width: int, height: int) -> dict[str, int]:
    return {"width": width, "height": height}


def _whose(side: str) -> Group:
    key, title = f"{side}_photo", f"The person on the {side}"
    image = f"@{key}.IMAGE"
    return Group(
        title,
        GREEN,
        [[photo(key, title), embed(f"{side}_id_embed", image)], [parse(f"{side}_parts", image)]],
    )


def _shown(side: str, prompt: str) -> list[list[Node]]:
    """What one prompt says, where it holds, and whose face it shows."""
    parts = f"@{side}_parts.face_parts"
    place = node(
        f"{side}_place",
        "ConditioningSetMask",
        f"On the {side}",
        conditioning=f"@{side}_encode.positive",
        mask=f"@{side}_mask.MASK",
        strength=1.0,
    )
    identity = node(
        f"{side}_identity",
        "ConsistentIDSetIdentity",
        conditioning=f"@{side}_place.CONDITIONING",
        consistentid="@consistentid.consistentid",
        clip_vision="@clip_vision.CLIP_VISION",
        id_embed=f"@{side}_id_embed.id_embed",
        face_parts=parts,
    )
    return [[encode(f"{side}_encode", prompt=prompt, parts=parts)], [place, identity]]


TWO_PEOPLE = Template(
    "consistentid_two_people",
    "Two people",
    note=f"""## Two people in one picture
Each has a prompt, a place and an identity of their own.

1. **The person on the left, on the right**: choose two photos, the faces large, frontal and sharp.
2. **Prompts**: describe the same scene twice, each with its person.
3. Press **Run**.

The masks in *Places* say who is where: the white half is the left person's. If you change the size of the \
picture, change the masks too; any mask will do, painted ones as well.

*Apply ConsistentID* is needed once, for the LoRA; *Set Identity* then says whose face each prompt shows.
{MODEL_FILES}""",
    groups=[
        [
            models(),
            Group(
                "Places",
                TEAL,
                [
                    [
                        node("nowhere", "SolidMask", "Whole picture, empty", value=0.0, **_size(768, 512)),
                        node("half", "SolidMask", "Left half", value=1.0, **_size(384, 512)),
                        node(
                            "left_mask", "MaskComposite", "Left", destination="@nowhere.MASK", source="@half.MASK",
                            x=0, y=0, operation="add",
                        ),
                        node("right_mask", "InvertMask", "Right", mask="@left_mask.MASK"),
                    ]
                ],
            ),
        ],
        [_whose("left"), _whose("right")],
        [
            Group("Left: prompt, place and identity", PURPLE, _shown("left", _SCENE.format("left", "right"))),
            Group("Right: prompt, place and identity", PURPLE, _shown("right", _SCENE.format("right", "left"))),
        ],
        [
            sampling(
                apply(id_embed="@left_id_embed.id_embed", parts="@left_parts.face_parts"),
                node(
                    "both", "ConditioningCombine",
                    conditioning_1="@left_identity.conditioning", conditioning_2="@right_identity.conditioning",
                ),
                empty_latent(768, 512),
                sample(positive="@both.CONDITIONING", negative="@left_encode.negative"),
            )
        ],
    ],
)  # fmt: skip

MIX_PARTS = Template(
    "consistentid_mix_parts",
    "Mix parts",
    note=f"""## One face from two photos
The face of the first photo, with the eyes and the mouth of the second.

1. **The person**: {GOOD_PHOTO}.
2. **Who lends eyes and mouth**: choose a second photo. The same light and angle mix best.
3. **Prompt**: write what the picture shows. Press **Run**.

In *Mix Face Parts*, **face_parts** takes the person. **face**, **eyes**, **ears**, **nose** and **mouth** take these \
parts from another photo: connect its *Parse Face* to the parts it lends. A third photo gets a *Load Image* and a \
*Parse Face* of its own.

| To get | change |
| --- | --- |
| more of a part, or less | **eyes_strength** and the like: 2 exaggerates the part, 0 leaves it out |
| more of the second person | **id_from_eyes** 0.5, an advanced input: the whole second photo counts half as much \
as the first |
| each part under its own word | **pairing** *by name*; *by rank* is how the weights were trained |

Who the person is comes from *ID Embedding* of the first photo. To blend the people there too, embed the second \
photo as well and put *Combine ID Embeddings* in between.
{MODEL_FILES}""",
    groups=[
        [models()],
        [
            Group("The person", GREEN, [[photo(), embed()], [parse()]]),
            Group(
                "Another person",
                GREEN,
                [
                    [photo("other_photo", "Who lends eyes and mouth")],
                    [parse("other_parts", "@other_photo.IMAGE", "Parse Face: who lends eyes and mouth")],
                ],
            ),
        ],
        [
            Group(
                "The mixed face",
                TEAL,
                [
                    [
                        node(
                            "mixed", "ConsistentIDMixFaceParts", size=(300, 0), face_parts="@parts.face_parts",
                            eyes="@other_parts.face_parts", mouth="@other_parts.face_parts",
                        )
                    ]
                ],
            )
        ],
        [prompt(parts="@mixed.face_parts")],
        [portrait(parts="@mixed.face_parts")],
    ],
)  # fmt: skip

_ORDINALS = ("First", "Second", "Third")


def _photos(title: str, of_what: str) -> Group:
    """Several photos as one batch, ``@photos.IMAGE``.  of_what: each of them shows or is, for their titles."""
    single = [photo(f"photo_{number}", f"{ordinal} {of_what}") for number, ordinal in enumerate(_ORDINALS)]
    slots = {f"images.image{number}": f"@photo_{number}.IMAGE" for number in range(len(single))}
    batch = node("photos", "BatchImagesNode", **slots)
    return Group(title, GREEN, [single[::2], [*single[1::2], batch]])  # row by row


#: What Batch Images does with photos of different sizes.
_ONE_SHAPE = (
    "*Batch Images* crops them to the shape of the first; for more, connect more *Load Image* nodes to it"
)

SEVERAL_PHOTOS = Template(
    "consistentid_several_photos",
    "Several photos",
    note=f"""## A portrait from several photos of one person
Together they even out light and expression, and each part of the face comes from the photo that shows it best.

1. **First, second, third photo**: choose photos of the same person, the face large, frontal, sharp and near the \
middle. {_ONE_SHAPE}.
2. **Prompt**: write what the picture shows.
3. Press **Run**. *Best Face Parts* then shows which photo each part is from.

| Setting | What it does |
| --- | --- |
| **keep** 1 | takes each part from the largest and sharpest picture of it |
| **keep** 2, 3 … | averages as many of the best; for photos that are all good |
| **combine** *norm mean* | makes one identity of all photos |
| **combine** *concat* | averages nothing: four ID tokens for each photo |

The identity is made of all photos, whatever **keep** is: leave out those of poor quality.
{MODEL_FILES}""",
    groups=[
        [models()],
        [_photos("Photos of one person", "photo")],
        [
            Group(
                "The person",
                GREEN,
                [
                    [parse("found", "@photos.IMAGE")],
                    [
                        node("parts", "ConsistentIDBestFaceParts", face_parts="@found.face_parts", keep=1),
                        embed(image="@photos.IMAGE", combine="norm mean"),
                    ],
                ],
            )
        ],
        [prompt()],
        [portrait()],
    ],
)

ONE_EACH = Template(
    "consistentid_one_each",
    "One picture each",
    note=f"""## A portrait of each person, in one run
The first picture shows the first person, and so on: as many pictures as photos.

1. **First, second, third person**: choose a photo of each, the face large, frontal, sharp and near the middle. \
{_ONE_SHAPE}.
2. **Prompt**: one for all; write what the pictures have in common.
3. Press **Run**.

| Node | Setting |
| --- | --- |
| *Parse Face* | **batch** *one per latent* |
| *ID Embedding* | **combine** *one per latent* |
| *Size of the pictures, how many* | **batch_size**: as many as photos |

With a larger **batch_size** it begins again with the first person: 6 makes two pictures of each.
{MODEL_FILES}""",
    groups=[
        [models()],
        [_photos("A photo of each person", "person")],
        [
            Group(
                "The people",
                GREEN,
                [
                    [parse(image="@photos.IMAGE", batch="one per latent")],
                    [embed(image="@photos.IMAGE", combine="one per latent")],
                ],
            )
        ],
        [prompt(prompt=PROMPT.replace("a woman", "a person"))],
        [
            sampling(
                apply(),
                empty_latent(batch_size=len(_ORDINALS), title="Size of the pictures, how many"),
                sample(),
                title="The portraits",
            )
        ],
    ],
)
