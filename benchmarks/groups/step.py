"""A step: whole UNet calls with guidance, plain, plain again and patched in several ways, in turn."""

from collections.abc import Mapping

from ..job import Job
from ..rows import Row, count, interleave, ratio, seconds, size

#: What is timed, beside a plain step.
CASES = {
    "noise": "plain again",
    "patched": "one person",
    "with_range": "one person, from start to end percent",
    "with_mask": "one person, with a mask",
    "two_people": "two people",
}


def measure(job: Job) -> dict[str, Row]:
    job.start_host()
    from ..adapter import with_models

    return with_models(measure_models, job)


def measure_models(model, consistentid, job: Job) -> dict[str, Row]:
    """model: a MODEL.  consistentid: the adapter that fits it."""
    import torch

    from ..adapter import apply, conditioning
    from ..device import launches_and_waits, operations, peak_bytes, time_of
    from ..model_call import ModelCall, one_step

    width = consistentid.cross_attention_dim
    inputs = conditioning(width, 1), conditioning(width, 2), torch.zeros(1, 4, job.size // 8, job.size // 8)
    patched = apply(model, consistentid)
    models = {
        "plain": model,
        "noise": model,
        "patched": patched,
        "with_range": apply(model, consistentid, end_percent=0.999),
        "with_mask": apply(model, consistentid, mask=torch.ones(1, job.size, job.size)),
        "two_people": apply(patched, consistentid, 1),
    }
    calls = {name: ModelCall(one, *inputs) for name, one in models.items()}
    cases = {name: (lambda call=call: time_of(call, job.device)) for name, call in calls.items()}
    if job.device == "cpu":  # a graphics card works behind the host's back: there the launches tell
        cases["id_branch"] = lambda: _time_of_id_branch(calls["patched"])
    rows = _time_rows(interleave(cases, job.rounds))

    del calls["noise"]
    for name, call in calls.items():
        rows[f"operations_{name}"] = count(f"operations: {CASES.get(name, 'plain')}", operations(call))
    counted = ("plain", "patched", "two_people")
    rows |= _memory_rows(
        {name: peak_bytes(lambda name=name: one_step(models[name], *inputs), job.device) for name in counted},
        model.model_size(),
    )
    if job.device == "cuda":
        for name in counted:
            launches, waits = launches_and_waits(calls[name])
            rows[f"launches_{name}"] = count(f"kernel launches: {CASES.get(name, 'plain')}", launches)
            rows[f"waits_{name}"] = count(f"waits of the host: {CASES.get(name, 'plain')}", waits)
    return rows


def _time_of_id_branch(call) -> float:
    """Seconds of a call that go into the attention to the ID tokens and the sum."""
    from consistentid_pack.nodes.sampling import id_attention

    from ..device import clock_of
    from ..stopwatch import Stopwatch

    with Stopwatch({"branch": [(id_attention, "add_id_attention")]}, clock_of("cpu")) as watch:
        call()
    return watch.seconds["branch"]


def _time_rows(taken: Mapping[str, list[float]]) -> dict[str, Row]:
    plain = taken["plain"]
    rows = {"plain": seconds("a plain step", plain)}
    rows |= {name: ratio(f"{what} ÷ plain", taken[name], plain) for name, what in CASES.items()}
    if "id_branch" in taken:
        rows["id_branch"] = ratio("the attention to the ID tokens alone ÷ plain", taken["id_branch"], plain)
    return rows


def _memory_rows(peaks: Mapping[str, int], weights: int) -> dict[str, Row]:
    """peaks: the bytes of a run of one step beyond the weights of the model."""
    plain = weights + peaks["plain"]
    rows = {"memory_plain": size("peak memory of a plain run, with the model's weights", plain)}
    for name in ("patched", "two_people"):
        rows[f"memory_{name}"] = ratio(
            f"peak memory: {CASES[name]} ÷ plain", [weights + peaks[name]], [plain]
        )
    return rows
