"""Whether the right person is in the picture: by face recognisers, and by facial part."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..regions import REGION_NAMES
from .findings import HIGHER, LOWER, NOT_GIVEN, Findings, Metric
from .material import Material, cosine
from .metrics.copy_paste import copy_paste
from .metrics.embedding import cosine_pairs
from .metrics.fgis import CROPS, compare_parts
from .metrics.id_conf import id_conf
from .metrics.likeness import likeness, rank_in_gallery
from .metrics.null_levels import NullLevel, published_levels
from .pictures import Subject
from .recognisers import Recogniser
from .vectors import Faces


def of_people(m: Material, out: Findings) -> None:
    """Likeness by every recogniser, and by facial part."""
    recognisers = m.networks.recognisers
    judges = [number for number, one in enumerate(recognisers) if one.name not in m.networks.conditioners]
    # The headline is by the first that does not condition the pictures.
    judge = judges[0] if judges else 0
    matches: list[int | None] = [0] * len(m.rows)
    for number, one in enumerate(recognisers):
        matched = _of_recogniser(m, out, one, is_judge=number == judge)
        if number == judge and matched:
            matches = matched
    if not recognisers or m.networks.detect is None:
        out.leave_out("FaceSim, rank, copy-paste, ID-Conf", f"{NOT_GIVEN} (--insightface, --recogniser)")
    elif len(recognisers) == 1:
        out.warnings.append(
            "One recogniser alone: give a second one with --recogniser, of which the picture was not made."
        )
    of_parts(m, out, matches)


def _of_recogniser(m: Material, out: Findings, one: Recogniser, *, is_judge: bool) -> list[int | None]:
    """Everything one recogniser says; returns which face of its picture each row is."""
    role = f"recogniser/{one.name}"
    if role not in m.extractors:
        return []
    faces = Faces(m.features(role), m.contents, one.size)
    note = "conditions the pictures" if one.name in m.networks.conditioners else ""
    matched = _matched(m, faces)
    drawn = np.stack([faces.of(row.item.picture, face) for row, face in zip(m.rows, matched, strict=True)])
    references = np.stack([faces.first(row.subject.reference) for row in m.rows])
    gallery = np.stack([faces.first(same[0].reference) for same in m.people.values()])
    places = {content: number for number, content in enumerate(m.people)}
    right = np.array([places[m.contents[row.subject.reference]] for row in m.rows])
    together = _by_other_photo(m)
    by_subject = {subject: _other_vectors(faces, subject, together) for subject in m.subjects}
    others = [by_subject[row.subject] for row in m.rows]
    defined = ~np.isnan(references).any(axis=1)
    measured = m.levels(cosine, faces.first, lambda subject: list(by_subject[subject]))
    names = {level.name for level in measured}
    levels = measured + [level for level in published_levels(one) if level.name not in names]

    def add(key: str, title: str, better: str, values: np.ndarray, **more: Any) -> None:
        out.add(Metric(f"{key}/{one.name}", title, one.name, better, values, **{"note": note} | more))

    known = ~np.isnan(gallery).any(axis=1)
    if known.sum() >= 2:
        scores = np.where(known[None], likeness(drawn, np.where(known[:, None], gallery, 1.0)), -2.0)
        ranks = rank_in_gallery(scores, right)
        size = int(known.sum())
        if size <= 10 and is_judge:
            out.leave_out("right person among the first 10", f"there are {size} people in all")
        for k in (1, 10) if size > 10 else (1,):
            chance = NullLevel("chance", *(min(1.0, k / size),) * 3, measured_pairs=size)
            add(
                f"top{k}",
                f"Right person among the first {k} of {size}" if k > 1 else f"Right person first of {size}",
                HIGHER,
                np.where(np.isnan(ranks), np.nan, ranks <= k),
                defined=defined,
                counts_misses=True,
                levels=[chance],
            )
        add("rank", f"Its rank among {size}", LOWER, ranks, defined=defined, median=True)
    elif is_judge:
        out.leave_out("rank in the gallery", "it takes two people or more")
    own = cosine_pairs(drawn, references)
    add("face_sim", "FaceSim", HIGHER, own, defined=defined, counts_misses=True, levels=levels)
    if any(len(several) for several in others):
        _to_other_photos(drawn, references, others, levels, add)
    elif is_judge:
        out.leave_out("copy-paste, FaceSim to another photo", "nobody has a second photo")
    _blends(m, out, faces, add, is_judge=is_judge)
    return matched


def _matched(m: Material, faces: Faces) -> list[int | None]:
    matched: dict[Path, list[int | None]] = {}
    for row in m.rows:
        path = row.item.picture
        if path not in matched:
            known = [one for one in row.item.subjects if one.reference in m.contents]
            matched[path] = faces.matched(path, known)
    return [matched[row.item.picture][row.place] for row in m.rows]


def _by_other_photo(m: Material) -> dict[Path, list[Subject]]:
    """All whose second photo a file is: MultiID-Bench has all people of a case in one."""
    found: dict[Path, list[Subject]] = {}
    for subject in m.subjects:
        for path in subject.others:
            found.setdefault(path, []).append(subject)
    return found


def _other_vectors(faces: Faces, subject: Subject, together: Mapping[Path, Sequence[Subject]]) -> np.ndarray:
    """The person's face in each of the other photos, (photos, d)."""
    found = [np.zeros((0, len(faces.first(None))))]
    for path in subject.others:
        several, people = faces.all(path), together[path]
        if len(people) > 1:
            face = faces.matched(path, people)[people.index(subject)]
            several = several[[face]] if face is not None else several[:0]
        found.append(several[:1])
    return np.concatenate(found)


