"""The formula behind all golden inputs, against the probes stored with the set (SPEC 10.1)."""

import re

import numpy as np
import pytest
from golden import synthetic
from golden_set import SALT, image, manifest, normal

PROBES = manifest("selfcheck")


@pytest.mark.parametrize("key", PROBES["normal(key,(4,))"])
def test_normal_tensors_are_those_of_the_generator(key):
    assert normal(key, (4,)).tolist() == PROBES["normal(key,(4,))"][key]


@pytest.mark.parametrize("probe", [name for name in PROBES if name.startswith("param(")])
def test_parameters_are_those_of_the_generator(probe):
    key, sizes = re.match(r"param\('([^']+)',\(([\d,]+)\)\)", probe).groups()
    found = synthetic.param(key, [int(size) for size in sizes.split(",") if size], SALT)
    assert found.tolist() == PROBES[probe]


def test_pictures_are_those_of_the_generator():
    (probe,) = (name for name in PROBES if name.startswith("image("))
    key, height, width = re.match(r"image\('([^']+)',(\d+),(\d+)\)", probe).groups()
    expected = np.array(PROBES[probe])
    rows, columns = expected.shape[:2]
    picture = image(key, int(height), int(width))
    # The probe holds evenly spaced pixels.
    assert np.array_equal(picture[:: len(picture) // rows, :: int(width) // columns], expected)
