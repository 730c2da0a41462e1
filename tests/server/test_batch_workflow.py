"""A batch of photos and a batch of pictures, one each, through the queue API."""

import copy

import numpy as np
import pytest
from server_host import change, first

from tools import workflow as workflows

PEOPLE = ("astronaut.png", "negative.png")


@pytest.fixture
def portraits(host, batch_workflow):
    """The pictures of a run with these photos, in their order."""

    def run(*photos):
        workflow = copy.deepcopy(batch_workflow)
        batch = workflow[first(workflow, "BatchImagesNode")]["inputs"]
        loaders = [batch.pop(name)[0] for name in list(batch)]
        for number, (loader, photo) in enumerate(zip(loaders, photos, strict=False)):
            workflow[loader]["inputs"]["image"] = photo
            batch[f"images.image{number}"] = [loader, 0]
        change(workflow, "EmptyLatentImage", batch_size=len(photos))
        used = {one[0] for one in batch.values()}
        for loader in set(loaders) - used:
            del workflow[loader]
        return [picture.astype(int) for picture in host.portraits(workflow)]

    return run


def test_the_first_picture_of_a_batch_is_that_of_the_first_person_alone(portraits):
    """The first latent of a batch has the noise of a single one with the same seed."""
    alone = {person: portraits(person)[0] for person in PEOPLE}
    assert np.abs(alone[PEOPLE[0]] - alone[PEOPLE[1]]).max() > 8
    for order in (PEOPLE, PEOPLE[::-1]):
        together = portraits(*order)
        assert len(together) == 2
        # A level or two of 255 are rounding: another batch size computes in another order.
        assert np.abs(together[0] - alone[order[0]]).max() <= 2


def test_more_people_than_pictures_are_reported(host, batch_workflow):
    change(batch_workflow, "EmptyLatentImage", batch_size=2)
    error = host.fail(batch_workflow)
    assert error["node_type"] == "KSampler"
    assert "3 people, one per latent, but the batch has 2 latents" in error["exception_message"]


def test_a_choice_that_was_forgotten_is_reported(host, batch_workflow):
    workflows.set_inputs(batch_workflow, "ConsistentIDEmbedding", combine="norm mean")
    error = host.fail(batch_workflow)
    assert error["node_type"] == "ConsistentIDApply"
    assert "choose 'one per latent' both in ID Embedding" in error["exception_message"]
