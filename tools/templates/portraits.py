"""Workflows that make a portrait from noise, and differ in where the person comes from."""

from consistentid_core.families import FAMILIES
from consistentid_core.regions import REGION_NAMES

from . import model_links
from .blocks import (
    GOOD_PHOTO,
    MODEL_FILES,
    NEGATIVE_PROMPT,
    PHOTO,
    PROMPT,
    apply,
    checkpoint,
    clip_vision,
    consistentid,
    embed,
    empty_latent,
    encode,
    face_parser,
    models,
    muted,
    parse,
    person,
    photo,
    portrait,
    prompt,
    sample,
    sampling,
    unconnected,
)
from .graph import BLUE, GREEN, GREY, PURPLE, Group, Node, Template, node

_SETTINGS = """
| To get | change |
| --- | --- |
| more likeness | **merge_percent** down to 0.4 |
| more of the prompt | **start_percent** 0.2, or **weight** and **lora_weight** both 0.8 |
| another picture | **seed** |
"""

SD15 = Template(
    "consistentid_sd15",
    "Portrait",
    note=f"""## A portrait from one photo
1. **The person**: {GOOD_PHOTO}.
2. **Prompt**: write what the picture shows.
3. Press **Run**.

Then click parts of the face in *Parse Face* to leave them out, or to take them back in.
{_SETTINGS}{MODEL_FILES}""",
    groups=[
        [models()],
        [person()],
        [
            prompt(
                node("caption", "ConsistentIDFaceCaptioner", image="@photo.IMAGE"), caption="@caption.caption"
            )
        ],
        [portrait()],
    ],
)

SIMPLE = Template(
    "consistentid_simple",
    "Simple",
    note=f"""## A portrait, the short way
1. **The person**: {GOOD_PHOTO}.
2. **ConsistentID (simple)**: write what the picture shows.
3. Press **Run**.

The one node runs *Parse Face*, *ID Embedding*, *Encode Facial Prompt* and *Apply ConsistentID* with their \
defaults. For every other option take the template *consistentid_sd15*.
{MODEL_FILES}""",
    groups=[
        [Group("Models", BLUE, [[checkpoint(), clip_vision()]]), Group("The person", GREEN, [[photo()]])],
        [
            Group(
                "ConsistentID",
                PURPLE,
                [
                    [
                        node(
                            "simple", "ConsistentIDSimple", size=(400, 1240),
                            models=[model_links.CONSISTENTID_SD15, model_links.FACE_PARSER],
                            model="@checkpoint.MODEL", clip="@checkpoint.CLIP",
                            clip_vision="@clip_vision.CLIP_VISION", image="@photo.IMAGE",
                            prompt=PROMPT, negative_prompt=NEGATIVE_PROMPT,
                            model_name=model_links.CONSISTENTID_SD15.name,
                            face_parser=model_links.FACE_PARSER.name, crop="auto",
                        )
                    ]
                ],
            )
        ],
        [
            sampling(
                empty_latent(),
                sample(model="@simple.model", positive="@simple.positive", negative="@simple.negative"),
            )
        ],
    ],
)  # fmt: skip

_XL = FAMILIES["sdxl"]
_XL_SIZE = " x ".join(map(str, _XL.picture_size))

SDXL = Template(
    "consistentid_sdxl",
    "SDXL",
    note=f"""## A portrait with SDXL
1. **The person**: {GOOD_PHOTO}.
2. **Prompt**: write what the picture shows.
3. Press **Run**.

What differs from SD1.5: the model files, the size ({_XL_SIZE}), CFG {_XL.guidance}, 50 steps, the sentence of \
*Caption Face* and **parse_size** {_XL.parse_size}.
{MODEL_FILES.replace("SD1.5", "SDXL").replace("ConsistentID-v1", "ConsistentID_SDXL-v1").replace("sd15", "sdxl")}""",
    groups=[
        [
            Group(
                "Models",
                BLUE,
                [
                    [
                        checkpoint(model_links.CHECKPOINT_SDXL),
                        clip_vision(),
                        consistentid(model_links.CONSISTENTID_SDXL),
                        face_parser(),
                    ]
                ],
            )
        ],
        [Group("The person", GREEN, [[photo(), embed()], [parse(parse_size=str(_XL.parse_size))]])],
        [
            prompt(
                node("caption", "ConsistentIDFaceCaptioner", template=_XL.label, image="@photo.IMAGE"),
                caption="@caption.caption",
            )
        ],
        [sampling(apply(), empty_latent(*_XL.picture_size), sample(seed=222, steps=50, cfg=_XL.guidance))],
    ],
)

