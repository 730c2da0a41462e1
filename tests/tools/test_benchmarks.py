"""The benchmark's arithmetic, its table, and the figures the README takes from it."""

import re
import time

import pytest
import torch

from benchmarks import device, results, rows, table
from benchmarks.groups import GROUPS, first_step
from benchmarks.stopwatch import Stopwatch
from tools import client, paths, workflow
from tools.console import CommandError

# --- arithmetic --------------------------------------------------------------------------------


def test_the_spread_is_the_median_with_the_quartiles_around_it():
    assert rows.spread([5.0, 1.0, 2.0, 4.0, 3.0, 7.0, 6.0]) == {"value": 4.0, "quartiles": [2.0, 6.0]}


def test_the_spread_of_a_single_value_is_that_value():
    assert rows.spread([0.25]) == {"value": 0.25, "quartiles": [0.25, 0.25]}


def test_a_ratio_is_taken_round_by_round():
    """A machine that slows down tenfold for a round changes no ratio."""
    plain = [1.0, 10.0, 1.0, 10.0, 100.0]
    row = rows.ratio("twice", [2 * value for value in plain], plain)
    assert row == {"what": "twice", "unit": "ratio", "value": 2.0, "quartiles": [2.0, 2.0]}


def test_a_ratio_needs_as_many_rounds_on_both_sides():
    with pytest.raises(ValueError):
        rows.ratio("", [1.0, 2.0], [1.0])


def test_a_share_is_of_the_whole_of_the_same_round():
    row = rows.seconds("part", [1.0, 2.0, 30.0], whole=[4.0, 8.0, 120.0])
    assert (row["value"], row["share"]) == (2.0, 0.25)


def test_cases_take_turns_in_a_moving_order_and_the_first_round_does_not_count():
    order = []
    number = iter(range(100))

    def case(name):
        return lambda: order.append(name) or next(number)

    taken = rows.interleave({name: case(name) for name in "abc"}, rounds=2)
    assert "".join(order) == "abc" + "bca" + "cab"
    assert taken == {"a": [5, 7], "b": [3, 8], "c": [4, 6]}


# --- results and table -------------------------------------------------------------------------

CONDITIONS = {"date": "2026-01-02", "size": 256, "rounds": 3, "torch": "2.0", "load_average": [0.5, 7.25]}


def test_a_group_takes_the_place_of_its_old_figures_and_leaves_the_others(tmp_path):
    one, two = ({"a": rows.count("things", number)} for number in (1, 2))
    results.add("sd15", "cpu", "step", CONDITIONS, one, tmp_path)
    results.add("sd15", "cpu", "lora", CONDITIONS, one, tmp_path)
    results.add("sd15", "cpu", "step", CONDITIONS, two, tmp_path)
    results.add("sdxl", "cuda", "step", CONDITIONS, two, tmp_path)
    read = results.read_all(tmp_path)
    assert list(read) == [("sd15", "cpu"), ("sdxl", "cuda")]
    assert {group: of["rows"]["a"]["value"] for group, of in read["sd15", "cpu"].items()} == {
        "step": 2,
        "lora": 1,
    }


def test_cells_show_value_spread_and_share_in_their_unit():
    assert table.cell(rows.ratio("", [1.0, 1.0, 1.1, 1.2, 1.3], [1.0] * 5)) == "1.100 (1.000–1.250)"
    assert table.cell(rows.seconds("", [0.5], [2.0])) == "0.500 s, 25%"
    assert table.cell(rows.count("", 862)) == "862"
    assert table.cell(rows.size("", 3_440_000_000)) == "3.44 GB"
    assert table.cell(rows.size("", 12_340_000)) == "12.3 MB"


def test_the_table_has_a_column_for_each_family_and_device_and_a_row_for_each_figure():
    def group(**figures):
        return {"step": {"conditions": CONDITIONS, "rows": {k: rows.count(k, v) for k, v in figures.items()}}}

    text = table.markdown({("sd15", "cpu"): group(both=1, first=2), ("sd15", "cuda"): group(both=3)})
    assert "|  | SD1.5, CPU | SD1.5, GPU |" in text
    assert "| both | 1 | 3 |" in text
    assert "| first | 2 |  |" in text
    assert "SD1.5, GPU: 2026-01-02, 256² pixels, 3 rounds, load average 0.5 to 7.25, PyTorch 2.0." in text
    assert text.count("Not measured yet.") == len(GROUPS) - 1


