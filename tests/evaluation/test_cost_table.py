"""Cost against recorded accuracy: the Pareto front and the comparison with the baseline."""

import pytest

from ser_core import paths
from ser_core.evaluation import cost
from ser_core.evaluation.cost import BASELINE_MODEL, compare_with_baseline, cost_table
from tests.make_results import make_cost, save_uar

SVM = {BASELINE_MODEL: make_cost(120.0, None)}


@pytest.fixture
def record(tmp_path, monkeypatch):
    """save_uar, for results in a folder of this test, of shipped weights."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(cost, "is_shipped", lambda result: True)
    return save_uar


def test_the_fastest_better_network_is_compared_with_egemaps_on_the_same_test_part(record):
    measured = SVM | {
        "slow": make_cost(60.0),
        "fast": make_cost(10.0),
        "poor": make_cost(1.0),
        "unmeasured": make_cost(0.1),
    }
    for name, uar in (("svm-egemaps", 0.5), ("slow", 0.9), ("fast", 0.6), ("poor", 0.4)):
        record(name, uar)
    record("poor", 0.99, "resonet", None)
    record("unmeasured", 1.0, leak=True)
    models = cost_table(measured)
    assert list(models) == ["unmeasured", "poor", "fast", "slow", "svm-egemaps"]
    assert models["fast"]["times_faster"] == 12.0 and models["unmeasured"]["results"] == {}
    found = compare_with_baseline(models)
    assert found == {
        "speaker-independent-0": {"model": "fast", "times_faster": 12.0, "uar_difference": pytest.approx(0.1)}
    }


def test_when_no_network_is_better_the_fastest_one_is_compared(record):
    for name, uar in (("svm-egemaps", 0.5), ("slow", 0.45), ("fast", 0.4)):
        record(name, uar)
    models = cost_table(SVM | {"slow": make_cost(60.0), "fast": make_cost(10.0)})
    (row,) = compare_with_baseline(models).values()
    assert row == {"model": "fast", "times_faster": 12.0, "uar_difference": pytest.approx(-0.1)}


def test_pareto_models_are_those_that_none_beats_in_both(record):
    for name, uar in (("fast", 0.5), ("slow", 0.6), ("slower", 0.6), ("slowest", 0.3)):
        record(name, uar)
    measured = {"fast": make_cost(1.0), "slow": make_cost(2.0), "slower": make_cost(3.0), "slowest": make_cost(4.0)}
    models = cost_table(measured)
    assert [m["results"]["speaker-independent-0"]["pareto"] for m in models.values()] == [True, True, False, False]


def test_a_latency_of_another_time_is_compared_with_nothing(record):
    record("svm-egemaps", 0.5)
    record("only-a-result", 0.8, latency_ms=0.1)
    models = cost_table(SVM)
    found = models["only-a-result"]
    assert (found["latency_ms"], found["load_s"], found["times_faster"]) == (0.1, None, None)
    assert models["svm-egemaps"]["results"]["speaker-independent-0"]["pareto"]
    assert compare_with_baseline(models) == {}


def test_results_of_weights_that_are_not_shipped_are_left_out(record, monkeypatch):
    record("fast", 0.9)
    monkeypatch.setattr(cost, "is_shipped", lambda result: False)
    assert cost_table({"fast": make_cost(1.0)})["fast"]["results"] == {}
