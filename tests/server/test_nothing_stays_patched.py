"""The base model is the same before, beside and after our nodes: equal pixels for an equal seed."""

import copy

import numpy as np
from server_host import first, keep

from tools import workflow as workflows


def test_the_model_is_the_same_after_our_nodes_as_before(host, workflow, plain_workflow):
    (before,) = host.portraits(plain_workflow)
    (with_us,) = host.portraits(workflow)
    sample_again(plain_workflow)
    (after,) = host.portraits(plain_workflow)
    assert np.array_equal(before, after)
    assert not np.array_equal(before, with_us)


def test_applying_twice_from_one_model_adds_nothing(host, workflow):
    (once,) = host.portraits(workflow)
    second = add_second_portrait(workflow)

    # Other settings than the first, or the server would take both for one.
    workflow[second]["inputs"]["weight"] = 0.5
    unchanged, weaker = host.portraits(workflow)
    assert np.array_equal(unchanged, once)
    assert not np.array_equal(weaker, once)

    sample_again(workflow)
    workflow[second]["inputs"]["weight"] = 1.0
    unchanged, same = host.portraits(workflow)
    assert np.array_equal(unchanged, once)
    assert np.array_equal(same, once)


def test_weight_zero_changes_no_pixel(host, workflow, plain_workflow):
    (plain,) = host.portraits(plain_workflow)
    for name in ("positive", "negative"):
        workflow[name] = plain_workflow[name]
    workflows.set_inputs(workflow, "KSampler", positive=["positive", 0], negative=["negative", 0])
    workflows.set_inputs(workflow, "ConsistentIDApply", weight=0.0, lora_weight=0.0)
    (unpatched,) = host.portraits(workflow)
    assert np.array_equal(plain, unpatched)


def sample_again(workflow) -> None:
    """Make the sampler run again with the very same result.

    For the server's cache of results it is another denoise; the sampler takes all above 0.9999 as 1.
    """
    workflows.set_inputs(workflow, "KSampler", denoise=0.99995)


def add_second_portrait(workflow) -> str:
    """Apply ConsistentID a second time to the same model and sample that too; returns the node's id."""
    copied = keep(workflow, "ConsistentIDApply", "KSampler", "VAEDecode", "SaveImage")
    names = {node_id: f"second_{node_id}" for node_id in copied}
    for node_id, node in copy.deepcopy(copied).items():
        for key, value in node["inputs"].items():
            if isinstance(value, list):
                node["inputs"][key] = [names.get(value[0], value[0]), value[1]]
        workflow[names[node_id]] = node
    return names[first(copied, "ConsistentIDApply")]
