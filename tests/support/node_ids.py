"""Ids of the nodes the pack offers; released ids never change."""

NODE_IDS = (
    "ConsistentIDModelLoader",
    "ConsistentIDFaceParserLoader",
    "ConsistentIDCropFace",
    "ConsistentIDFaceParser",
    "ConsistentIDFacePartsFromMap",
    "ConsistentIDMixFaceParts",
    "ConsistentIDBestFaceParts",
    "ConsistentIDCaptionerLoader",
    "ConsistentIDFaceCaptioner",
    "ConsistentIDEmbedding",
    "ConsistentIDCombineEmbeddings",
    "ConsistentIDSaveEmbedding",
    "ConsistentIDLoadEmbedding",
    "ConsistentIDFaceEncoder",
    "ConsistentIDApply",
    "ConsistentIDSetIdentity",
    "ConsistentIDLeakControl",
    "ConsistentIDLoraHooks",
    "ConsistentIDSimple",
    "ConsistentIDTrain",
)
