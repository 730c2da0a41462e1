"""Save ID Embedding, Load ID Embedding."""

import logging
import os
from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io, ui
from comfy_execution.graph_utils import ExecutionBlocker

from ..consistentid_core.errors import CheckpointError
from ..consistentid_core.faces.face_parts import FaceParts, FacePhoto, one_each
from ..consistentid_core.faces.mixing import pool
from ..consistentid_core.files.atomic import write_numbered
from ..consistentid_core.files.quoting import quoted
from ..consistentid_core.identity.embedding_file import EXTENSION, Person, read_person, to_bytes
from ..consistentid_core.identity.id_embedding import NORM_MEAN, ONE_EACH, IDEmbedding, combine_embeddings
from ..consistentid_core.identity.person_card import Card, make_thumbnail, thumbnail_jpeg
from .embedding import combine_input
from .host import folders
from .host.inputs import FileChoice
from .host.pictures import to_pictures
from .models.types import CATEGORY, FacePartsType, IDEmbedType
from .person.facial_features import stored

logger = logging.getLogger(__name__)


class SaveEmbedding(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDSaveEmbedding",
            display_name="Save ID Embedding",
            category=CATEGORY,
            description="Saves a person as a small file in output/consistentid. With face_parts and clip_vision "
            "connected, the file replaces photo, face parser, InsightFace and CLIP vision later on. It holds no "
            "picture unless thumbnail is on, but a person can be recognised by it: treat it like a photo.",
            search_aliases=[
                "save face",
                "save identity",
                "export embedding",
                "face model",
                "library of people",
            ],
            is_output_node=True,
            inputs=[
                IDEmbedType.Input("id_embed", tooltip="Who the person is, from ID Embedding."),
                io.String.Input(
                    "filename_prefix",
                    default="person",
                    tooltip="Begins the file's name; a number follows, so nothing is overwritten. anna/photo puts the "
                    "file into a folder anna; %year%, %month% and %day% are filled in.",
                ),
                FacePartsType.Input(
                    "face_parts",
                    optional=True,
                    tooltip="Saves the features of the photos and of their parts too, 0.7 MB each. Needs clip_vision.",
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="CLIP ViT-H/14, from Load CLIP Vision, to make these features.",
                ),
                io.Boolean.Input(
                    "thumbnail",
                    default=False,
                    optional=True,
                    tooltip="Puts a small picture of the face into the file, for the list in Load ID Embedding. It is "
                    "of face_parts, or of image where that has no photo. Off: the file holds no picture.",
                ),
                io.String.Input(
                    "name",
                    default="",
                    optional=True,
                    tooltip="The person's name in the list of Load ID Embedding; empty: the name of the file.",
                ),
                io.String.Input(
                    "caption",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="A description of the face, as from Caption Face; Load ID Embedding gives it out again.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="A photo for the thumbnail, the face in its middle, where face_parts has none.",
                ),
            ],
            outputs=[io.String.Output("file", tooltip="The path of the file.")],
        )

    @classmethod
    def execute(
        cls,
        id_embed: IDEmbedding,
        filename_prefix: str,
        face_parts: FaceParts | None = None,
        clip_vision=None,
        thumbnail: bool = False,
        name: str = "",
        caption: str = "",
        image: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        card = Card(name.strip(), caption.strip(), _thumbnail(face_parts, image) if thumbnail else "")
        if face_parts is not None:
            if clip_vision is None and not face_parts.is_stored:
                raise ValueError(
                    "face_parts is connected without clip_vision, so their features cannot be saved. Connect Load CLIP "
                    "Vision, or disconnect face_parts to save the face vector alone."
                )
            face_parts = stored(clip_vision, face_parts)
        data = to_bytes(Person(id_embed, face_parts, card))
        folder, file_name, number, subfolder = _place(filename_prefix)
        # A file that was moved to models must not share its name with a new one: only one could be chosen.
        try:
            path = write_numbered(
                data, folder, file_name, EXTENSION, number,
                is_taken=lambda file: folders.has_embedding(os.path.join(subfolder, file)),
            )  # fmt: skip
        except OSError as error:
            raise ValueError(
                f"The person cannot be saved as '{quoted(file_name)}' in '{quoted(folder)}': {error.strerror}. Choose "
                "another filename_prefix, or see to the folder."
            ) from error
        return io.NodeOutput(str(path), ui=ui.PreviewText(str(path)))


def _thumbnail(face_parts: FaceParts | None, image: torch.Tensor | None) -> str:
    """A small picture of the first photo there is; raises ValueError if there is none."""
    pictured = [] if face_parts is None else [one for one in face_parts.photos if isinstance(one, FacePhoto)]
    if pictured:
        return make_thumbnail(pictured[0].image, pictured[0])
    if image is None:
        raise ValueError(
            "thumbnail is on, and there is no photo to make it of: face_parts brings none, and image is not connected. "
            "Connect the photo to image, or switch thumbnail off."
        )
    return make_thumbnail(to_pictures(image)[0])


def _place(filename_prefix: str) -> tuple[Path, str, int, str]:
    """Folder, name, first number and subfolder for a file, as ComfyUI gives them to its own nodes.

    Raises ValueError for a prefix that makes no name, leads out of the folder, or cannot be used on this disk.
    """
    if not Path(filename_prefix).name.strip(" ."):
        raise ValueError(
            f"filename_prefix is empty: '{quoted(filename_prefix)}' holds no name. Give the file one, such as 'person'."
        )
    if any(character < " " for character in filename_prefix):
        raise _unusable(filename_prefix, "it contains control characters")
    try:
        os.fsencode(filename_prefix)
        folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folders.saved_embeddings()
        )
    except UnicodeError as error:
        raise _unusable(filename_prefix, "it contains characters that no file name can have") from error
    except OSError as error:
        raise _unusable(filename_prefix, error.strerror) from error
    except Exception as error:  # the host has no exception of its own for this
        raise _unusable(filename_prefix, "it leads outside the output folder") from error
    return Path(folder), name, number, subfolder


