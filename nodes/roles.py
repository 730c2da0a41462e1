"""Which conditioning of a running sampler shows the person, and which does not.

The position of a conditioning in the batch says nothing: guiders order their lists as
they like. Reliable is the list a conditioning comes from, tied to the model call by the
uuid the host gives every conditioning (HOST 1.5).
"""

import uuid

#: Under this key the roles travel in ``transformer_options``, and our wrappers are registered.
KEY = "consistentid"


class Roles:
    """Who is who during one sampling run; also holds what is prepared for that run only."""

    def __init__(self, conds: dict[str, list[dict] | None]):
        """conds: the guider's lists by name ("positive", "negative" ...), changed where uuids repeat."""
        self._with_identity: set[uuid.UUID] = set()
        #: Scratch space of the run for the patches, dropped with it.
        self.prepared: dict = {}
        seen: set[uuid.UUID] = set()
        # The positive list first: an area conditioning is copied into the other lists together with its
        # uuid, and the copy is the one that must be told apart.
        for name, conditionings in sorted(conds.items(), key=lambda item: item[0] != "positive"):
            for i, conditioning in enumerate(conditionings or ()):
                if conditioning["uuid"] in seen:
                    conditioning = conditionings[i] = {**conditioning, "uuid": uuid.uuid4()}
                seen.add(conditioning["uuid"])
                if name == "positive":
                    self._with_identity.add(conditioning["uuid"])

    def shows_identity(self, uuids: list[uuid.UUID]) -> tuple[bool, ...]:
        """One answer per chunk of the batch; a conditioning nobody announced shows nobody."""
        return tuple(one in self._with_identity for one in uuids)


def record_roles(executor, guider, sigmas, extra_args, *args, **kwargs):
    """SAMPLER_SAMPLE wrapper: note the roles of this run where the model calls can read them.

    ``extra_args`` belongs to the run, so nothing stays on the model, the node or the guider.
    """
    extra_args["model_options"]["transformer_options"].setdefault(KEY, Roles(guider.conds))
    return executor(guider, sigmas, extra_args, *args, **kwargs)
