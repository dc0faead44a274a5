"""scripts.bench.benchmark: cost and accuracy of all models."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from scripts import results_tables
from scripts.bench import benchmark
from ser_core import paths
from ser_core.data.corpora import parse_filename
from ser_core.evaluation import results
from ser_core.evaluation.evaluator import PredictionTable, compute_metrics
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import CheckpointError, load_model


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A function that records a UAR of a model on a test part; results are looked for in a folder of this test."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    utterance = parse_filename(Path("crema_d/1001_DFA_ANG_XX"))
    predictions = PredictionTable(EMOTIONS, (utterance,), np.eye(8)[[4]], np.array([False]))
    measured = json.loads(json.dumps(compute_metrics(predictions).to_dict()))

    def save(model: str, uar: float, protocol="speaker-independent", fold="0", latency_ms=7.0, leak=False) -> None:
        pooled = measured["pooled"] | {"uar": uar}
        results.save_result(
            results.EvaluationResult(
                *(model, "resonet", protocol, fold, {"protocol": protocol, "fold": fold}, leak),
                provenance={"protocol_sha256": results.protocol_sha256(protocol)},
                metrics=measured | {"pooled": pooled, "corpora": {"crema_d": pooled}},
                cost={"n_parameters": 5, "macs_per_3_s_clip": 6, "size_mb": 1.0, "latency_ms": latency_ms},
                predictions=predictions,
            )
        )

    return save


def a_cost(latency_ms: float, n_parameters: int | None = 10) -> dict:
    return {
        "n_parameters": n_parameters,
        "macs_per_3_s_clip": n_parameters and 2_000_000,
        "size_mb": 3.0,
        "latency_ms": latency_ms,
        "load_s": 0.5,
    }


SVM = {"svm-egemaps": a_cost(120.0, None)}


def test_the_fastest_better_network_is_compared_with_egemaps_on_the_same_test_part(record):
    measured = SVM | {"slow": a_cost(60.0), "fast": a_cost(10.0), "poor": a_cost(1.0), "unmeasured": a_cost(0.1)}
    for name, uar in (("svm-egemaps", 0.5), ("slow", 0.9), ("fast", 0.6), ("poor", 0.4)):
        record(name, uar)
    record("poor", 0.99, "resonet", None)
    record("unmeasured", 1.0, leak=True)
    models = benchmark.model_table(measured)
    assert list(models) == ["unmeasured", "poor", "fast", "slow", "svm-egemaps"]
    assert models["fast"]["times_faster"] == 12.0 and models["unmeasured"]["results"] == {}
    found = benchmark.against_yardstick(models)
    assert found == {
        "speaker-independent-0": {"model": "fast", "times_faster": 12.0, "uar_difference": pytest.approx(0.1)}
    }
    (sentence,) = benchmark.sentences(found)
    assert "fast, 12.0 times faster, UAR +10.0 points" in sentence and "none is better" not in sentence


def test_when_no_network_is_better_the_fastest_one_is_named_as_worse(record):
    for name, uar in (("svm-egemaps", 0.5), ("slow", 0.45), ("fast", 0.4)):
        record(name, uar)
    models = benchmark.model_table(SVM | {"slow": a_cost(60.0), "fast": a_cost(10.0)})
    (sentence,) = benchmark.sentences(benchmark.against_yardstick(models))
    assert "none is better, is fast" in sentence and "-10.0 points" in sentence


def test_pareto_models_are_those_that_none_beats_in_both(record):
    for name, uar in (("fast", 0.5), ("slow", 0.6), ("slower", 0.6), ("slowest", 0.3)):
        record(name, uar)
    measured = {"fast": a_cost(1.0), "slow": a_cost(2.0), "slower": a_cost(3.0), "slowest": a_cost(4.0)}
    models = benchmark.model_table(measured)
    assert [m["results"]["speaker-independent-0"]["pareto"] for m in models.values()] == [True, True, False, False]
    stars = [row[benchmark.MODEL_COLUMNS.index("UAR [%]")] for row in benchmark.model_rows(models)]
    assert stars == ["50.0 *", "60.0 *", "60.0", "30.0"]


def test_a_latency_of_another_time_is_compared_with_nothing(record):
    record("svm-egemaps", 0.5)
    record("only-a-result", 0.8, latency_ms=0.1)
    models = benchmark.model_table(SVM)
    found = models["only-a-result"]
    assert (found["latency_ms"], found["load_s"], found["times_faster"]) == (0.1, None, None)
    assert models["svm-egemaps"]["results"]["speaker-independent-0"]["pareto"]
    assert benchmark.against_yardstick(models) == {}


@pytest.fixture
def nothing_else_is_measured(monkeypatch):
    for part in ("clip_of_three_seconds", "file_of_ten_minutes", "features_against_librosa"):
        monkeypatch.setattr(benchmark, part, lambda model, part=part: {f"{part} [ms]": 1.0})
    monkeypatch.setattr(benchmark, "training", lambda: {"training [clips/s]": 2.0})


def test_benchmark_without_opensmile_says_so_and_measures_the_rest(
    nothing_else_is_measured, checkpoints, record, capsys, monkeypatch, tmp_path
):
    def load(name, device):
        if name == "other":
            raise CheckpointError("other needs opensmile: pip install opensmile")
        return load_model(name, device)

    monkeypatch.setattr(benchmark, "load_model", load)
    record("small", 0.375)
    assert benchmark.main(["--model", "small", "--json", str(tmp_path / "benchmark.json")]) == 0
    said = capsys.readouterr()
    assert "other is left out: other needs opensmile" in said.err
    assert "svm-egemaps is missing here" in said.out and re.search(r"small .*speaker-independent-0 +37\.5 \*", said.out)
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
    models = benchmark.model_table(SVM | {"fast": a_cost(10.0)})
    written = {"a figure": 1.234, "models": models, "yardstick": benchmark.against_yardstick(models)}
    monkeypatch.setattr(results_tables, "BENCHMARK", tmp_path / "benchmark.json")
    (tmp_path / "benchmark.json").write_text(json.dumps(written))
    shown = results_tables.benchmark()
    assert "| a figure | 1.23 |" in shown and "12.0 times faster, UAR +12.5 points" in shown
    assert "| fast | 10 | 2 | 3.0 | 0.50 | 10.0 | 12.0 | speaker-independent-0 | 62.5 * |" in shown
    assert "| svm-egemaps | - | - | 3.0 | 0.50 | 120.0 | 1.0 | speaker-independent-0 | 50.0 |" in shown


def test_benchmark_reports_a_damaged_result(nothing_else_is_measured, checkpoints, record, capsys, tmp_path):
    record("small", 0.5)
    (tmp_path / "results" / "speaker-independent-0" / "small.json").write_text("{")
    assert benchmark.main(["--model", "small"]) == 2
    assert "speaker-independent-0/small.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["clip_of_three_seconds", "features_against_librosa"])
def test_benchmark_measures_one_model_closely(new_model, part):
    assert all(value > 0 for value in getattr(benchmark, part)(new_model()).values())
