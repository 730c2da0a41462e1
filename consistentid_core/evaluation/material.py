"""What is scored: the pictures that can be read, as rows, and everything the networks said of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.progress import Progress
from ..data.sources import Refusal, Source, hash_sources
from ..errors import EvaluationError
from .feature_store import FeatureStore
from .features import extract, extractors_of
from .intervals import Estimate, estimate
from .levels import Compare, levels_of
from .metrics.null_levels import NullLevel
from .networks import Networks
from .pictures import Collection, Subject
from .vectors import Row, stacked


class Material:
    """The rows of a collection, once they are read.

    rows: one for each picture and person.  items: the pictures.  subjects: whom rows are to show.
    people: the same by the content of their references, since a benchmark has one photo in several cases.
    contents: names the content of every file that can be read.  problems: the others.
    """

    def __init__(
        self,
        collection: Collection,
        networks: Networks,
        store: FeatureStore,
        photos: Sequence[Path],
        order: str,
    ):
        """photos, order: as of :func:`.score.score`."""
        self.collection, self.networks, self.store = collection, networks, store
        self.photos, self.order = photos, order
        self.extractors = extractors_of(networks, order=order)
        self.contents: dict[Path, str] = {}
        self.rows: list[Row] = []
        self.boxes: list[np.ndarray] | None = None
        self.problems = list(collection.problems)

    def read(self, batch: int, progress: Callable[[int], Progress] | None) -> None:
        """Fill the store with all features; note what cannot be read."""
        drawn, people = {}, {}
        for item in self.collection.items:
            drawn[item.picture] = item
            for subject in item.subjects:
                people[subject.reference] = subject
        others = [path for subject in people.values() for path in subject.others]
        plain = [item.plain for item in self.collection.items if item.plain is not None]
        self.contents = self._hashed([*drawn, *people, *others, *plain, *self.photos])
        roles: dict[str, set[str]] = {}
        every = set(self.extractors)
        for paths, wanted in (
            (drawn, every),
            (people, every - {"crop"}),
            (others, every - {"crop"}),
            (plain, every - {"crop", "inception"}),
            (self.photos, {"inception"}),
        ):
            for path in paths:
                if path in self.contents:
                    roles.setdefault(self.contents[path], set()).update(wanted)
        files = {content: path for path, content in self.contents.items()}
        shown = progress(len(files)) if progress is not None else None
        refused = extract(
            files,
            self.extractors,
            self.networks,
            self.store,
            batch=batch,
            order=self.order,
            wanted=lambda content: sorted(roles.get(content, ())),
            on_picture=shown.step if shown is not None else lambda: None,
        )
        if shown is not None:
            shown.end()
        broken = {self.contents[Path(one.name)] for one in refused}
        self.contents = {path: content for path, content in self.contents.items() if content not in broken}
        self.problems += [Refusal(short(one.name), one.reason, one.detail) for one in refused]
        self._choose_rows()

    def _hashed(self, paths: Sequence[Path]) -> dict[Path, str]:
        sources = [Source(str(path), short(path), 0, 0) for path in dict.fromkeys(paths)]
        found = {}
        for source, content in hash_sources(sources):
            if isinstance(content, Refusal):
                self.problems.append(content)
            else:
                found[Path(source.path)] = content
        return found

    def _choose_rows(self) -> None:
        """A picture counts if it can be read, and so can a photo of whom it is to show."""
        for item in self.collection.items:
            if item.picture not in self.contents:
                continue
            known = [one for one in item.subjects if one.reference in self.contents]
            self.rows += [Row(item, subject, place) for place, subject in enumerate(known)]
        if not self.rows:
            listed = "".join(f"\n  {one.name}: {one.reason} ({one.detail})" for one in self.problems[:10])
            raise EvaluationError(
                f"None of the pictures can be scored. Mend what is wrong with them:{listed}"
            )
        self.items = [row.item for row in self.rows if row.is_first]
        subjects = {row.subject.reference: row.subject for row in self.rows}
        self.subjects: list[Subject] = list(subjects.values())
        self.people: dict[str, list[Subject]] = {}
        for subject in self.subjects:
            self.people.setdefault(self.contents[subject.reference], []).append(subject)
        self.first = np.array([row.is_first for row in self.rows])

    def features(self, role: str) -> dict[str, np.ndarray]:
        return self.store.get(self.extractors[role].key, set(self.contents.values()))

    def on_first(self, values: np.ndarray) -> np.ndarray:
        """What a picture has once, whoever is in it."""
        return np.where(self.first, values, np.nan)

    def stack(self, features: Mapping[str, np.ndarray], paths: Sequence[Path | None]) -> np.ndarray:
        return stacked(features, [self.contents.get(path) if path is not None else None for path in paths])

    def whole(self, values: np.ndarray, how: Callable[..., Estimate] = estimate) -> Estimate:
        """All rows together, each being one of its person's."""
        return how(values, [row.subject.name for row in self.rows])

    def levels(
        self,
        compare: Compare,
        of: Callable[[Path], Any],
        others: Callable[[Subject], Sequence[Any]] | None = None,
    ) -> list[NullLevel]:
        """The null levels of a likeness.

        of: what is compared of a picture.  others: the same of somebody's other photos, if not simply ``of``.
        """
        choose = others or (lambda subject: [of(path) for path in subject.others])
        plain = sorted({item.plain for item in self.items if item.plain is not None})
        return levels_of(
            compare,
            [of(same[0].reference) for same in self.people.values()],
            [[one for subject in same for one in choose(subject)] for same in self.people.values()],
            [of(path) for path in plain],
        )


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of two vectors of any length above 0; NaN where either is NaN."""
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def short(path: str | Path) -> str:
    """The last parts of a path, for a table."""
    return "/".join(Path(path).parts[-3:])
