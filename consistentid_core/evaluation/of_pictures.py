"""What a picture is apart from the person: its faces, its prompt, its looks, its time; and the set as a whole."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from ..data.sources import Refusal, content_id
from .findings import HIGHER, NOT_GIVEN, Findings, Metric
from .intervals import estimate
from .material import Material, cosine, short
from .metrics.detection import detection, face_share
from .metrics.distribution import FEWEST, fid, kid
from .metrics.diversity import pairs_to_compare
from .metrics.embedding import clip_t, cosine_pairs
from .metrics.speed import seconds_by_phase
from .vectors import stacked

#: Orientations of EXIF by which a picture lies on its side in the file.
_LYING = (5, 6, 7, 8)


def of_faces(m: Material, out: Findings) -> None:
    """Whether faces are found, and how large."""
    if "faces" not in m.extractors:
        out.leave_out("detection rate, face share", f"{NOT_GIVEN} (--insightface)")
        return
    faces = m.features("faces")
    found = [faces.get(m.contents[row.item.picture], np.zeros((0, 15))) for row in m.rows]
    m.boxes = boxes_of = [one[:, :4] for one in found]
    rate = detection([len(one) for one in found], [len(row.item.subjects) for row in m.rows])
    out.add(Metric("detection_rate", "Faces found", "", HIGHER, m.on_first(rate)))
    sizes = _sizes(m)
    share = np.array(
        [
            face_share(boxes[0], *sizes[row.item.picture]) if len(boxes) else np.nan
            for row, boxes in zip(m.rows, boxes_of, strict=True)
        ]
    )
    out.add(Metric("face_share", "Face, share of the picture", "", "", m.on_first(share)))
    for subject in m.subjects:
        if not len(faces.get(m.contents[subject.reference], ())):
            m.problems.append(
                Refusal(
                    short(subject.reference),
                    "no face in the reference",
                    "no likeness is computed to it; use a larger, less turned face",
                )
            )


def _sizes(m: Material) -> dict[Path, tuple[int, int]]:
    """Width and height of the upright pictures, in which faces were found."""
    sizes = {}
    for item in m.items:
        with Image.open(item.picture) as picture:
            lies = picture.getexif().get(ExifTags.Base.Orientation) in _LYING
            sizes[item.picture] = picture.size[::-1] if lies else picture.size
    return sizes


def of_whole_pictures(m: Material, out: Findings) -> None:
    """CLIP-T, CLIP-I and DINO."""
    for clip in m.networks.clips:
        features = m.features(f"clip/{clip.name}")
        drawn = m.stack(features, [row.item.picture for row in m.rows])
        references = m.stack(features, [row.subject.reference for row in m.rows])
        _follow_prompts(m, out, clip, drawn)
        _similar(m, out, "clip_i", "CLIP-I to the reference", clip.name, features, drawn, references)
        plain = [row.item.plain for row in m.rows]
        if any(path is not None for path in plain):
            twins = m.stack(features, plain)
            out.add(
                Metric(
                    f"clip_before_after/{clip.name}",
                    "CLIP-I before and after the identity",
                    clip.name,
                    HIGHER,
                    m.on_first(cosine_pairs(drawn, twins)),
                    note="low: the identity disturbs the picture",
                )
            )
        elif clip is m.networks.clips[0]:
            out.leave_out("CLIP-I before and after", "there are no pictures of the plain model")
    if not m.networks.clips:
        out.leave_out("CLIP-T, CLIP-I", f"{NOT_GIVEN} (--clip)")
    if (dino := m.networks.dino) is not None:
        features = m.features("dino")
        drawn = m.stack(features, [row.item.picture for row in m.rows])
        references = m.stack(features, [row.subject.reference for row in m.rows])
        _similar(m, out, "dino", "DINO", dino.name, features, drawn, references)
    else:
        out.leave_out("DINO", f"{NOT_GIVEN} (--dino)")


def _follow_prompts(m: Material, out: Findings, clip: Any, drawn: np.ndarray) -> None:
    texts = list(dict.fromkeys(row.item.prompt for row in m.rows if row.item.prompt))
    if not texts:
        out.leave_out(f"CLIP-T ({clip.name})", "no picture has a prompt")
        return
    key = f"clip-text/{clip.sha256}"
    names = {text: content_id(text.encode()) for text in texts}
    known = m.store.known(key)
    if new := [text for text in texts if names[text] not in known]:
        vectors = clip.encode_texts(new)
        m.store.put(key, {names[text]: vector for text, vector in zip(new, vectors, strict=True)})
    vectors = m.store.get(key, names.values())
    prompts = stacked(vectors, [names.get(row.item.prompt) for row in m.rows])
    out.add(Metric(f"clip_t/{clip.name}", "CLIP-T", clip.name, HIGHER, m.on_first(clip_t(drawn, prompts))))
    if cut := sum(clip.is_cut_off(text) for text in texts):
        out.warnings.append(f"{cut} prompts are longer than {clip.name} reads; it judges their beginning.")


def _similar(
    m: Material,
    out: Findings,
    key: str,
    title: str,
    network: str,
    features: Mapping[str, np.ndarray],
    drawn: np.ndarray,
    references: np.ndarray,
) -> None:
    def one(path: Path | None) -> np.ndarray:
        return m.stack(features, [path])[0].astype(np.float64)

    levels = m.levels(cosine, one)
    name = f"{key}/{network}"
    out.add(Metric(name, title, network, HIGHER, cosine_pairs(drawn, references), levels=levels))


def of_distributions(m: Material, out: Findings) -> None:
    """FID and KID."""
    if m.networks.inception is None:
        out.leave_out("FID, KID", f"{NOT_GIVEN} (--inception)")
        return
    features = m.features("inception")
    photos = m.photos or [path for subject in m.subjects for path in (subject.reference, *subject.others)]
    sets = [
        np.stack(found) if (found := _known(m, features, paths)) else np.zeros((0, 1))
        for paths in ([item.picture for item in m.items], photos)
    ]
    if min(map(len, sets)) < 2:
        out.leave_out("FID, KID", "it takes two pictures and two photos or more")
        return
    distances = {"fid": fid(*sets), "kid": kid(*sets)}
    out.distances = distances
    if distances["fid"].is_small:
        out.warnings.append(
            f"FID and KID of {len(sets[0]):,} pictures and {len(sets[1]):,} photos: below {FEWEST:,} of each they "
            "say more about these numbers than about the pictures."
        )


def _known(m: Material, features: Mapping[str, np.ndarray], paths: Sequence[Path]) -> list[np.ndarray]:
    contents = dict.fromkeys(m.contents[path] for path in paths if path in m.contents)
    return [features[content] for content in contents if content in features]


def of_diversity(m: Material, out: Findings) -> None:
    """How different the faces of one person look."""
    perceptual = m.networks.perceptual
    if perceptual is None or "crop" not in m.extractors:
        out.leave_out("diversity", f"{NOT_GIVEN} (--lpips, --insightface)")
        return
    crops = {content: crop for content, crop in m.features("crop").items() if crop.ndim == 3}
    people: dict[Any, list[str]] = {}
    for row in m.rows:
        content = m.contents[row.item.picture]
        if content in crops and len(row.item.subjects) == 1:
            people.setdefault(row.subject.name, []).append(content)
    pairs = pairs_to_compare(people)
    if not pairs:
        out.leave_out("diversity", "nobody has two different pictures with a face")
        return
    key = f"lpips/{perceptual.sha256}/{m.extractors['crop'].key}"
    known = m.store.known(key)
    new = [(a, b) for _, a, b in pairs if f"{a}:{b}" not in known]
    distances = perceptual.distances([(crops[a], crops[b]) for a, b in new])
    m.store.put(key, {f"{a}:{b}": np.array([value]) for (a, b), value in zip(new, distances, strict=True)})
    kept = m.store.get(key, [f"{a}:{b}" for _, a, b in pairs])
    values = np.array([float(kept[f"{a}:{b}"][0]) for _, a, b in pairs])
    out.diversity = estimate(values, [person for person, _, _ in pairs])


def of_times(m: Material, out: Findings) -> None:
    """How long pictures took."""
    times = seconds_by_phase([item.seconds for item in m.items], [item.phase for item in m.items])
    if not times:
        out.leave_out("time", "it is not known how long the pictures took")
    out.times = {phase: estimate(values) for phase, values in times.items()}
