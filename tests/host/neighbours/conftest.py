"""Apply ConsistentID next to other nodes: a model that all tests of a file share, and must leave as it was."""

import pytest
import torch
from golden_host import small_unet
from sampling import one_step


@pytest.fixture(scope="module")
def unet():
    return small_unet("sd15")


@pytest.fixture(scope="module")
def plain(unet):
    """What the model draws without any patch."""
    return one_step(unet)


@pytest.fixture(autouse=True)
def the_model_is_bit_identical_afterwards(request):
    if "unet" not in request.fixturenames:
        yield
        return
    unet, plain = request.getfixturevalue("unet"), request.getfixturevalue("plain")
    yield
    assert not unet.patches and not unet.wrappers and not unet.hook_patches
    assert not unet.model_options["transformer_options"]
    assert torch.equal(one_step(unet), plain)
