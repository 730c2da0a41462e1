"""ID Embedding (InsightFace), Combine ID Embeddings."""

from comfy_api.latest import io

from ..consistentid_core.identity.face_boxes import draw_faces
from ..consistentid_core.identity.face_choice import LARGE_TO_SMALL
from ..consistentid_core.identity.id_embedding import (
    BGR,
    CHANNEL_ORDERS,
    COMBINE_METHODS,
    ERROR,
    NO_FACE_POLICIES,
    NORM_MEAN,
    IDEmbedding,
    combine_embeddings,
    embed_person,
)
from ..consistentid_core.identity.providers import AUTO
from .host.face_inputs import face_choice, face_provider
from .host.older import SHOWN_ON_CACHED_RUNS
from .host.pictures import to_image, to_pictures
from .host.progress import photo_progress
from .models.face_recognition import face_analyser
from .models.types import CATEGORY, IDEmbedType
from .previews.faces import faces_ui

#: How many ID embeddings can be combined at once; the first two must be connected.
INPUTS = 6


def combine_input(what: str) -> io.Input:
    """The choice of how several vectors become one identity."""
    return io.Combo.Input(
        "combine",
        options=list(COMBINE_METHODS),
        default=NORM_MEAN,
        optional=True,
        tooltip=f"How several {what} become one identity. norm mean: the mean of their vectors, brought back to full "
        "strength. mean: weaker, the less they agree. concat: all of them, each with its own ID tokens; if "
        "Apply ConsistentID gets as many photos, each vector goes with its photo, otherwise with their mean. one per "
        "latent: people of their own, the first for the first picture of a batch, and so on.",
    )


class EmbedFace(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDEmbedding",
            display_name="ID Embedding (InsightFace)",
            category=CATEGORY,
            description="Recognises the person in one or more photos with InsightFace's buffalo_l, whose "
            "models are for non-commercial research only. Needs the packages insightface and onnxruntime.",
            search_aliases=["face id", "faceid", "identity", "insightface", "arcface", "face embedding"],
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                io.Image.Input("image", tooltip="A photo of the person, or several photos of one person."),
                *face_choice(),
                io.Combo.Input(
                    "no_face",
                    options=list(NO_FACE_POLICIES),
                    default=ERROR,
                    optional=True,
                    tooltip="What to do with a photo without a face: stop with an error, or go on with "
                    "zeros, which carry no identity, as the original does without a word.",
                ),
                io.Combo.Input(
                    "channel_order",
                    options=list(CHANNEL_ORDERS),
                    default=BGR,
                    optional=True,
                    tooltip="The colour order handed to InsightFace. BGR is what it expects and what "
                    "ConsistentID was trained with; the original's SD1.5 script hands it RGB.",
                ),
                face_provider(),
                combine_input("photos"),
            ],
            outputs=[
                IDEmbedType.Output("id_embed", tooltip="Who the person is, for Apply ConsistentID."),
                io.Image.Output(
                    "preview",
                    tooltip="The photos, at most 1024 pixels large, with numbered faces; the chosen one is "
                    "green.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        image,
        order: str = LARGE_TO_SMALL,
        face_index: int = 0,
        det_threshold: float = 0.5,
        no_face: str = ERROR,
        channel_order: str = BGR,
        provider: str = AUTO,
        combine: str = NORM_MEAN,
    ) -> io.NodeOutput:
        photos = to_pictures(image)
        embedding, found = embed_person(
            face_analyser(provider),
            photos,
            order=order,
            index=face_index,
            threshold=det_threshold,
            no_face=no_face,
            channel_order=channel_order,
            combine=combine,
            on_photo=photo_progress(len(photos)),
        )
        preview = to_image(
            [
                draw_faces(photo, in_photo.faces, in_photo.chosen)
                for photo, in_photo in zip(photos, found, strict=True)
            ]
        )
        return io.NodeOutput(embedding, preview, ui=faces_ui(photos, found))


class CombineEmbeddings(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        numbers = range(1, INPUTS + 1)
        return io.Schema(
            node_id="ConsistentIDCombineEmbeddings",
            display_name="Combine ID Embeddings",
            category=CATEGORY,
            description="Makes one identity out of several ID embeddings: of one person, or a blend of people.",
            search_aliases=["average faces", "blend faces", "merge embeddings", "mix identity"],
            inputs=[
                *(
                    IDEmbedType.Input(
                        f"id_embed_{number}",
                        optional=number > 2,
                        tooltip="From ID Embedding or Load ID Embedding.",
                    )
                    for number in numbers
                ),
                combine_input("ID embeddings"),
                *(
                    io.Float.Input(
                        f"weight_{number}",
                        default=1.0,
                        min=0.0,
                        max=10.0,
                        step=0.05,
                        optional=True,
                        tooltip=f"How much id_embed_{number} counts, relative to the others. 0 leaves it out; concat "
                        "takes all others whole.",
                    )
                    for number in numbers
                ),
            ],
            outputs=[
                IDEmbedType.Output("id_embed", tooltip="The combined identity, for Apply ConsistentID.")
            ],
        )

    @classmethod
    def execute(cls, combine: str = NORM_MEAN, **inputs: IDEmbedding | float | None) -> io.NodeOutput:
        connected = [n for n in range(1, INPUTS + 1) if inputs.get(f"id_embed_{n}") is not None]
        combined = combine_embeddings(
            [inputs[f"id_embed_{n}"] for n in connected],
            [inputs.get(f"weight_{n}", 1.0) for n in connected],
            combine=combine,
        )
        return io.NodeOutput(combined)


NODES = [EmbedFace, CombineEmbeddings]
