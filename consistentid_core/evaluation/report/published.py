"""What papers print, to be read beside a result and never against it.

Image sets, prompts, recognisers and code differ: the same ConsistentID model has FaceSim 77.2 in one table of its
paper and 62.9 in another.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """title: what and by whom.  columns, rows: as printed."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


PUBLISHED = (
    Published(
        "ConsistentID (arXiv 2404.16771), MyStyle data, one reference",
        ("Method", "CLIP-T", "CLIP-I", "DINO", "FaceSim", "FGIS", "FID", "seconds"),
        (
            ("FastComposer", "27.8", "67.0", "68.4", "75.2", "77.7", "372.8", "10"),
            ("IP-Adapter", "27.6", "75.0", "74.5", "75.6", "73.4", "320.0", "13"),
            ("PhotoMaker", "30.7", "71.7", "72.6", "69.3", "73.2", "336.5", "17"),
            ("InstantID", "30.3", "68.2", "77.6", "76.5", "78.3", "271.9", "19"),
            ("ConsistentID, SD1.5", "31.1", "76.7", "78.5", "77.2", "81.4", "312.4", "16"),
        ),
    ),
    Published(
        "UniPortrait: 15 people × 40 prompts × 4, FaceNet %, CLIP-T",
        ("Method", "FaceNet", "CLIP-T"),
        (
            ("no identity, SD1.5", "4.4", "27.7"),
            ("FastComposer, SD1.5", "50.8", "24.1"),
            ("IP-Adapter FaceID Plus v2, SD1.5", "68.4", "24.7"),
            ("UniPortrait, SD1.5", "71.1", "26.1"),
            ("FlashFace, SD1.5", "72.7", "25.8"),
            ("PhotoMaker, SDXL", "41.7", "26.9"),
            ("InstantID, SDXL", "77.9", "24.1"),
        ),
    ),
    Published(
        "PuLID: DivID-120, CurricularFace, SDXL-Lightning 4 steps",
        ("Method", "FaceSim", "CLIP-T", "CLIP-I before/after"),
        (
            ("PhotoMaker", "0.271", "26.1", "0.649"),
            ("IP-Adapter FaceID", "0.619", "28.4", "0.703"),
            ("InstantID", "0.725", "28.7", "0.680"),
            ("PuLID", "0.733", "31.3", "0.812"),
        ),
    ),
)
