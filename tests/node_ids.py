"""Ids of the nodes the pack offers; released ids never change."""

NODE_IDS = (
    "ConsistentIDModelLoader",
    "ConsistentIDFaceParserLoader",
    "ConsistentIDFaceParser",
    "ConsistentIDFacePartsFromMap",
    "ConsistentIDCaptionerLoader",
    "ConsistentIDFaceCaptioner",
    "ConsistentIDEmbedding",
    "ConsistentIDFaceEncoder",
    "ConsistentIDApply",
    "ConsistentIDSetIdentity",
    "ConsistentIDSimple",
)
