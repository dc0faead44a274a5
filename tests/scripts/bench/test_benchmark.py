"""scripts.bench.benchmark: cost and accuracy of all models."""

import json
import re

import pytest

from scripts import results_tables
from scripts.bench.benchmark import __main__ as benchmark, costs, speed
from scripts.result_blocks import measured
from ser_core import paths
from ser_core.evaluation import cost
from ser_core.evaluation.cost import compare_with_baseline, cost_table, median_ms
from ser_core.models.checkpoint import load_model
from ser_core.models.names import CheckpointError
from tests.make_results import make_cost, save_uar


@pytest.fixture
def record(tmp_path, monkeypatch):
    """save_uar, for results in a folder of this test, of shipped weights."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(cost, "is_shipped", lambda result: True)
    return save_uar


SVM = {"svm-egemaps": make_cost(120.0, None)}


def test_each_test_part_has_a_sentence_on_the_fastest_better_network(record):
    for name, uar in (("svm-egemaps", 0.5), ("slow", 0.9), ("fast", 0.6)):
        record(name, uar)
    models = cost_table(SVM | {"slow": make_cost(60.0), "fast": make_cost(10.0)})
    (sentence,) = costs.sentences(compare_with_baseline(models))
    assert "fast, 12.0 times faster, UAR +10.0 points" in sentence and "none is better" not in sentence


def test_when_no_network_is_better_the_fastest_one_is_named_as_worse(record):
    for name, uar in (("svm-egemaps", 0.5), ("slow", 0.45), ("fast", 0.4)):
        record(name, uar)
    models = cost_table(SVM | {"slow": make_cost(60.0), "fast": make_cost(10.0)})
    (sentence,) = costs.sentences(compare_with_baseline(models))
    assert "none is better, is fast" in sentence and "-10.0 points" in sentence


@pytest.fixture
def nothing_else_is_measured(monkeypatch):
    for part in ("clip_of_three_seconds", "file_of_ten_minutes"):
        monkeypatch.setattr(benchmark, part, lambda model, part=part: {f"{part} [ms]": 1.0})
    monkeypatch.setattr(benchmark, "features_against_librosa", dict)
    monkeypatch.setattr(benchmark, "training", lambda: {"training [clips/s]": 2.0})


@pytest.mark.slow
def test_benchmark_without_opensmile_says_so_and_measures_the_rest(
    nothing_else_is_measured, checkpoints, record, capsys, monkeypatch, tmp_path
):
    def load(name, device):
        if name == "other":
            raise CheckpointError("other needs opensmile: pip install opensmile")
        return load_model(name, device)

    monkeypatch.setattr(benchmark, "load_model", load)
    monkeypatch.setattr(costs, "load_model", load)
    record("small", 0.375)
    assert benchmark.main(["--model", "small", "--json", str(tmp_path / "benchmark.json")]) == 0
    said = capsys.readouterr()
    assert re.search("^other .*opensmile", said.err, re.M)
    assert "svm-egemaps" in said.out and re.search(r"^small +[\d,]+ ", said.out, re.M)
    written = json.loads((tmp_path / "benchmark.json").read_text())
    models = written.pop("models")
    assert written.pop("yardstick") == {} and list(models) == ["small"]
    assert written["training [clips/s]"] == 2.0 and all(isinstance(value, float) for value in written.values())
    assert written["largest checkpoint, load [s]"] == models["small"]["load_s"] > 0
    assert models["small"]["n_parameters"] == load_model("small").n_parameters()
    assert models["small"]["macs_per_3_s_clip"] > 0 and models["small"]["size_mb"] > 0


def test_the_docs_show_what_the_benchmark_wrote(record, monkeypatch, tmp_path):
    for name, uar in (("svm-egemaps", 0.5), ("fast", 0.625)):
        record(name, uar)
    models = cost_table(SVM | {"fast": make_cost(10.0)})
    written = {"a figure": 1.234, "models": models, "yardstick": compare_with_baseline(models)}
    monkeypatch.setattr(measured, "BENCHMARK", tmp_path / "benchmark.json")
    (tmp_path / "benchmark.json").write_text(json.dumps(written))
    shown = results_tables.benchmark()
    assert "| a figure | 1.23 |" in shown and "12.0 times faster, UAR +12.5 points" in shown
    assert "| fast | 10 | 2 | 3.0 | 0.50 | 10.0 | 10.0 | 12.0 |" in shown
    assert "| svm-egemaps | - | - | 3.0 | 0.50 | 120.0 | 120.0 | 1.0 |" in shown


@pytest.mark.slow
def test_benchmark_reports_a_damaged_result(nothing_else_is_measured, checkpoints, record, capsys, tmp_path):
    record("small", 0.5)
    (tmp_path / "results" / "speaker-independent-0" / "small.json").write_text("{")
    assert benchmark.main(["--model", "small"]) == 2
    assert "speaker-independent-0/small.json" in capsys.readouterr().err


@pytest.mark.slow
def test_benchmark_measures_one_model_closely(new_model, monkeypatch):
    monkeypatch.setattr(speed, "median_ms", lambda run, n_runs=1, **how: median_ms(run, 1, **how))
    assert all(value > 0 for value in speed.clip_of_three_seconds(new_model()).values())
    assert all(value > 0 for value in speed.features_against_librosa().values())
    assert costs.predict_cpu_ms(new_model()) > 0
