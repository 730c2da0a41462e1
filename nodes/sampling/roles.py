"""Which conditioning of a running sampler shows whom.

The position of a conditioning in the batch says nothing: guiders order their lists as
they like. Reliable is the list a conditioning comes from, tied to the model call by the
uuid the host gives every conditioning (HOST 1.5).
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from .run_caches import RunCaches
from .shown import DEFAULT, IDENTITY_KEY, Area, Shown

logger = logging.getLogger(__name__)

#: Under this key the roles travel in ``transformer_options``, and our wrappers are registered.
KEY = "consistentid"


class Roles:
    """Who is who during one sampling run; also carries what is made for that run only."""

    def __init__(
        self,
        conds: dict[str, list[dict] | None],
        latent_size: Sequence[int] = (),
        batch: int | None = None,
    ):
        """conds: the guider's lists by name ("positive", "negative" ...), changed where uuids repeat.

        latent_size: (height, width) of the latents being sampled.  batch: how many of them are sampled together.
        """
        #: For the patches; dropped with the run.
        self.caches = RunCaches()
        self.latent_size = tuple(latent_size)
        self.batch = batch
        self._shown: dict[uuid.UUID, Shown] = {}
        self._areas: dict[uuid.UUID, Area | None] = {}
        # The positive list first: the host copies an area conditioning, uuid and all, into the other
        # lists, and the copy is the one that must get a uuid of its own.
        for name, conditionings in sorted(conds.items(), key=lambda item: item[0] != "positive"):
            originals: dict[Any, dict] = {}
            for i, conditioning in enumerate(conditionings or ()):
                if conditioning["uuid"] in self._shown:
                    conditioning = conditionings[i] = _own_copy(conditioning, conds.get("positive") or ())
                # Such a copy has the text of another conditioning of its list; the identity goes with the text.
                original = originals.setdefault(_text(conditioning), conditioning)
                default = DEFAULT if name == "positive" else None
                self._shown[conditioning["uuid"]] = original.get(IDENTITY_KEY, default)
                self._areas[conditioning["uuid"]] = conditioning.get("area")

    def chunks(
        self, uuids: Sequence[uuid.UUID], size: int, frames: int | None = None
    ) -> tuple[uuid.UUID, ...]:
        """The conditioning of each chunk of the batch of a model call.

        size: of that batch.  frames: latents per conditioning, where that is not all of the run's.
        A node that cuts the picture into tiles may stack them, each with all its conditionings in turn.
        Raises RuntimeError if the batch does not divide into conditionings.
        """
        expected = len(uuids) * (frames or self.batch or size)
        tiles = size // expected if size > expected and size % expected == 0 else 1
        if size % (len(uuids) * tiles) != 0:
            raise RuntimeError(
                f"Another node called the model with {size} latents for {len(uuids)} conditionings, so ConsistentID "
                "cannot know which of them show the person. Remove the node that splits the batch, or put it "
                "where it sees whole batches."
            )
        return tuple(uuids) * tiles

    def shown(self, uuids: Sequence[uuid.UUID]) -> tuple[Shown, ...]:
        """Who is shown in each chunk of the batch; a conditioning nobody announced shows nobody."""
        return tuple(self._shown.get(one) for one in uuids)

    def areas(self, uuids: Sequence[uuid.UUID]) -> tuple[Area | None, ...]:
        """The area each chunk of the batch is a crop of; None for the whole latent."""
        return tuple(self._areas.get(one) for one in uuids)


def _own_copy(copy: dict, positives: Sequence[dict]) -> dict:
    """A conditioning that is in another list too, with a uuid of its own: the host copies those with an area.

    The host copies the first positive of an area only. Where several of them follow each other in
    sampling, the copy must stay for all of them: it gets the range from their first to their last.
    """
    own = {**copy, "uuid": uuid.uuid4()}
    same_area = [one for one in positives if "area" in copy and one.get("area") == copy["area"]]
    if not same_area:
        return own
    for bound, widest in (("timestep_start", max), ("timestep_end", min)):
        bounds = [one.get(bound) for one in same_area]
        own.pop(bound, None)
        if None not in bounds:
            own[bound] = widest(bounds)
    return own


def _text(conditioning: dict) -> Any:
    """Something that is the same for conditionings sharing one text, and different otherwise."""
    text = conditioning.get("model_conds", {}).get("c_crossattn")
    return id(conditioning) if text is None else id(text)


def record_roles(executor, guider, sigmas, extra_args, callback, noise, *args, **kwargs):
    """SAMPLER_SAMPLE wrapper: note the roles of this run where the model calls can read them.

    ``extra_args`` belongs to the run, so nothing stays on the model, the node or the guider.
    """
    options = extra_args["model_options"]["transformer_options"]
    if KEY not in options:
        _warn_if_nobody_is_shown(guider.conds)
        options[KEY] = Roles(guider.conds, noise.shape[-2:], noise.shape[0])
    return executor(guider, sigmas, extra_args, callback, noise, *args, **kwargs)


def _warn_if_nobody_is_shown(conds: Mapping[str, list[dict] | None]) -> None:
    """A guider may call its lists as it likes; only the name says which of them is to show the person."""
    own = any(IDENTITY_KEY in one for conditionings in conds.values() for one in conditionings or ())
    if "positive" not in conds and not own:
        logger.warning(
            "ConsistentID shows nobody: the guider calls its conditionings %s, and none of them 'positive'. Use a "
            "guider that has a positive, or give the conditioning its person with Set Identity.",
            ", ".join(map(repr, conds)),
        )