#: What Save ID Embedding calls the first person.
SAVED_PERSON = "person_00001_.safetensors"

#: Whoever gets a file from somebody else needs the first two only.
_SAVED_MODEL_FILES = MODEL_FILES.replace(" and face_parsing.pth", "").replace(
    "- **clip_vision**",
    """
Only to save a person:
- **consistentid**: face_parsing.pth from [JackAILab/ConsistentID](https://huggingface.co/JackAILab/ConsistentID)
- **clip_vision**""",
)

SAVED_EMBEDDING = Template(
    "consistentid_saved_embedding",
    "Saved person",
    note=f"""## A person from a file
The person is saved once and used from then on without photo, face parser, InsightFace and CLIP vision. The file has \
less than 10 MB and works with SD1.5 and SDXL.

1. Once: select the nodes of *Save a person*, switch them on (**Ctrl+M**), and {GOOD_PHOTO}. Press **Run**, then \
switch them off again.
2. Press **R** and choose the file in *Load ID Embedding*.
3. **Prompt**: write what the picture shows. Press **Run**.

Files are in output/consistentid; those you keep can go to models/consistentid/embeddings. A file holds no picture, \
but a person can be recognised by it: treat it like a photo.
{_SAVED_MODEL_FILES}""",
    groups=[
        [
            Group("Models", BLUE, [[checkpoint(), consistentid()]]),
            Group("The person", GREEN, [[node("person", "ConsistentIDLoadEmbedding", name=SAVED_PERSON)]]),
        ],
        [Group("Prompt", PURPLE, [[unconnected(encode(parts="@person.face_parts"), "clip_vision")]])],
        [
            sampling(
                unconnected(
                    apply(id_embed="@person.id_embed", parts="@person.face_parts"), "clip_vision"
                ),
                empty_latent(),
                sample(),
            )
        ],
        [
            Group(
                "Save a person, once (muted: Ctrl+M)",
                GREY,
                [
                    [muted(photo()), muted(face_parser()), muted(clip_vision())],
                    [muted(parse())],
                    [
                        muted(embed()),
                        node(
                            "save_person", "ConsistentIDSaveEmbedding", is_muted=True, id_embed="@id_embed.id_embed",
                            filename_prefix="person", face_parts="@parts.face_parts",
                            clip_vision="@clip_vision.CLIP_VISION",
                        ),
                    ],
                ],
            )
        ],
    ],
)  # fmt: skip


def _masks() -> list[list[Node]]:
    """Two rows of pictures: the label map, and one to paint on for each part."""
    pictures = [photo("label_map", "Label map", "astronaut_labels.png")]
    pictures += [
        node(part, "LoadImage", f"{part.capitalize()}, painted", image=PHOTO, size=(0, 340), is_muted=True)
        for part in REGION_NAMES
    ]
    return [pictures[:2], pictures[2:4], pictures[4:]]


PAINTED_MASKS = Template(
    "consistentid_painted_masks",
    "Painted masks",
    note=f"""## Parts of the face from your own masks
No face parser: the parts come from a **label map**, from masks you **paint**, or from both.

1. **The person**: {GOOD_PHOTO}.
2. **Label map**: a grey picture of the same photo whose values are class ids (1 skin, 4 and 5 eyes, 7 and 8 ears, \
10 nose, 11 to 13 mouth), made by any segmenter. Or disconnect it and paint all parts.
3. To paint a part: choose your photo in the node of the part, switch the node on (**Ctrl+M**), right-click it, \
**Open in Mask Editor**, and paint over the part. A painted mask replaces what the label map says.
4. Press **Run**.

Holes in a mask are closed. A part without mask is left to the prompt.
{MODEL_FILES.replace(" and face_parsing.pth", "")}""",
    groups=[
        [Group("Models", BLUE, [[checkpoint(), clip_vision(), consistentid()]])],
        [Group("The person", GREEN, [[photo(), embed()]])],
        [Group("Label map, or masks painted by hand (muted: Ctrl+M)", GREY, _masks())],
        [
            Group(
                "Parts of the face",
                GREEN,
                [
                    [
                        node(
                            "parts", "ConsistentIDFacePartsFromMap", size=(300, 0), image="@photo.IMAGE",
                            label_map="@label_map.IMAGE", **{f"{part}_mask": f"@{part}.MASK" for part in REGION_NAMES},
                        )
                    ]
                ],
            )
        ],
        [prompt()],
        [portrait()],
    ],
)  # fmt: skip
