"""scripts.bench.scaling: the simulation of many workers, and the picture."""

import pytest

from scripts.bench.scaling import __main__ as scaling
from scripts.bench.scaling.picture import panels
from scripts.bench.scaling.workers import Work, simulate
from ser_core.plots.reports.cost import _decades, cost_lines

FREE = Work(task_s=[1.0], read_s=0.0, coordination_s=0.0, n_batches=64)


def test_workers_that_share_nothing_are_as_fast_as_they_are_many():
    assert [simulate(FREE, [1.0] * n)[0] for n in (1, 2, 16, 64)] == [64.0, 32.0, 4.0, 1.0]


@pytest.mark.parametrize("shared", ["read_s", "coordination_s"])
def test_what_is_shared_bounds_the_speed(shared):
    work = Work(**(vars(FREE) | {shared: 0.25}))
    assert simulate(work, [1.0] * 64)[0] == pytest.approx(64 * 0.25, rel=0.1)


def test_a_slow_worker_holds_up_the_others_for_less_than_its_batch():
    total_s, idle_s = simulate(Work([1.0], 0.0, 0.0, 200), [10.0, 1.0, 1.0, 1.0])
    assert idle_s <= 10.0 and total_s <= 200 / 3.1 + 10.0


def test_every_kind_of_work_has_a_panel(monkeypatch, tmp_path):
    rows = {"length": ["duration_s", "all_s", "all_mb"], "clients": ["clients", "server_s"]}
    rows |= {"files": ["files", "all_s"], "workers": ["workers", "wav_speedup", "small_speedup"]}
    rows |= {"names": ["files", "plan_s", "restart_s", "plan_mb", "results_mb"]}
    drawn = list(panels({kind: [dict.fromkeys(keys, 1.0)] for kind, keys in rows.items()}))
    assert len(drawn) == 6 and all(x == [1.0] == y for panel in drawn for x, y in panel.lines.values())
    assert _decades([0.227, 0.257]) == [-1, 0] and _decades([1.0]) == [0, 1]
    assert len(cost_lines(drawn).data) == sum(len(panel.lines) for panel in drawn)
    monkeypatch.setattr(scaling, "length_costs", lambda: [{"duration_s": 3.0}])
    assert scaling.main(["length", "--json", str(tmp_path / "s.json")]) == 0 and (tmp_path / "s.json").is_file()
