"""Score pictures: all metrics that the given networks allow, with what they are read against."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..data.progress import Progress
from ..errors import EvaluationError
from ..identity.face_choice import FACE_ORDERS, LARGE_TO_SMALL
from .feature_store import FeatureStore
from .findings import Findings
from .material import Material
from .networks import Networks
from .of_people import of_people
from .of_pictures import of_distributions, of_diversity, of_faces, of_times, of_whole_pictures
from .pictures import Collection
from .result import Result
from .summary import result


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
    material, findings = Material(collection, networks, store, photos, order), Findings()
    material.read(batch, progress)
    if stop_at_problem and material.problems:
        listed = "".join(f"\n  {one.name}: {one.reason} ({one.detail})" for one in material.problems[:20])
        raise EvaluationError(
            f"{len(material.problems)} pictures cannot be used, and it was asked to stop at such:{listed}\nMend or "
            "remove them, or let them be counted and left out."
        )
    if standins := [one.name for one in networks.used if one.is_stand_in]:
        findings.warnings.append(
            f"Judged by stand-ins, networks without training, whose numbers mean nothing: {', '.join(standins)}."
        )
    for step in (of_faces, of_people, of_whole_pictures, of_distributions, of_diversity, of_times):
        step(material, findings)
    return result(material, findings)