def _unusable(filename_prefix: str, why: str) -> ValueError:
    return ValueError(
        f"'{quoted(filename_prefix)}' cannot be used as filename_prefix: {why}. Use letters, digits and, for a "
        "folder in output/consistentid, a slash, such as 'anna/photo'."
    )


class LoadEmbedding(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDLoadEmbedding",
            display_name="Load ID Embedding",
            category=CATEGORY,
            description="Loads a person saved with Save ID Embedding, for SD1.5 and SDXL alike.",
            search_aliases=["load face", "load identity", "import embedding", "face model"],
            inputs=[
                FileChoice(
                    "name",
                    options=folders.list_embeddings(),
                    tooltip="A file in models/consistentid/embeddings or output/consistentid. folder/* combines all "
                    "files of a folder.",
                ),
                combine_input("files of a folder"),
            ],
            outputs=[
                IDEmbedType.Output("id_embed", tooltip="Who the person is, for Apply ConsistentID."),
                FacePartsType.Output(
                    "face_parts",
                    tooltip="In place of the photo, for Encode Facial Prompt and Apply ConsistentID, which need no "
                    "clip_vision then. Only if the file was saved with face_parts.",
                ),
                io.String.Output(
                    "caption",
                    tooltip="What the file says about the face, for Encode Facial Prompt; of several files the first "
                    "that says something. Empty if none does.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str, combine: str = NORM_MEAN):
        return [folders.stamp(path) for path in folders.find_embeddings(name)]

    @classmethod
    def execute(cls, name: str, combine: str = NORM_MEAN) -> io.NodeOutput:
        paths = folders.find_embeddings(name)
        people = [read_person(path) for path in paths]
        for path, person in zip(paths, people, strict=True):
            _check_thumbnail(path, person.card)
        caption = next((person.card.caption for person in people if person.card.caption), "")
        embedding = people[0].embedding
        if len(people) > 1:
            embedding = combine_embeddings([person.embedding for person in people], combine=combine)
        faces = [person.face_parts for person in people if person.face_parts is not None]
        if len(faces) < len(people):
            # The ID embedding is of use without them; whoever needs the parts is told.
            missing = ExecutionBlocker(_no_parts(name, len(people) - len(faces)))
            return io.NodeOutput(embedding, missing, caption)
        return io.NodeOutput(embedding, one_each(faces) if combine == ONE_EACH else pool(faces), caption)


def _check_thumbnail(path: str, card: Card) -> None:
    """A picture that cannot be shown changes nothing of the person; it is said."""
    try:
        if card.thumbnail:
            thumbnail_jpeg(card)
    except CheckpointError as error:
        logger.warning("'%s' is loaded without its picture: %s", path, error)


def _no_parts(name: str, count: int) -> str:
    files = "it was" if count == 1 else f"{count} of its files were"
    return (
        f"'{name}' holds no parts of the face: {files} saved without face_parts. Connect face_parts and clip_vision to "
        "Save ID Embedding and save the person again, or use Parse Face with the photo."
    )


NODES = [SaveEmbedding, LoadEmbedding]
