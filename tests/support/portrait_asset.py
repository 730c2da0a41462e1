"""The portrait that ships with the example workflows, with its hand-made label map."""

from pathlib import Path

import numpy as np
from PIL import Image

ASSETS = Path(__file__).resolve().parents[2] / "workflows" / "assets"

#: uint8 RGB (512, 512, 3), and class ids (512, 512).
PORTRAIT = np.asarray(Image.open(ASSETS / "astronaut.png"))
LABELS = np.asarray(Image.open(ASSETS / "astronaut_labels.png"))
