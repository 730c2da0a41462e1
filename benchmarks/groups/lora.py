"""The LoRA merged into the weights, beside ComfyUI's own LoRA loader with the very same matrices."""

from ..job import Job
from ..rows import Row, interleave, ratio, seconds


def measure(job: Job) -> dict[str, Row]:
    job.start_host()
    from ..adapter import with_models

    return with_models(measure_models, job)


def measure_models(model, consistentid, job: Job) -> dict[str, Row]:
    """model: a MODEL.  consistentid: the adapter that fits it."""
    import comfy.model_management
    import comfy.sd
    from consistentid_pack.consistentid_core.networks.attention import lora_weights
    from consistentid_pack.nodes.sampling.lora import fitting_layers, merge_lora

    from ..device import time_of

    layers = fitting_layers(model, consistentid)
    matrices = lora_weights(consistentid.adapters, layers)

    def ours():
        patched = model.clone()
        merge_lora(patched, consistentid, layers, 1.0)
        return patched

    def hosts():
        return comfy.sd.load_lora_for_models(model, None, matrices, 1.0, 0.0)[0]

    def time_of_merging(patch) -> float:
        comfy.model_management.load_models_gpu([model])  # takes the last LoRA out again
        return time_of(lambda: comfy.model_management.load_models_gpu([patch()]), job.device)

    cases = {"hosts": hosts, "noise": hosts, "ours": ours}
    taken = interleave(
        {name: (lambda patch=patch: time_of_merging(patch)) for name, patch in cases.items()}, job.rounds
    )
    base = taken["hosts"]
    return {
        "hosts": seconds("ComfyUI's LoRA loader, until the weights are merged", base),
        "noise": ratio("ComfyUI's LoRA loader again ÷ ComfyUI's", taken["noise"], base),
        "ours": ratio("Apply ConsistentID's LoRA ÷ ComfyUI's", taken["ours"], base),
    }
