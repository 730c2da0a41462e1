"""Time, memory, operations and kernel launches of a piece of work, on the CPU or a graphics card."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

#: How the runtime and the driver of CUDA call what starts work on the graphics card, and what waits for it.
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchCooperativeKernel", "cuLaunchKernel", "cudaGraphLaunch")
WAITS = (
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cuStreamSynchronize",
    "cuEventSynchronize",
)

_MARK = "benchmarks: the work"


def finish(device: str) -> None:
    """Wait until the device has done everything it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def clock_of(device: str) -> Callable[[], float]:
    """What tells the seconds: on the CPU those this process computes, all threads together.

    Other work on the machine makes the process wait, which is not what is measured. Nobody else computes on the
    graphics card, and there it is the waiting that counts.
    """
    return time.perf_counter if device == "cuda" else time.process_time


def time_of(work: Callable[[], object], device: str) -> float:
    """Seconds until the device has finished the work."""
    clock = clock_of(device)
    finish(device)
    started = clock()
    work()
    finish(device)
    return clock() - started


def operations(work: Callable[[], object]) -> int:
    """Tensor operations dispatched; views, which move no data, are left out."""

    class Counting(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.count += not any(result.alias_info for result in function._schema.returns)
            return function(*args, **(kwargs or {}))

    with Counting() as counting:
        work()
    return counting.count


def flops(work: Callable[[], object]) -> int:
    """Additions and multiplications in products of matrices, convolutions and attention."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def peak_bytes(work: Callable[[], object], device: str) -> int:
    """The most that tensors hold at a time during the work, beyond what they held before."""
    if device == "cuda":
        finish(device)
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        work()
        finish(device)
        return torch.cuda.max_memory_allocated() - held
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    return _peak(event["args"] for event in _trace(profiler) if event.get("name") == "[memory]")


def _peak(changes: Iterable[Mapping[str, Any]]) -> int:
    """changes: in the order of time, with their "Bytes", negative where memory is given back."""
    held = peak = 0
    for change in changes:
        held += int(change["Bytes"])
        peak = max(peak, held)
    return peak


def launches_and_waits(work: Callable[[], object]) -> tuple[int, int]:
    """How often a kernel is launched on the graphics card, and how often the host waits for it."""
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with profile(activities=activities) as profiler:
        with record_function(_MARK):
            work()
        finish("cuda")  # outside the mark: this wait is not the work's
    called = calls_within(_trace(profiler), _MARK)
    return sum(_having(called, LAUNCHES)), sum(_having(called, WAITS))


def calls_within(events: Iterable[Mapping[str, Any]], mark: str) -> Counter[str]:
    """How often each name begins while the mark lasts.

    events: of a trace in Chrome's format, times in microseconds.
    """
    events = [event for event in events if event.get("ph") == "X"]
    # A graphics card has a copy of the mark on its own time line; the host's is the one with its category.
    begin, end = next(
        (event["ts"], event["ts"] + event["dur"])
        for event in events
        if event["name"] == mark and event.get("cat") == "user_annotation"
    )
    return Counter(event["name"] for event in events if begin <= event["ts"] < end)


def _having(called: Counter[str], names: Iterable[str]) -> Iterable[int]:
    """Counts of the calls of these names, whatever version of the interface they carry at the end."""
    return (number for name, number in called.items() if name.startswith(tuple(names)))


def _trace(profiler: profile) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text("utf-8"))["traceEvents"]
    return sorted(events, key=lambda event: event.get("ts", 0))
