"""Score pictures: all metrics that the given networks allow, with what they are read against."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from ..data.progress import Progress
from ..data.sources import Refusal, Source, content_id, hash_sources
from ..errors import EvaluationError
from ..identity.face_choice import FACE_ORDERS, LARGE_TO_SMALL
from ..regions import REGION_NAMES
from .feature_store import FeatureStore
from .features import extract, extractors_of
from .intervals import Estimate, estimate, estimate_median
from .levels import levels_of
from .metrics.copy_paste import copy_paste
from .metrics.detection import detection, face_share
from .metrics.distribution import FEWEST, Distance, fid, kid
from .metrics.diversity import pairs_to_compare
from .metrics.embedding import clip_t, cosine_pairs
from .metrics.fgis import CROPS, compare_parts
from .metrics.id_conf import id_conf
from .metrics.likeness import likeness, rank_in_gallery
from .metrics.null_levels import NullLevel, published_levels
from .metrics.speed import PHASES, seconds_by_phase
from .networks import Networks
from .pictures import Collection, Item, Subject
from .recognisers import Recogniser
from .result import FORMAT, VERSION, Result, estimate_to_json
from .vectors import Faces, Row, stacked

HIGHER, LOWER = "higher", "lower"
#: With more people than this, each of them has a mean without an interval.
_MOST_INTERVALS = 60
_NOT_GIVEN = "weights not given"


@dataclass
class _Metric:
    """values: one for each row; NaN where it is missing.  defined: rows in which it could have a value."""

    key: str
    title: str
    network: str
    better: str
    values: np.ndarray
    defined: np.ndarray | None = None
    counts_misses: bool = False
    median: bool = False
    levels: list[NullLevel] = field(default_factory=list)
    note: str = ""


def score(
    collection: Collection,
    networks: Networks,
    store: FeatureStore,
    *,
    photos: Sequence[Path] = (),
    order: str = LARGE_TO_SMALL,
    batch: int = 16,
    stop_at_problem: bool = False,
    progress: Callable[[int], Progress] | None = None,
) -> Result:
    """Score a collection; the form of the result is in docs/evaluation.md.

    photos: what FID and KID compare with; all photos of the people by default.
    order: which face of a picture is the person's, as in ID Embedding.
    stop_at_problem: raise EvaluationError for a picture that cannot be used, instead of counting it.
    """
    if order not in FACE_ORDERS:
        raise ValueError(f"'{order}' is no order of faces. Expected one of: {', '.join(FACE_ORDERS)}.")
    scoring = _Scoring(collection, networks, store, list(photos), order)
    scoring.read(batch, progress)
    if stop_at_problem and scoring.problems:
        listed = "".join(f"\n  {one.name}: {one.reason} ({one.detail})" for one in scoring.problems[:20])
        raise EvaluationError(
            f"{len(scoring.problems)} pictures cannot be used, and it was asked to stop at such:{listed}\nMend or "
            "remove them, or let them be counted and left out."
        )
    scoring.compute()
    return scoring.result()


class _Scoring:
    def __init__(
        self,
        collection: Collection,
        networks: Networks,
        store: FeatureStore,
        photos: list[Path],
        order: str,
    ):
        self._collection, self._networks, self._store = collection, networks, store
        self._photos, self._order = photos, order
        self._extractors = extractors_of(networks, order=order)
        self._contents: dict[Path, str] = {}
        self._rows: list[Row] = []
        self._metrics: list[_Metric] = []
        self._missing: list[dict[str, str]] = []
        self._warnings: list[str] = []
        self._extra: dict[str, Any] = {}
        self.problems = list(collection.problems)

    # ------------------------------------------------------------ reading

    def read(self, batch: int, progress: Callable[[int], Progress] | None) -> None:
        """Fill the store with all features; note what cannot be read."""
        drawn, people = {}, {}
        for item in self._collection.items:
            drawn[item.picture] = item
            for subject in item.subjects:
                people[subject.reference] = subject
        others = [path for subject in people.values() for path in subject.others]
        plain = [item.plain for item in self._collection.items if item.plain is not None]
        self._contents = self._hashed([*drawn, *people, *others, *plain, *self._photos])
        roles: dict[str, set[str]] = {}
        every = set(self._extractors)
        for paths, wanted in (
            (drawn, every),
            (people, every - {"crop"}),
            (others, every - {"crop"}),
            (plain, every - {"crop", "inception"}),
            (self._photos, {"inception"}),
        ):
            for path in paths:
                if path in self._contents:
                    roles.setdefault(self._contents[path], set()).update(wanted)
        files = {content: path for path, content in self._contents.items()}
        shown = progress(len(files)) if progress is not None else None
        refused = extract(
            files,
            self._extractors,
            self._networks,
            self._store,
            batch=batch,
            order=self._order,
            wanted=lambda content: sorted(roles.get(content, ())),
            on_picture=shown.step if shown is not None else lambda: None,
        )
        if shown is not None:
            shown.end()
        broken = {self._contents[Path(one.name)] for one in refused}
        self._contents = {path: content for path, content in self._contents.items() if content not in broken}
        self.problems += [Refusal(_short(one.name), one.reason, one.detail) for one in refused]
        self._choose_rows()

    def _hashed(self, paths: Sequence[Path]) -> dict[Path, str]:
        sources = [Source(str(path), _short(path), 0, 0) for path in dict.fromkeys(paths)]
        found = {}
        for source, content in hash_sources(sources):
            if isinstance(content, Refusal):
                self.problems.append(content)
            else:
                found[Path(source.path)] = content
        return found

    def _choose_rows(self) -> None:
        """A picture counts if it can be read, and so can a photo of whom it is to show."""
        for item in self._collection.items:
            if item.picture not in self._contents:
                continue
            known = [one for one in item.subjects if one.reference in self._contents]
            self._rows += [Row(item, subject, place) for place, subject in enumerate(known)]
        if not self._rows:
            listed = "".join(f"\n  {one.name}: {one.reason} ({one.detail})" for one in self.problems[:10])
            raise EvaluationError(
                f"None of the pictures can be scored. Mend what is wrong with them:{listed}"
            )
        self._items = [row.item for row in self._rows if row.is_first]
        subjects = {row.subject.reference: row.subject for row in self._rows}
        self._subjects = list(subjects.values())
        self._first = np.array([row.is_first for row in self._rows])

    def _features(self, role: str) -> dict[str, np.ndarray]:
        return self._store.get(self._extractors[role].key, set(self._contents.values()))

    # ------------------------------------------------------------ metrics

    def compute(self) -> None:
        self._of_faces()
        for number, one in enumerate(self._networks.recognisers):
            self._of_recogniser(one, is_judge=number == self._judge)
        if not self._networks.recognisers or self._networks.detect is None:
            self._leave_out(
                "FaceSim, rank, copy-paste, ID-Conf", f"{_NOT_GIVEN} (--insightface, --recogniser)"
            )
        elif len(self._networks.recognisers) == 1:
            self._warnings.append(
                "One recogniser alone: give a second one with --recogniser, of which the picture was not made."
            )
        self._of_parts()
        self._of_whole_pictures()
        self._of_distributions()
        self._of_diversity()
        self._of_times()
        if any(one.is_stand_in for one in self._networks.used):
            self._warnings.insert(
                0, "Judged by stand-ins: networks without training, whose numbers mean nothing."
            )

    @property
    def _judge(self) -> int:
        """The recogniser of the headline: the first that does not condition the pictures."""
        judges = [
            number
            for number, one in enumerate(self._networks.recognisers)
            if one.name not in self._networks.conditioners
        ]
        return judges[0] if judges else 0

    def _leave_out(self, metric: str, why: str) -> None:
        self._missing.append({"metric": metric, "why": why})

    def _add(self, metric: _Metric) -> None:
        self._metrics.append(metric)

    def _of_faces(self) -> None:
        if "faces" not in self._extractors:
            self._leave_out("detection rate, face share", f"{_NOT_GIVEN} (--insightface)")
            return
        faces = self._features("faces")
        found = [faces.get(self._contents[row.item.picture], np.zeros((0, 15))) for row in self._rows]
        self._boxes = [one[:, :4] for one in found]
        rate = detection([len(one) for one in found], [len(row.item.subjects) for row in self._rows])
        self._add(_Metric("detection_rate", "Faces found", "", HIGHER, self._on_first(rate)))
        sizes = self._sizes()
        share = np.array(
            [
                face_share(boxes[0], *sizes[row.item.picture]) if len(boxes) else np.nan
                for row, boxes in zip(self._rows, self._boxes, strict=True)
            ]
        )
        self._add(_Metric("face_share", "Face, share of the picture", "", "", self._on_first(share)))
        for subject in self._subjects:
            if not len(faces.get(self._contents[subject.reference], ())):
                self.problems.append(
                    Refusal(
                        _short(subject.reference),
                        "no face in the reference",
                        "no likeness is computed to it; use a larger, less turned face",
                    )
                )

    def _sizes(self) -> dict[Path, tuple[int, int]]:
        from PIL import Image

        sizes = {}
        for item in self._items:
            with Image.open(item.picture) as picture:
                sizes[item.picture] = picture.size
        return sizes

    def _on_first(self, values: np.ndarray) -> np.ndarray:
        """What a picture has once, whoever is in it."""
        return np.where(self._first, values, np.nan)

    def _of_recogniser(self, one: Recogniser, *, is_judge: bool) -> None:
        role = f"recogniser/{one.name}"
        if role not in self._extractors:
            return
        faces = Faces(self._features(role), self._contents, one.size)
        note = "conditions the pictures" if one.name in self._networks.conditioners else ""
        matched = self._matched(faces)
        if is_judge:
            self._matches = matched
        drawn = np.stack(
            [faces.of(row.item.picture, face) for row, face in zip(self._rows, matched, strict=True)]
        )
        references = np.stack([faces.first(row.subject.reference) for row in self._rows])
        gallery = np.stack([faces.first(subject.reference) for subject in self._subjects])
        others = [self._other_vectors(faces, subject) for subject in self._subjects]
        places = {subject.reference: number for number, subject in enumerate(self._subjects)}
        right = np.array([places[row.subject.reference] for row in self._rows])
        defined = ~np.isnan(references).any(axis=1)
        levels = self._recogniser_levels(one, faces, gallery, others)

        def add(key: str, title: str, better: str, values: np.ndarray, **more: Any) -> None:
            self._add(_Metric(f"{key}/{one.name}", title, one.name, better, values, **{"note": note} | more))

        known = ~np.isnan(gallery).any(axis=1)
        if known.sum() >= 2:
            scores = np.where(known[None], likeness(drawn, np.where(known[:, None], gallery, 1.0)), -2.0)
            ranks = rank_in_gallery(scores, right)
            size = int(known.sum())
            if size <= 10 and is_judge:
                self._leave_out("right person among the first 10", f"there are {size} people in all")
            for k in (1, 10) if size > 10 else (1,):
                chance = NullLevel("chance", *(min(1.0, k / size),) * 3, measured_pairs=size)
                add(
                    f"top{k}",
                    f"Right person among the first {k} of {size}"
                    if k > 1
                    else f"Right person first of {size}",
                    HIGHER,
                    np.where(np.isnan(ranks), np.nan, ranks <= k),
                    defined=defined,
                    counts_misses=True,
                    levels=[chance],
                )
            add("rank", f"Its rank among {size}", LOWER, ranks, defined=defined, median=True)
        elif is_judge:
            self._leave_out("rank in the gallery", "it takes two people or more")
        own = cosine_pairs(drawn, references)
        add("face_sim", "FaceSim", HIGHER, own, defined=defined, counts_misses=True, levels=levels)
        if any(len(several) for several in others):
            self._to_other_photos(one, drawn, references, others, right, levels, add)
        elif is_judge:
            self._leave_out("copy-paste, FaceSim to another photo", "nobody has a second photo")
        self._blends(one, faces, add, is_judge=is_judge)

    def _matched(self, faces: Faces) -> list[int | None]:
        matched: dict[Path, list[int | None]] = {}
        for row in self._rows:
            path = row.item.picture
            if path not in matched:
                known = [one for one in row.item.subjects if one.reference in self._contents]
                matched[path] = faces.matched(path, known)
        return [matched[row.item.picture][row.place] for row in self._rows]

    def _other_vectors(self, faces: Faces, subject: Subject) -> np.ndarray:
        """The person's face in each of the other photos; of several faces the one most like the reference."""
        found = [np.zeros((0, len(faces.first(None))))]
        for path in subject.others:
            several = faces.all(path)
            if len(several) > 1 and len(self._of_photo(path)) > 1:
                people = self._of_photo(path)
                face = faces.matched(path, people)[people.index(subject)]
                several = several[[face]] if face is not None else several[:0]
            found.append(several[:1])
        return np.concatenate(found)

    def _of_photo(self, path: Path) -> list[Subject]:
        """All whose second photo this is: MultiID-Bench has all people of a case in one."""
        return [subject for subject in self._subjects if path in subject.others]

    def _recogniser_levels(
        self, one: Recogniser, faces: Faces, gallery: np.ndarray, others: Sequence[np.ndarray]
    ) -> list[NullLevel]:
        plain = {item.plain for item in self._items if item.plain is not None}
        measured = levels_of(
            lambda a, b: float(a @ b / np.sqrt((a @ a) * (b @ b))),
            list(gallery.astype(np.float64)),
            [list(several.astype(np.float64)) for several in others],
            [faces.first(path) for path in sorted(plain)],
        )
        names = {level.name for level in measured}
        return measured + [level for level in published_levels(one) if level.name not in names]

    def _to_other_photos(
        self,
        one: Recogniser,
        drawn: np.ndarray,
        references: np.ndarray,
        others: Sequence[np.ndarray],
        right: np.ndarray,
        levels: list[NullLevel],
        add: Callable[..., None],
    ) -> None:
        scores, pasted = np.full(len(drawn), np.nan), np.full(len(drawn), np.nan)
        for number, person in enumerate(right):
            targets = others[person]
            if len(targets):
                same = np.repeat(drawn[number : number + 1], len(targets), 0)
                reference = np.repeat(references[number : number + 1], len(targets), 0)
                scores[number] = _mean(cosine_pairs(same, targets))
                pasted[number] = _mean(copy_paste(same, targets, reference))
        defined = np.array([len(others[person]) > 0 for person in right])
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

    def _blends(self, one: Recogniser, faces: Faces, add: Callable[..., None], *, is_judge: bool) -> None:
        if not any(len(item.subjects) > 1 for item in self._items):
            if is_judge:
                self._leave_out("ID-Conf", "no picture is to show several people")
            return
        values = np.full(len(self._rows), np.nan)
        for number, row in enumerate(self._rows):
            people = [faces.first(subject.reference) for subject in row.item.subjects]
            people = [person for person in people if not np.isnan(person).any()]
            found = faces.all(row.item.picture)
            if row.is_first and len(people) > 1 and len(found):
                values[number] = _mean(id_conf(likeness(found, np.stack(people))))
        add("id_conf", "ID-Conf", HIGHER, values)

    def _of_parts(self) -> None:
        if "parts" not in self._extractors:
            lacking = [
                option
                for option, there in (
                    ("--insightface", self._networks.detect),
                    ("--face-parser", self._networks.parse),
                    ("--dino", self._networks.dino),
                )
                if there is None
            ]
            self._leave_out("FGIS", f"{_NOT_GIVEN} ({', '.join(lacking)})")
            return
        parts, dino = self._features("parts"), self._networks.dino
        assert dino is not None
        matches = getattr(self, "_matches", [0] * len(self._rows))
        plain = sorted({item.plain for item in self._items if item.plain is not None})
        for how in CROPS:

            def of(path: Path, face: int | None, how: str = how) -> dict[str, np.ndarray]:
                found = parts.get(self._contents.get(path, ""), ())
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
                for row, face in zip(self._rows, matches, strict=True)
            ]
            defined = np.array([bool(of(row.subject.reference, 0)) for row in self._rows])
            levels = levels_of(
                lambda a, b: compare_parts(a, b).mean,
                [of(subject.reference, 0) for subject in self._subjects],
                [[of(path, 0) for path in subject.others] for subject in self._subjects],
                [of(path, 0) for path in plain],
            )
            self._add(
                _Metric(
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
                self._extra.setdefault("per_part", {}).setdefault(region, {})[how] = self._whole(values)
            if how == CROPS[0]:
                coverage = np.array([one.coverage for one in compared])
                self._add(
                    _Metric(
                        "fgis_coverage",
                        "Parts of the reference that are shown",
                        dino.name,
                        HIGHER,
                        coverage,
                        defined=defined,
                    )
                )

    def _of_whole_pictures(self) -> None:
        for clip in self._networks.clips:
            features = self._features(f"clip/{clip.name}")
            drawn = self._stack(features, [row.item.picture for row in self._rows])
            references = self._stack(features, [row.subject.reference for row in self._rows])
            self._follow_prompts(clip, drawn)
            self._similar("clip_i", "CLIP-I to the reference", clip.name, features, drawn, references)
            plain = [row.item.plain for row in self._rows]
            if any(path is not None for path in plain):
                twins = self._stack(features, plain)
                self._add(
                    _Metric(
                        f"clip_before_after/{clip.name}",
                        "CLIP-I before and after the identity",
                        clip.name,
                        HIGHER,
                        self._on_first(cosine_pairs(drawn, twins)),
                        note="low: the identity disturbs the picture",
                    )
                )
            elif clip is self._networks.clips[0]:
                self._leave_out("CLIP-I before and after", "there are no pictures of the plain model")
        if not self._networks.clips:
            self._leave_out("CLIP-T, CLIP-I", f"{_NOT_GIVEN} (--clip)")
        if (dino := self._networks.dino) is not None:
            features = self._features("dino")
            drawn = self._stack(features, [row.item.picture for row in self._rows])
            references = self._stack(features, [row.subject.reference for row in self._rows])
            self._similar("dino", "DINO", dino.name, features, drawn, references)
        else:
            self._leave_out("DINO", f"{_NOT_GIVEN} (--dino)")

    def _stack(self, features: Mapping[str, np.ndarray], paths: Sequence[Path | None]) -> np.ndarray:
        return stacked(features, [self._contents.get(path) if path is not None else None for path in paths])

    def _follow_prompts(self, clip: Any, drawn: np.ndarray) -> None:
        texts = list(dict.fromkeys(row.item.prompt for row in self._rows if row.item.prompt))
        if not texts:
            self._leave_out(f"CLIP-T ({clip.name})", "no picture has a prompt")
            return
        key = f"clip-text/{clip.sha256}"
        names = {text: content_id(text.encode()) for text in texts}
        known = self._store.known(key)
        if new := [text for text in texts if names[text] not in known]:
            vectors = clip.encode_texts(new)
            self._store.put(key, {names[text]: vector for text, vector in zip(new, vectors, strict=True)})
        vectors = self._store.get(key, names.values())
        prompts = stacked(vectors, [names.get(row.item.prompt) for row in self._rows])
        self._add(
            _Metric(
                f"clip_t/{clip.name}", "CLIP-T", clip.name, HIGHER, self._on_first(clip_t(drawn, prompts))
            )
        )
        if cut := sum(clip.is_cut_off(text) for text in texts):
            self._warnings.append(
                f"{cut} prompts are longer than {clip.name} reads; it judges their beginning."
            )

    def _similar(
        self,
        key: str,
        title: str,
        network: str,
        features: Mapping[str, np.ndarray],
        drawn: np.ndarray,
        references: np.ndarray,
    ) -> None:
        def one(path: Path | None) -> np.ndarray:
            return self._stack(features, [path])[0].astype(np.float64)

        plain = sorted({item.plain for item in self._items if item.plain is not None})
        levels = levels_of(
            lambda a, b: float(a @ b / np.sqrt((a @ a) * (b @ b))),
            [one(subject.reference) for subject in self._subjects],
            [[one(path) for path in subject.others] for subject in self._subjects],
            [one(path) for path in plain],
        )
        name = f"{key}/{network}"
        self._add(_Metric(name, title, network, HIGHER, cosine_pairs(drawn, references), levels=levels))

    def _of_distributions(self) -> None:
        if self._networks.inception is None:
            self._leave_out("FID, KID", f"{_NOT_GIVEN} (--inception)")
            return
        features = self._features("inception")
        photos = self._photos or [
            path for subject in self._subjects for path in (subject.reference, *subject.others)
        ]
        sets = [
            np.stack(found) if (found := self._known(features, paths)) else np.zeros((0, 1))
            for paths in ([item.picture for item in self._items], photos)
        ]
        if min(map(len, sets)) < 2:
            self._leave_out("FID, KID", "it takes two pictures and two photos or more")
            return
        distances = {"fid": fid(*sets), "kid": kid(*sets)}
        self._extra["distances"] = distances
        if distances["fid"].is_small:
            self._warnings.append(
                f"FID and KID of {len(sets[0]):,} pictures and {len(sets[1]):,} photos: below {FEWEST:,} of each they "
                "say more about these numbers than about the pictures."
            )

    def _known(self, features: Mapping[str, np.ndarray], paths: Sequence[Path]) -> list[np.ndarray]:
        contents = dict.fromkeys(self._contents[path] for path in paths if path in self._contents)
        return [features[content] for content in contents if content in features]

    def _of_diversity(self) -> None:
        perceptual = self._networks.perceptual
        if perceptual is None or "crop" not in self._extractors:
            self._leave_out("diversity", f"{_NOT_GIVEN} (--lpips, --insightface)")
            return
        crops = {content: crop for content, crop in self._features("crop").items() if crop.ndim == 3}
        people: dict[Any, list[str]] = {}
        for row in self._rows:
            content = self._contents[row.item.picture]
            if content in crops and len(row.item.subjects) == 1:
                people.setdefault(row.subject.name, []).append(content)
        pairs = pairs_to_compare(people)
        if not pairs:
            self._leave_out("diversity", "nobody has two different pictures with a face")
            return
        key = f"lpips/{perceptual.sha256}/{self._extractors['crop'].key}"
        known = self._store.known(key)
        new = [(a, b) for _, a, b in pairs if f"{a}:{b}" not in known]
        distances = perceptual.distances([(crops[a], crops[b]) for a, b in new])
        self._store.put(
            key, {f"{a}:{b}": np.array([value]) for (a, b), value in zip(new, distances, strict=True)}
        )
        kept = self._store.get(key, [f"{a}:{b}" for _, a, b in pairs])
        values = np.array([float(kept[f"{a}:{b}"][0]) for _, a, b in pairs])
        self._extra["diversity"] = estimate(values, [person for person, _, _ in pairs])

    def _of_times(self) -> None:
        times = seconds_by_phase([item.seconds for item in self._items], [item.phase for item in self._items])
        if not times:
            self._leave_out("time", "it is not known how long the pictures took")
        self._extra["times"] = {phase: estimate(values) for phase, values in times.items()}

    # ------------------------------------------------------------ the result

    def result(self) -> Result:
        people = [row.subject.name for row in self._rows]
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self._collection.name,
            "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "settings": {**self._collection.settings, "face of several": self._order},
            "networks": [asdict(one) | {"stand_in": one.is_stand_in} for one in self._networks.used],
            "counts": self._counts(),
            "metrics": [self._metric(metric) for metric in self._metrics] + self._other_metrics(),
            "not_computed": self._missing,
            "per_person": self._grouped(people),
            "per_category": self._grouped([row.item.category for row in self._rows]),
            "per_part": {
                region: {how: estimate_to_json(one) for how, one in several.items()}
                for region, several in self._extra.get("per_part", {}).items()
            },
            "pictures": self._pictures(),
            "problems": [asdict(one) for one in self.problems],
            "warnings": self._warnings,
        }

    def _counts(self) -> dict[str, int]:
        return {
            "pictures": len(self._items),
            "people": len(self._subjects),
            "prompts": len({item.prompt for item in self._items} - {""}),
            "photos": len({path for one in self._subjects for path in (one.reference, *one.others)}),
            "plain": len({item.plain for item in self._items} - {None}),
            "problems": len(self.problems),
        }

    def _whole(self, values: np.ndarray) -> Estimate:
        return estimate(values, [row.subject.name for row in self._rows])

    def _metric(self, metric: _Metric) -> dict[str, Any]:
        defined = np.ones(len(self._rows), bool) if metric.defined is None else metric.defined
        values = np.where(defined, metric.values, np.nan)
        found = estimate_median(values) if metric.median else self._whole(values)
        zero = None
        if metric.counts_misses:
            counted = np.where(np.isnan(metric.values), 0.0, np.maximum(metric.values, 0.0))
            zero = estimate_to_json(self._whole(np.where(defined, counted, np.nan)))
        return {
            "key": metric.key,
            "title": metric.title,
            "network": metric.network,
            "better": metric.better,
            "statistic": "median" if metric.median else "mean",
            "found": estimate_to_json(found),
            "as_zero": zero,
            "missed": int((defined & np.isnan(metric.values)).sum()) if metric.counts_misses else 0,
            "levels": [asdict(level) for level in metric.levels],
            "note": metric.note,
        }

    def _other_metrics(self) -> list[dict[str, Any]]:
        """What is not a mean over pictures."""
        found: list[dict[str, Any]] = []

        def add(key: str, title: str, better: str, one: Estimate, network: str = "", note: str = "") -> None:
            found.append(
                {
                    "key": key,
                    "title": title,
                    "network": network,
                    "better": better,
                    "statistic": "mean",
                    "found": estimate_to_json(one),
                    "as_zero": None,
                    "missed": 0,
                    "levels": [],
                    "note": note,
                }
            )

        if "diversity" in self._extra:
            perceptual = self._networks.perceptual
            assert perceptual is not None
            add("diversity", "Diversity of faces (LPIPS)", HIGHER, self._extra["diversity"], perceptual.name)
        distances: Mapping[str, Distance] = self._extra.get("distances", {})
        for key, one in distances.items():
            assert self._networks.inception is not None
            spread = one.spread
            value = Estimate(one.drawn, one.value, one.value - spread, one.value + spread)
            note = f"{one.drawn:,} pictures, {one.photos:,} photos" + (", too few" if one.is_small else "")
            add(key, key.upper(), LOWER, value, self._networks.inception.name, note)
        for phase, times in self._extra.get("times", {}).items():
            add(f"seconds_{phase}", f"Seconds, {PHASES[phase]}", LOWER, times)
        return found

    def _grouped(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        groups = list(dict.fromkeys(names))
        places = np.array([groups.index(name) for name in names]) if len(groups) < 5000 else np.zeros(0)
        found: dict[str, dict[str, Any]] = {}
        for number, group in enumerate(groups if len(places) else []):
            found[group] = {}
            for metric in self._metrics:
                inside = places == number
                if metric.defined is not None:
                    inside &= metric.defined
                values = metric.values[inside]
                if np.isnan(values).all():
                    continue
                if metric.median:
                    one = (
                        estimate_median(values)
                        if len(groups) <= _MOST_INTERVALS
                        else _bare(values, np.nanmedian)
                    )
                else:
                    one = estimate(values) if len(groups) <= _MOST_INTERVALS else _bare(values, np.nanmean)
                found[group][metric.key] = estimate_to_json(one)
        return found

    def _pictures(self) -> list[dict[str, Any]]:
        entries = []
        for number, row in enumerate(self._rows):
            item: Item = row.item
            boxes = self._boxes[number] if hasattr(self, "_boxes") else None
            entries.append(
                {
                    "name": item.name,
                    "file": str(item.picture),
                    "content": self._contents[item.picture],
                    "person": row.subject.name,
                    "reference": str(row.subject.reference),
                    "plain": str(item.plain) if item.plain is not None else None,
                    "prompt": item.prompt,
                    "category": item.category,
                    "seed": item.seed,
                    "seconds": item.seconds or None,
                    "phase": item.phase or None,
                    "faces": None if boxes is None else len(boxes),
                    "box": boxes[0].tolist() if boxes is not None and len(boxes) else None,
                    "values": {metric.key: float(metric.values[number]) for metric in self._metrics},
                }
            )
        return entries


def _bare(values: np.ndarray, statistic: Callable[[np.ndarray], Any]) -> Estimate:
    return Estimate(int((~np.isnan(values)).sum()), float(statistic(values)), float("nan"), float("nan"))


def _mean(values: np.ndarray) -> float:
    found = values[~np.isnan(values)]
    return float(found.mean()) if len(found) else float("nan")


def _short(path: str | Path) -> str:
    """The last parts of a path, for a table."""
    return "/".join(Path(path).parts[-3:])
