"""Train ConsistentID on a real server: cancelled, queued again, listed by the loader; and errors it lives through."""

import urllib.request

import pytest
from server_host import SET, change

from tools import workflow as workflows

NAME = "trained_here"


@pytest.fixture
def training(host):
    """The shipped workflow, small: new weights of full size, three steps of one portrait."""
    workflow = workflows.load("consistentid_train_api.json")
    workflows.use_models(workflow, host.models)
    change(
        workflow, "ConsistentIDTrain", dataset=SET, output_name=NAME, resolution=64, steps=3, accumulation=1,
        precision="fp32", settings="{rank: 4, ema_decay: 0, sample_steps: 2}",
    )  # fmt: skip
    yield workflow
    # Other tests choose among the files of this folder.
    (host.base.folder / "models" / "consistentid" / f"{NAME}.safetensors").unlink(missing_ok=True)


def test_a_cancelled_run_is_saved_and_goes_on(host, training):
    def cancel(event):
        if event.type == "progress" and event.data["value"] == 1 and event.data["max"] == 3:
            urllib.request.urlopen(urllib.request.Request(f"{host.server.url}/interrupt", data=b""))

    run = host.client.run(training, on_event=cancel)
    assert run.error is not None and "exception_message" not in run.error  # as of any cancelled node
    states = host.base.output / "consistentid_training" / NAME / "states"
    (saved,) = [folder.name for folder in states.iterdir()]
    assert saved in ("step-00000001", "step-00000002")
    assert f"{NAME}.safetensors" in host.client.get("/models/consistentid")

    host.portraits(training)
    assert sorted(folder.name for folder in states.iterdir())[-1] == "step-00000003"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"output_name": "a/b"}, "cannot be used as output_name"),
        ({"settings": "colour: red"}, "unknown settings: colour"),
        ({"dataset_path": "/no/such/place"}, "holds no training data"),
    ],
)
def test_bad_input_is_named_and_the_server_lives_on(host, training, plain_workflow, inputs, message):
    change(training, "ConsistentIDTrain", **inputs)
    error = host.fail(training)
    assert error["node_type"] == "ConsistentIDTrain" and message in error["exception_message"]
    host.run(plain_workflow)
