"""The pack's own socket types and what travels over each.

Everything else the nodes exchange is a core type (IMAGE, MASK, CONDITIONING ...).
"""

from comfy_api.latest import io

from ...consistentid_core.faces.face_parts import FaceParts
from ...consistentid_core.identity.id_embedding import IDEmbedding
from ...consistentid_core.networks.leak_control import LeakControl
from .captioner import FaceCaptionerModel
from .consistentid import ConsistentIDModel
from .face_parser import FaceParserModel
from .face_recognition import FaceRecogniserModel

#: :class:`.consistentid.ConsistentIDModel`: a loaded adapter (ID projection, facial encoder, LoRA).
ConsistentIDType = io.Custom("CONSISTENTID")

#: :class:`.consistentid.FaceParserModel`: a loaded BiSeNet face parser.
FaceParserType = io.Custom("FACE_PARSER")

#: :class:`...consistentid_core.faces.face_parts.FaceParts`: photos with the masks of their facial parts.
FacePartsType = io.Custom("FACE_PARTS")

#: A loaded vision-language model that describes faces.
FaceCaptionerType = io.Custom("FACE_CAPTIONER")

#: :class:`...consistentid_core.identity.id_embedding.IDEmbedding`: the face-recognition vector of one person.
IDEmbedType = io.Custom("ID_EMBED")

#: :class:`...consistentid_core.networks.leak_control.LeakControl`: when, where and how strongly the ID tokens act.
LeakControlType = io.Custom("CONSISTENTID_LEAK_CONTROL")

#: :class:`.face_recognition.FaceRecogniserModel`: a face recogniser that judges pictures.
FaceRecogniserType = io.Custom("FACE_RECOGNISER")

#: The class of what travels over each, by its name.
CARRIED: dict[str, type] = {
    ConsistentIDType.io_type: ConsistentIDModel,
    FaceParserType.io_type: FaceParserModel,
    FacePartsType.io_type: FaceParts,
    FaceCaptionerType.io_type: FaceCaptionerModel,
    IDEmbedType.io_type: IDEmbedding,
    LeakControlType.io_type: LeakControl,
    FaceRecogniserType.io_type: FaceRecogniserModel,
}

#: The menu folder of every node of the pack.
CATEGORY = "ConsistentID"
