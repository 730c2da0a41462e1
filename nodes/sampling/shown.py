"""Who a conditioning can show, and where.

What :mod:`.roles` notes of a run, and the layers read.
"""

from dataclasses import dataclass

from ...consistentid_core.families import FAMILIES, Family
from ..models.consistentid import KeysValues

#: Under this key a conditioning carries its own :class:`Identity`; the host passes unknown keys on.
IDENTITY_KEY = "consistentid_identity"

#: (height, width, top, left) in latent pixels, as the host resolves a conditioning's area.
Area = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Identity:
    """One person, or nobody, attached to a conditioning.

    keys_values: of the ID tokens, by adapter index; None for nobody.
    weight: strength, in place of the one of Apply ConsistentID.
    """

    family: Family
    keys_values: KeysValues | None
    weight: float

    def __str__(self) -> str:
        return f"an identity made for {FAMILIES[self.family].label}"


class _Default:
    """The identity of the Apply node itself."""


DEFAULT = _Default()

#: Who is shown: an own identity, that of the Apply node, or nobody.
Shown = Identity | _Default | None
