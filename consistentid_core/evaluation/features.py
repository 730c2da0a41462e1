"""What the networks say of pictures: each picture is read once, in batches, and only if something is not known yet."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..data.sources import Refusal, UnusableError, open_photo
from ..faces.face_parts import find_parts
from ..identity.face_analysis import Face
from ..identity.face_choice import FACE_ORDERS, LARGE_TO_SMALL
from ..regions import REGION_NAMES
from .feature_store import FeatureStore
from .metrics.fgis import CROPS, encode_parts, face_square, part_crops
from .networks import Networks
from .perceptual import SIDE
from .recognisers import BGR, RGB, align_all

#: Faces of a picture that are looked at, in the order of ID Embedding.
MOST_FACES = 8
#: What is kept of a face: box, points, score.
_FACE_NUMBERS = 15
#: Parts are compared of so many faces: a crowd behind the person would cost more than the person.
MOST_PARSED = 4
#: Changes when a preparation changes, so that old results are not taken for new ones.
_PREPARED = "1"


@dataclass(frozen=True)
class Extractor:
    """One network's word on pictures.

    key: names the network and the preparation.
    prepare: (picture, faces) -> what the network gets.  compute: a batch of these -> an array each.
    """

    key: str
    prepare: Callable[[np.ndarray, Sequence[Face]], Any]
    compute: Callable[[Sequence[Any]], Sequence[np.ndarray]]


def extractors_of(networks: Networks, *, order: str = LARGE_TO_SMALL) -> dict[str, Extractor]:
    """All that the networks can say, by role: ``faces``, ``recogniser/<name>``, ``parts``, ``clip/<name>``, ``dino``,
    ``inception``, ``crop``.

    order: which face comes first, a key of :data:`~..identity.face_choice.FACE_ORDERS`.
    """
    found: dict[str, Extractor] = {}
    detector = f"{networks.detector_sha256}/{order}/{_PREPARED}"
    if networks.detect is not None:
        found["faces"] = Extractor(f"faces/{detector}", lambda picture, faces: faces, _faces_to_arrays)
        found["crop"] = Extractor(f"crop/{detector}", _face_crop, lambda crops: list(crops))
        for one in networks.recognisers:
            # Results of RGB have no word for it, so that those of before are found.
            colours = "/BGR" if getattr(one, "colours", RGB) == BGR else ""
            found[f"recogniser/{one.name}"] = Extractor(
                f"recogniser/{one.sha256}/{detector}{colours}", _aligned, _in_one_call(one.embed)
            )
        if networks.parse is not None and networks.dino is not None:
            key = f"parts/{networks.dino.sha256}/{networks.parser_sha256}/{detector}"
            found["parts"] = Extractor(key, _cut_parts(networks.parse), _encode_parts(networks.dino))
    for clip in networks.clips:
        found[f"clip/{clip.name}"] = Extractor(
            f"clip/{clip.sha256}/{_PREPARED}",
            _alone(clip.prepare),
            _listed(clip.encode_prepared),
        )
    if (dino := networks.dino) is not None:
        found["dino"] = Extractor(
            f"dino/{dino.sha256}/{_PREPARED}",
            lambda picture, faces: picture,
            lambda batch: list(dino.encode(batch, whole=False)),
        )
    if (inception := networks.inception) is not None:
        found["inception"] = Extractor(
            f"inception/{inception.sha256}/{_PREPARED}", lambda picture, faces: picture, inception.encode
        )
    return found


def _alone(prepare: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray, Sequence[Face]], Any]:
    return lambda picture, faces: prepare(picture)


def _listed(encode: Callable[[Sequence[Any]], np.ndarray]) -> Callable[[Sequence[Any]], list[np.ndarray]]:
    return lambda batch: list(encode(batch))


def extract(
    pictures: Mapping[str, Path],
    extractors: Mapping[str, Extractor],
    networks: Networks,
    store: FeatureStore,
    *,
    batch: int = 16,
    order: str = LARGE_TO_SMALL,
    wanted: Callable[[str], Iterable[str]] | None = None,
    on_picture: Callable[[], None] = lambda: None,
) -> list[Refusal]:
    """Fill the store with what is not in it.

    pictures: files by content.  wanted: the roles that are asked for of a picture; all by default.
    on_picture: called after each.
    Returns the pictures that cannot be opened.
    """
    known = {role: store.known(one.key) for role, one in extractors.items()}
    todo = {}
    for content in pictures:
        roles = extractors if wanted is None else [role for role in wanted(content) if role in extractors]
        if missing := [role for role in roles if content not in known[role]]:
            todo[content] = missing
        else:
            on_picture()
    waiting: dict[str, list[tuple[str, Any]]] = {role: [] for role in extractors}

    def flush(role: str) -> None:
        if waiting[role]:
            contents, prepared = zip(*waiting[role], strict=True)
            waiting[role] = []
            store.put(
                extractors[role].key,
                dict(zip(contents, extractors[role].compute(prepared), strict=True)),
            )

    refused = []
    for content, picture in _opened({content: pictures[content] for content in todo}):
        on_picture()
        if isinstance(picture, Refusal):
            refused.append(picture)
            continue
        faces = _find_faces(picture, content, todo[content], extractors, networks, store, order)
        for role in todo[content]:
            waiting[role].append((content, extractors[role].prepare(picture, faces)))
            if len(waiting[role]) >= batch:
                flush(role)
    for role in waiting:
        flush(role)
    return refused


def _opened(pictures: Mapping[str, Path]) -> Iterable[tuple[str, np.ndarray | Refusal]]:
    """Every picture, decoded ahead by two threads."""

    def read(path: Path) -> np.ndarray | Refusal:
        try:
            return open_photo(path.read_bytes())[0]
        except UnusableError as error:
            return Refusal(str(path), error.reason, error.detail)
        except OSError as error:
            return Refusal(str(path), "cannot be read", error.strerror or "")

    items = list(pictures.items())
    with ThreadPoolExecutor(2) as pool:
        ahead = [pool.submit(read, path) for _, path in items[:4]]
        for number, (content, _) in enumerate(items):
            picture = ahead.pop(0).result()
            if number + 4 < len(items):
                ahead.append(pool.submit(read, items[number + 4][1]))
            yield content, picture


def _find_faces(
    picture: np.ndarray,
    content: str,
    roles: Sequence[str],
    extractors: Mapping[str, Extractor],
    networks: Networks,
    store: FeatureStore,
    order: str,
) -> list[Face]:
    """The faces of a picture, kept or found."""
    of_faces = ("faces", "crop", "parts", "recogniser")
    if networks.detect is None or not any(role.split("/")[0] in of_faces for role in roles):
        return []
    if "faces" not in roles:
        kept = store.get(extractors["faces"].key, [content])
        if content in kept:
            return faces_from_array(kept[content])
    return sorted(networks.detect(picture), key=FACE_ORDERS[order])[:MOST_FACES]


def faces_from_array(array: np.ndarray) -> list[Face]:
    """What is kept of faces, (k, 15), as faces."""
    return [
        Face(tuple(row[:4].tolist()), row[4:14].reshape(5, 2).astype(np.float32), float(row[14]))
        for row in array
    ]


def _faces_to_arrays(several: Sequence[Sequence[Face]]) -> list[np.ndarray]:
    return [
        np.array([[*face.box, *np.ravel(face.points), face.score] for face in faces], np.float64).reshape(
            -1, _FACE_NUMBERS
        )
        for faces in several
    ]


def _aligned(picture: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    return align_all([(picture, face.points) for face in faces])


def _in_one_call(
    embed: Callable[[np.ndarray], np.ndarray],
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """The vectors of the faces of several pictures, (k, d) each."""

    def compute(several: Sequence[np.ndarray]) -> list[np.ndarray]:
        vectors = embed(np.concatenate(several))
        return np.split(vectors, np.cumsum([len(faces) for faces in several])[:-1])

    return compute


def _cut_parts(parse: Callable[[np.ndarray], np.ndarray]) -> Callable[..., list[dict[str, np.ndarray]]]:
    """Crops by ``<how>/<region>`` of each of the first faces."""

    def prepare(picture: np.ndarray, faces: Sequence[Face]) -> list[dict[str, np.ndarray]]:
        found = []
        for face in faces[:MOST_PARSED]:
            square = face_square(picture, face.box)
            parts = find_parts(parse(square), pair="both")
            found.append(
                {
                    f"{how}/{region}": crop
                    for how in CROPS
                    for region, crop in part_crops(square, parts, how).items()
                }
            )
        return found

    return prepare


def _encode_parts(dino: Any) -> Callable[[Sequence[list[dict[str, np.ndarray]]]], list[np.ndarray]]:
    """(faces, crops, regions, d) of each picture; NaN for a part that is not shown."""

    def compute(several: Sequence[list[dict[str, np.ndarray]]]) -> list[np.ndarray]:
        vectors = iter(encode_parts(dino, [face for faces in several for face in faces]))
        arrays = []
        for faces in several:
            array = np.full((len(faces), len(CROPS), len(REGION_NAMES), dino.size), np.nan, np.float32)
            for number in range(len(faces)):
                for name, vector in next(vectors).items():
                    how, region = name.split("/")
                    array[number, CROPS.index(how), REGION_NAMES.index(region)] = vector
            arrays.append(array)
        return arrays

    return compute


def _face_crop(picture: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """The first face as LPIPS compares it, uint8 (128, 128, 3); (0,) without a face."""
    if not faces:
        return np.zeros(0, np.uint8)
    left, top, right, bottom = faces[0].box
    side = 1.4 * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    box = (round(x - side / 2), round(y - side / 2), round(x + side / 2), round(y + side / 2))
    return np.asarray(Image.fromarray(picture).crop(box).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
