"""The exceptions a caller of the core may catch.

Every message says what was found, what was expected and what to do about it.
Bad arguments (a mask of the wrong shape, an index out of range) are plain
``ValueError``; the classes here name situations a user can meet.
"""


class ConsistentIDError(Exception):
    """Base of all errors raised on purpose by this package."""


class CheckpointError(ConsistentIDError):
    """A file is not a checkpoint of the expected kind, or is damaged."""


class ModelMismatchError(ConsistentIDError):
    """Two models do not belong together (SDXL weights on an SD1.5 model, a wrong CLIP vision)."""


class PromptError(ConsistentIDError, ValueError):
    """A prompt or caption cannot be used as it is."""


class NoFaceError(ConsistentIDError):
    """No face, or not the asked-for face, was found in a picture."""


class NobodyError(NoFaceError):
    """A picture shows no face at all."""


class BrushError(ConsistentIDError):
    """Brush strokes cannot be read: their file is gone, damaged, or of another kind or photo."""


class MissingDependencyError(ConsistentIDError):
    """An optional package is needed for this and is not installed."""


class MissingModelError(ConsistentIDError):
    """A model file or folder is not where it is looked for."""


class AmbiguousModelError(ConsistentIDError):
    """Several files fit where one is to be found, and only the user can say which is meant."""


class DownloadError(ConsistentIDError):
    """A file could not be fetched, or what came is not what was to come."""


class NotEnoughMemoryError(ConsistentIDError):
    """A model is larger than the memory of the device it is to run on."""


class EvaluationError(ConsistentIDError):
    """A plan, a run or a table of pictures cannot be evaluated as it is."""


class ServerError(ConsistentIDError):
    """A ComfyUI server does not answer, or not as one does."""


class TrainingStoppedError(ConsistentIDError):
    """A training run stopped by itself because going on would be of no use, or did not start."""


class LikenessError(ConsistentIDError):
    """No picture is like enough to the person."""
