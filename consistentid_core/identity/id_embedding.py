"""The face-recognition vector of one person, from one or more photos (SPEC 2.1)."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch

from ..checks import are_shares
from ..errors import NobodyError
from ..files.catalogue import RECOGNISER
from .face_analysis import EMBEDDING_WIDTH, FaceAnalyser
from .face_choice import LARGE_TO_SMALL, PhotoFaces, detect_faces, photo_name, require_face

logger = logging.getLogger(__name__)

BGR = "BGR"
RGB = "RGB (original SD1.5 script)"
#: Which array the networks get. They were trained on BGR, and so were ConsistentID's weights;
#: the original's SD1.5 script hands them RGB.
CHANNEL_ORDERS = (BGR, RGB)

ERROR = "error"
ZERO_VECTOR = "zero vector (original)"
#: What to do with a photo without a face. The original goes on with a zero vector.
NO_FACE_POLICIES = (ERROR, ZERO_VECTOR)

NORM_MEAN = "norm mean"
MEAN = "mean"
CONCAT = "concat"
#: How the vectors of several photos become one identity: their mean brought back to unit length; their
#: mean, which is shorter the less they agree; or all of them, each with ID tokens of its own.
IDENTITY_METHODS = (NORM_MEAN, MEAN, CONCAT)

ONE_EACH = "one per latent"
#: The same, or no one identity: the first vector for the first picture of a batch, and so on.
COMBINE_METHODS = (*IDENTITY_METHODS, ONE_EACH)

#: More vectors of one person would make more ID tokens than a prompt has words.
MAX_VECTORS = 16


@dataclass(frozen=True, eq=False)
class IDEmbedding:
    """What a face recogniser says about one person, or about one person for each picture of a batch.

    Compared by identity, as face parts are.
    vector: (k, 512) float32 on the CPU; k is 1 unless the vectors were kept apart. Of unit length, shorter
    if it is a plain mean; zeros stand for nobody.
    channel_order: one of :data:`CHANNEL_ORDERS`.
    photos: how many photos with a face it is from.
    combine: one of :data:`COMBINE_METHODS`, how these were combined.
    source: a hash of the photos, 32 hexadecimal digits; empty if unknown.
    """

    vector: torch.Tensor
    channel_order: str = BGR
    recogniser: str = RECOGNISER.name
    photos: int = 1
    combine: str = NORM_MEAN
    source: str = ""

    def __post_init__(self) -> None:
        vector = self.vector
        if vector.ndim != 2 or vector.shape[1] != EMBEDDING_WIDTH or vector.dtype != torch.float32:
            found = f"{tuple(vector.shape)} {vector.dtype}"
            raise ValueError(
                f"An ID embedding is a (vectors, {EMBEDDING_WIDTH}) float32 tensor, not {found}."
            )
        per_person = len(vector) / self.people if len(vector) else 0
        if not 1 <= per_person <= MAX_VECTORS:
            raise ValueError(
                f"{len(vector)} vectors cannot be one ID embedding: there may be 1 to {MAX_VECTORS}. "
                "Use fewer photos, or a mean of them."
            )

    @property
    def people(self) -> int:
        """How many pictures of a batch have a person of their own; 1 if all show the same."""
        return len(self.vector) if self.combine == ONE_EACH else 1

    @property
    def is_zero(self) -> bool:
        """True if it stands for nobody: no photo showed a face."""
        return not bool(self.vector.any())


def embed_person(
    analyser: FaceAnalyser,
    photos: Sequence[np.ndarray],
    *,
    order: str = LARGE_TO_SMALL,
    index: int = 0,
    threshold: float = 0.5,
    no_face: str = ERROR,
    channel_order: str = BGR,
    combine: str = NORM_MEAN,
    on_photo: Callable[[int], None] = lambda done: None,
) -> tuple[IDEmbedding, list[PhotoFaces]]:
    """Recognise one person in one or more photos.

    photos: uint8 RGB pictures (H, W, 3).
    order, index: which face of a photo is the person, a key of :data:`~.face_choice.FACE_ORDERS` and a place in it.
    threshold: the lowest detection score of a face.
    no_face: one of :data:`NO_FACE_POLICIES`.
    combine: one of :data:`COMBINE_METHODS`, for several photos.
    on_photo: called before each photo and after the last with how many are done; what it raises ends the work.
    Returns the embedding and, per photo, the faces found.
    Raises NoFaceError for a photo without a face (policy ``error``) or with too few for ``index``.
    """
    if not photos:
        raise ValueError("At least one photo is needed for an ID embedding.")
    vectors: list[np.ndarray] = []
    found: list[PhotoFaces] = []
    for number, photo in enumerate(photos, start=1):
        on_photo(number - 1)
        pixels = photo[..., ::-1] if channel_order == BGR else photo
        name = photo_name(photo, number, len(photos))
        try:
            faces = detect_faces(analyser, pixels, name, order=order, threshold=threshold)
        except NobodyError as nobody:
            if no_face == ERROR:
                raise
            logger.warning("%s Counted as a zero vector.", nobody)
            vectors.append(np.zeros(EMBEDDING_WIDTH, np.float32))
            found.append(PhotoFaces((), None))
            continue
        face = require_face(faces, index, name, threshold)
        vectors.append(analyser.embed(pixels, face))
        found.append(PhotoFaces(faces, index))
    on_photo(len(photos))
    embedding = IDEmbedding(
        _combined(np.stack(vectors), np.ones(len(vectors)), combine),
        channel_order,
        photos=sum(photo.chosen is not None for photo in found),
        combine=combine,
        source=hash_photos(photos),
    )
    return embedding, found


def combine_embeddings(
    embeddings: Sequence[IDEmbedding], weights: Sequence[float] | None = None, *, combine: str = NORM_MEAN
) -> IDEmbedding:
    """One ID embedding from several.

    weights: one per embedding, 0 and above; by default all count alike, however many photos each is from.
    ``concat`` and ``one per latent`` keep whole vectors, so there a weight of 0 only leaves an embedding out.
    combine: one of :data:`COMBINE_METHODS`.
    Raises ValueError if they do not belong together, or nothing has a weight.
    """
    weights = [1.0] * len(embeddings) if weights is None else list(weights)
    if len(weights) != len(embeddings) or not are_shares(weights):
        raise ValueError(
            f"Weights {weights} do not fit {len(embeddings)} ID embeddings: give each a weight of at least 0, "
            "and one of them more than 0."
        )
    used = [(one, weight) for one, weight in zip(embeddings, weights, strict=True) if weight]
    for what in ("recogniser", "channel_order"):
        values = sorted({getattr(one, what) for one, _ in used})
        if len(values) > 1:
            raise ValueError(
                f"These ID embeddings cannot be combined: their {what.replace('_', ' ')}s are {' and '.join(values)}. "
                "Make all of them with the same settings."
            )
    split = [one for one, _ in used if len(one.vector) > one.people]
    if combine == ONE_EACH and split:
        raise ValueError(
            f"One of these ID embeddings has {len(split[0].vector)} vectors of the same person ({CONCAT}), but for one "
            f"per latent each person has one. Make it with {NORM_MEAN} or {MEAN}."
        )
    vectors = torch.cat([one.vector for one, _ in used]).numpy()
    # The vectors of a concatenated embedding share its weight.
    shares = np.concatenate([np.full(len(one.vector), weight / len(one.vector)) for one, weight in used])
    first = used[0][0]
    return IDEmbedding(
        _combined(vectors, shares, combine),
        first.channel_order,
        first.recogniser,
        photos=sum(one.photos for one, _ in used),
        combine=combine,
        source=_hash(one.source.encode() for one, _ in used) if all(one.source for one, _ in used) else "",
    )


def hash_photos(photos: Sequence[np.ndarray]) -> str:
    """Tells whether two embeddings are of the same pictures: 32 hexadecimal digits.

    photos: uint8 RGB pictures (H, W, 3).
    """
    return _hash(part for photo in photos for part in (str(photo.shape).encode(), photo.tobytes()))


def _hash(parts: Iterable[bytes]) -> str:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _combined(vectors: np.ndarray, weights: np.ndarray, combine: str) -> torch.Tensor:
    """(1, 512), or all of them where they are kept apart.

    vectors: (n, 512), of unit length, or zeros for a photo without a face.  weights: (n,).
    """
    if combine in (CONCAT, ONE_EACH):
        return torch.from_numpy(vectors.astype(np.float32))
    total = (vectors.astype(np.float64) * weights[:, None]).sum(axis=0)
    if combine == NORM_MEAN and vectors.any():
        length = np.linalg.norm(total)
        if length < 1e-6 * weights.sum():
            raise ValueError(
                "The faces of the photos cancel each other out: they cannot be of one person. "
                "Use photos of one person, or choose another face_index."
            )
        total = total / length
    elif combine == MEAN:
        total = total / weights.sum()
    return torch.from_numpy(total.astype(np.float32)).unsqueeze(0)
