"""Mix Face Parts, Best Face Parts."""

from comfy_api.latest import io

from ..consistentid_core.faces.face_parts import FaceParts
from ..consistentid_core.faces.mixing import MAX_STRENGTH, MIN_STRENGTH, best_parts, mix_parts
from ..consistentid_core.regions import REGION_NAMES, REGIONS
from ..consistentid_core.text.pairing import AS_MODE, PAIRINGS
from .host.older import SHOWN_ON_CACHED_RUNS
from .models.types import CATEGORY, FacePartsType
from .previews.parts import mixed_parts_ui

#: Of the whole photos connected to face_parts, among the weights of the ID tokens.
BASE = "base"


class MixFaceParts(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDMixFaceParts",
            display_name="Mix Face Parts",
            category=CATEGORY,
            description="Puts a face together: eyes from one photo, nose from another. Also sets how strongly each "
            "part acts and which word carries it.",
            search_aliases=["combine faces", "merge faces", "blend faces", "part strength", "face parts"],
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                FacePartsType.Input(
                    "face_parts", tooltip="The face whose parts are kept where nothing else is connected."
                ),
                *(
                    FacePartsType.Input(
                        region.name,
                        optional=True,
                        tooltip=f"Photos to take the {region.word} from instead. Of several, the features are "
                        "averaged.",
                    )
                    for region in REGIONS
                ),
                *(
                    io.Float.Input(
                        f"{region.name}_strength",
                        default=1.0,
                        min=MIN_STRENGTH,
                        max=MAX_STRENGTH,
                        step=0.05,
                        optional=True,
                        tooltip=f"Strength of the {region.word} in the prompt. 1 is the original, 0 as if the part "
                        "were switched off, 2 exaggerates it.",
                    )
                    for region in REGIONS
                ),
                io.Combo.Input(
                    "pairing",
                    options=list(PAIRINGS),
                    default=AS_MODE,
                    optional=True,
                    tooltip="Which part goes to which word. by rank: the first part to the first word and so on, as "
                    "the weights were trained; 'ears' then carries the eyes and 'eyes' the ears. by name: each word "
                    "carries the part it names. as the mode says: by rank in the original mode of Encode Facial "
                    "Prompt, by name in its clean mode.",
                ),
                *(
                    io.Float.Input(
                        f"id_from_{name}",
                        default=1.0 if name == BASE else 0.0,
                        min=0.0,
                        max=1.0,
                        step=0.05,
                        optional=True,
                        advanced=True,
                        tooltip=f"How much the whole photo connected to {_socket(name)} counts in the ID tokens of "
                        "Apply ConsistentID, relative to the others. The face vector is connected there on its own; "
                        "Combine ID Embeddings mixes those.",
                    )
                    for name in (BASE, *REGION_NAMES)
                ),
            ],
            outputs=[
                FacePartsType.Output(
                    "face_parts", tooltip="The mixed face, for Encode Facial Prompt and Apply ConsistentID."
                )
            ],
        )

    @classmethod
    def execute(
        cls, face_parts: FaceParts, pairing: str = AS_MODE, **choices: FaceParts | float | None
    ) -> io.NodeOutput:
        mixed = mix_parts(
            face_parts,
            {name: choices[name] for name in REGION_NAMES if choices.get(name) is not None},
            strengths={name: choices.get(f"{name}_strength", 1.0) for name in REGION_NAMES},
            pairing=pairing,
            id_weight=choices.get(f"id_from_{BASE}", 1.0),
            id_weights={name: choices.get(f"id_from_{name}", 0.0) for name in REGION_NAMES},
        )
        return io.NodeOutput(mixed, ui=mixed_parts_ui(mixed))


class BestFaceParts(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="ConsistentIDBestFaceParts",
            display_name="Best Face Parts",
            category=CATEGORY,
            description="From several photos of one person, takes each part of the face from the photo that shows it "
            "largest and sharpest.",
            search_aliases=["several photos", "sharpest", "combine face parts", "batch"],
            **SHOWN_ON_CACHED_RUNS,
            inputs=[
                FacePartsType.Input(
                    "face_parts", tooltip="Photos of the person, from Parse Face; one or a batch."
                ),
                *(
                    FacePartsType.Input(
                        f"face_parts_{number}",
                        optional=True,
                        tooltip="More photos of the same person; they may have another size.",
                    )
                    for number in range(2, 7)
                ),
                io.Int.Input(
                    "keep",
                    default=1,
                    min=1,
                    max=64,
                    optional=True,
                    tooltip="How many photos of each part to keep, best first; their features are averaged. A "
                    "number as large as that of the photos keeps everything.",
                ),
            ],
            outputs=[
                FacePartsType.Output(
                    "face_parts",
                    tooltip="The best parts. The ID tokens of Apply ConsistentID are still made from all photos.",
                )
            ],
        )

    @classmethod
    def execute(cls, face_parts: FaceParts, keep: int = 1, **more: FaceParts | None) -> io.NodeOutput:
        people = [face_parts, *(more[name] for name in sorted(more) if more[name] is not None)]
        best = best_parts(people, keep)
        return io.NodeOutput(best, ui=mixed_parts_ui(best))


def _socket(name: str) -> str:
    return "face_parts" if name == BASE else name


NODES = [MixFaceParts, BestFaceParts]