def test_writing_the_table_leaves_the_text_around_it(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", "utf-8")
    results.add("sd15", "cpu", "step", CONDITIONS, {"a": rows.count("things", 1)}, tmp_path)
    for _ in range(2):
        table.write(readme, tmp_path)
    text = readme.read_text("utf-8")
    assert text.startswith(f"before\n{table.BEGIN}") and text.endswith(f"{table.END}\nafter\n")
    assert "old" not in text and text.count("| things | 1 |") == 1


def test_the_table_in_the_repository_is_the_one_of_its_results():
    text = table.README.read_text("utf-8")
    written = text.split(table.BEGIN)[1].split(table.END)[0]
    assert written.strip() == table.markdown(results.read_all()).strip(), "run: python -m benchmarks.table"


def test_the_readme_says_what_was_measured():
    readme = " ".join((paths.ROOT / "README.md").read_text("utf-8").split())
    assert table.sentence(results.read_all()) in readme


def test_every_group_is_a_module_of_its_name():
    folder = paths.ROOT / "benchmarks" / "groups"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(GROUPS)


# --- measuring ---------------------------------------------------------------------------------


class Kettle:
    def boil(self, seconds: float = 0.002, *, again: bool = False) -> float:
        time.sleep(seconds)
        return self.boil(seconds) if again else seconds

    def whistle(self) -> None:
        raise OSError


def test_a_stopwatch_times_calls_and_leaves_everything_as_it_was():
    kettle, functions = Kettle(), dict(vars(Kettle))
    finished = []
    with Stopwatch({"boil": [(Kettle, "boil")]}, time.perf_counter, lambda: finished.append(1)) as watch:
        assert kettle.boil(0.003) == 0.003
        assert kettle.boil(again=True) == 0.002
    assert watch.calls == {"boil": 2} and len(finished) == 2  # the call within a call is a part of it
    assert watch.seconds["boil"] >= 0.007
    assert dict(vars(Kettle)) == functions


def test_a_stopwatch_on_an_instance_sees_no_other_and_goes_when_the_work_fails():
    one, other = Kettle(), Kettle()
    with pytest.raises(OSError), Stopwatch({"whistle": [(one, "whistle")]}, time.perf_counter) as watch:
        other.boil(0)
        one.whistle()
    assert watch.calls == {"whistle": 1}
    assert vars(one) == {}


def test_waiting_does_not_count_on_the_cpu_and_does_on_a_graphics_card(monkeypatch):
    """Other work on a shared machine makes the process wait; a graphics card is waited for."""
    monkeypatch.setattr(device, "finish", lambda name: None)
    assert device.time_of(lambda: time.sleep(0.05), "cpu") < 0.03
    assert device.time_of(lambda: time.sleep(0.05), "cuda") >= 0.05
    assert device.time_of(lambda: sum(range(500_000)), "cpu") > 0


def test_operations_are_counted_without_views():
    a = torch.ones(4, 4)
    assert device.operations(lambda: (a + a).view(16).unsqueeze(0).sum()) == 2


def test_arithmetic_is_counted_in_products_forth_and_back():
    a = torch.ones(4, 8, requires_grad=True)
    assert device.flops(lambda: (a @ torch.ones(8, 2)).sum().backward()) == 2 * (2 * 4 * 8 * 2)


def test_the_peak_is_what_is_held_at_a_time_and_not_the_sum():
    megabyte = 2**20

    def work():
        for _ in range(3):
            torch.zeros(megabyte, dtype=torch.uint8)
        pair = [torch.zeros(megabyte, dtype=torch.uint8) for _ in range(2)]
        assert pair

    assert 2 * megabyte <= device.peak_bytes(work, "cpu") < 3 * megabyte


def event(name: str, ts: float, dur: float = 1.0, cat: str = "cuda_runtime") -> dict:
    return {"ph": "X", "name": name, "ts": ts, "dur": dur, "cat": cat}


def test_launches_and_waits_are_those_of_the_work_alone(monkeypatch):
    """As a profiler of a graphics card sees them: the mark is there twice, and other work is around it."""
    trace = [
        event("cudaStreamSynchronize", 5),
        event(device._MARK, 9, 3, "gpu_user_annotation"),
        event(device._MARK, 10, 20, "user_annotation"),
        event("cudaLaunchKernel", 11),
        event("cudaLaunchKernelExC_v11060", 12),
        event("cuLaunchKernel", 13),
        event("cudaMemcpyAsync", 14),
        event("cudaStreamSynchronize", 15),
        event("some_kernel<float>", 16, cat="kernel"),
        event("cudaLaunchKernel", 31),
        event("cudaDeviceSynchronize", 32),
        {"ph": "i", "name": "[memory]", "ts": 12},
    ]
    monkeypatch.setattr(device, "_trace", lambda profiler: trace)
    monkeypatch.setattr(device, "finish", lambda name: None)
    assert device.launches_and_waits(lambda: None) == (3, 1)


def test_the_mark_is_found_in_a_real_trace():
    activities = [torch.profiler.ProfilerActivity.CPU]
    a = torch.ones(8, 8)
    with torch.profiler.profile(activities=activities) as profiler:
        a @ a
        with torch.profiler.record_function(device._MARK):
            for _ in range(3):
                a @ a
    assert device.calls_within(device._trace(profiler), device._MARK)["aten::mm"] == 3


# --- the workflows of the server group ---------------------------------------------------------


@pytest.mark.parametrize("name", first_step._WORKFLOWS.values())
def test_the_plain_workflow_has_the_same_sampler_and_texts_and_nothing_of_the_pack(name):
    portrait = workflow.load(name)
    plain = first_step.without_identity(portrait)
    assert not any(re.match("ConsistentID", node["class_type"]) for node in plain.values())
    for node in plain.values():
        for value in node["inputs"].values():
            assert not isinstance(value, list) or value[0] in plain
    (sampler,) = workflow.nodes_of(plain, "KSampler")
    same = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise", "latent_image")
    assert all(plain[sampler]["inputs"][key] == portrait[sampler]["inputs"][key] for key in same)
    (encoder,) = workflow.nodes_of(portrait, "ConsistentIDFaceEncoder")
    assert plain["positive"]["inputs"]["text"] == portrait[encoder]["inputs"]["prompt"]


@pytest.mark.parametrize(
    "change, class_type",
    [("photo", "LoadImage"), ("prompt", "ConsistentIDFaceEncoder"), ("seed", "KSampler")],
)
def test_a_change_changes_one_node(change, class_type):
    before, after = (workflow.load("consistentid_sd15_api.json") for _ in range(2))
    first_step.change_workflow(after, change, 3)
    assert [after[key]["class_type"] for key in after if after[key] != before[key]] == [class_type]


def test_a_changed_prompt_changes_the_positive_text_of_the_plain_workflow_alone():
    plain = first_step.without_identity(workflow.load("consistentid_sd15_api.json"))
    before = {key: dict(node["inputs"]) for key, node in plain.items()}
    first_step.change_workflow(plain, "prompt", 1)
    assert {key for key in plain if plain[key]["inputs"] != before[key]} == {"positive"}


class Playback:
    """A server that reports known events, each after a moment of the clock."""

    def __init__(self, monkeypatch, *events: client.Event, error: dict | None = None):
        self._events, self._error, self._now = events, error, 0.0
        monkeypatch.setattr(first_step.time, "perf_counter", lambda: self._now)

    def run(self, prompt, on_event) -> client.Run:
        for event in self._events:
            self._now += 1
            on_event(event)
        return client.Run(error=self._error)


def test_the_first_step_is_the_first_that_the_sampler_reports(monkeypatch):
    prompt = workflow.load("consistentid_sd15_api.json")
    (sampler,) = workflow.nodes_of(prompt, "KSampler")
    (parser,) = workflow.nodes_of(prompt, "ConsistentIDFaceParser")
    server = Playback(
        monkeypatch,
        client.Event("executing", {"node": parser}),
        client.Event("progress", {"node": parser, "value": 1, "max": 1}),
        client.Event("executing", {"node": sampler}),
        client.Event("progress", {"node": sampler, "value": 1, "max": 2}),
        client.Event("progress", {"node": sampler, "value": 2, "max": 2}),
    )
    assert first_step._time_of_first_step(server, prompt) == 4


def test_a_run_without_a_step_is_no_figure(monkeypatch):
    server = Playback(monkeypatch, error={"exception_message": "no memory"})
    with pytest.raises(CommandError, match="no memory"):
        first_step._time_of_first_step(server, workflow.load("consistentid_sd15_api.json"))