def _to_other_photos(
    drawn: np.ndarray,
    references: np.ndarray,
    others: Sequence[np.ndarray],
    levels: list[NullLevel],
    add: Callable[..., None],
) -> None:
    """others: the other photos of each row's person."""
    scores, pasted = np.full(len(drawn), np.nan), np.full(len(drawn), np.nan)
    for number, targets in enumerate(others):
        if len(targets):
            same = np.repeat(drawn[number : number + 1], len(targets), 0)
            reference = np.repeat(references[number : number + 1], len(targets), 0)
            scores[number] = _mean(cosine_pairs(same, targets))
            pasted[number] = _mean(copy_paste(same, targets, reference))
    defined = np.array([len(targets) > 0 for targets in others])
    add(
        "face_sim_other",
        "FaceSim to another photo",
        HIGHER,
        scores,
        defined=defined,
        counts_misses=True,
        levels=levels,
    )
    add("copy_paste", "Copy-paste", LOWER, pasted, defined=defined)


def _blends(m: Material, out: Findings, faces: Faces, add: Callable[..., None], *, is_judge: bool) -> None:
    if not any(len(item.subjects) > 1 for item in m.items):
        if is_judge:
            out.leave_out("ID-Conf", "no picture is to show several people")
        return
    values = np.full(len(m.rows), np.nan)
    for number, row in enumerate(m.rows):
        people = [faces.first(subject.reference) for subject in row.item.subjects]
        people = [person for person in people if not np.isnan(person).any()]
        found = faces.all(row.item.picture)
        if row.is_first and len(people) > 1 and len(found):
            values[number] = _mean(id_conf(likeness(found, np.stack(people))))
    add("id_conf", "ID-Conf", HIGHER, values)


def of_parts(m: Material, out: Findings, matches: Sequence[int | None]) -> None:
    """FGIS.  matches: which face of its picture each row is."""
    if "parts" not in m.extractors:
        lacking = [
            option
            for option, there in (
                ("--insightface", m.networks.detect),
                ("--face-parser", m.networks.parse),
                ("--dino", m.networks.dino),
            )
            if there is None
        ]
        out.leave_out("FGIS", f"{NOT_GIVEN} ({', '.join(lacking)})")
        return
    parts, dino = m.features("parts"), m.networks.dino
    assert dino is not None
    together = _by_other_photo(m)
    for how in CROPS:

        def of(path: Path, face: int | None, how: str = how) -> dict[str, np.ndarray]:
            found = parts.get(m.contents.get(path, ""), ())
            if face is None or face >= len(found):
                return {}
            vectors = found[face][CROPS.index(how)]
            return {
                region: vector
                for region, vector in zip(REGION_NAMES, vectors, strict=True)
                if not np.isnan(vector).any()
            }

        compared = [
            compare_parts(of(row.subject.reference, 0), of(row.item.picture, face))
            for row, face in zip(m.rows, matches, strict=True)
        ]
        defined = np.array([bool(of(row.subject.reference, 0)) for row in m.rows])
        levels = m.levels(
            lambda a, b: compare_parts(a, b).mean,
            lambda path: of(path, 0),
            # Which face of a photo of several people is whose, the parts do not know.
            lambda subject: [of(path, 0) for path in subject.others if len(together[path]) == 1],
        )
        out.add(
            Metric(
                f"fgis/{how}",
                f"FGIS, {how} crops",
                dino.name,
                HIGHER,
                np.array([one.mean for one in compared]),
                defined=defined,
                counts_misses=True,
                levels=levels,
            )
        )
        for region in REGION_NAMES:
            values = np.array([one.scores.get(region, np.nan) for one in compared])
            out.per_part.setdefault(region, {})[how] = m.whole(values)
        if how == CROPS[0]:
            has_face = [
                face is not None and face < len(parts.get(m.contents[row.item.picture], ()))
                for row, face in zip(m.rows, matches, strict=True)
            ]
            coverage = np.where(has_face, [one.coverage for one in compared], np.nan)
            out.add(
                Metric(
                    "fgis_coverage",
                    "Parts of the reference that are shown",
                    dino.name,
                    HIGHER,
                    coverage,
                    defined=defined,
                    counts_misses=True,
                )
            )


def _mean(values: np.ndarray) -> float:
    found = values[~np.isnan(values)]
    return float(found.mean()) if len(found) else float("nan")
