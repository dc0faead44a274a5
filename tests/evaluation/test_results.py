"""Result files: what is written comes back, gives the same figures, and a bad file is refused with the cure."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from ser_core import paths
from ser_core.data.file_names import parse_filename
from ser_core.data.protocols.files import read_protocol, split_name
from ser_core.data.protocols.splits import protocol_split
from ser_core.evaluation.results import (
    EvaluationResult,
    ResultError,
    is_shipped,
    list_results,
    load_result,
    protocol_sha256,
    result_path,
    save_result,
)
from ser_core.evaluation.scoring.metrics import compute_metrics
from ser_core.evaluation.scoring.predictions import PredictionTable
from ser_core.evaluation.tasks.record import recompute_result
from ser_core.labels import EMOTIONS
from ser_core.models.names import CONFIG_FILE, METRICS_FILE
from tests.make_results import make_result, some_clips

IDS = ("crema_d/1001_DFA_ANG_XX", "ravdess/03-01-02-01-01-01-16", "savee/DC_a01", "tess/OAF_back_ps")


@pytest.fixture
def result(tmp_path) -> EvaluationResult:
    rng = np.random.default_rng(0)
    predictions = PredictionTable(
        labels=EMOTIONS,
        utterances=tuple(parse_filename(tmp_path / "corpora" / i) for i in IDS),
        probabilities=softmax(rng.normal(0, 2, (4, 8)), axis=-1),
        abstained=np.array([False, True, False, False]),
        temperature=0.8,
    )
    return EvaluationResult(
        model="small",
        family="resonet",
        protocol="speaker-independent",
        fold="0",
        trained_on={"protocol": "speaker-independent", "fold": "0"},
        leak=False,
        provenance={"protocol_sha256": protocol_sha256("speaker-independent")},
        metrics=compute_metrics(predictions).to_dict(),
        cost={"n_parameters": None, "latency_ms": 1.5},
        predictions=predictions,
    )


def test_what_is_written_comes_back(result, tmp_path):
    path = save_result(result, tmp_path)
    assert path == tmp_path / "speaker-independent-0" / "small.json" and list_results(folder=tmp_path) == (path,)
    found = load_result(path)
    assert {k: v for k, v in vars(found).items() if k not in ("predictions", "metrics")} == {
        k: v for k, v in vars(result).items() if k not in ("predictions", "metrics")
    }
    assert found.metrics == json.loads(json.dumps(result.metrics))
    np.testing.assert_allclose(found.predictions.probabilities, result.predictions.probabilities, atol=5.1e-6)
    assert found.predictions.abstained.tolist() == [False, True, False, False]


def test_a_file_reproduces_its_own_figures(result, tmp_path):
    found = load_result(save_result(result, tmp_path))
    assert json.loads(json.dumps(compute_metrics(found.predictions).to_dict())) == found.metrics


def test_truth_corpora_and_speakers_are_those_of_the_protocol(result, tmp_path):
    predictions = load_result(save_result(result, tmp_path)).predictions
    rows = {row["utterance"]: row for row in read_protocol("speaker-independent")}
    expected = [rows[i] for i in IDS]
    assert [EMOTIONS[k] for k in predictions.y_true] == [row["emotion"] for row in expected]
    assert predictions.speakers.tolist() == [row["speaker"] for row in expected]
    assert predictions.corpora.tolist() == [row["corpus"] for row in expected]


def test_every_id_of_every_protocol_says_what_it_is_an_answer_to(tmp_path, subtests):
    for protocol in ["leave-one-corpus-out", "ravdess-random", "resonet", "speaker-independent"]:
        with subtests.test(protocol=protocol):
            for row in read_protocol(protocol):
                utterance = parse_filename(tmp_path / row["utterance"])
                found = (utterance.id, utterance.corpus, utterance.speaker, utterance.emotion)
                assert found == tuple(row[column] for column in ("utterance", "corpus", "speaker", "emotion"))


def test_lists_by_test_part_in_order(result, tmp_path):
    for model, protocol, fold in (("b", "resonet", None), ("a", "resonet", None), ("a", "speaker-independent", "1")):
        save_result(replace(result, model=model, protocol=protocol, fold=fold), tmp_path)
    (tmp_path / "benchmark.json").write_text("{}")
    assert [str(p.relative_to(tmp_path)) for p in list_results("resonet", tmp_path)] == [
        "resonet/a.json",
        "resonet/b.json",
    ]
    assert len(list_results(folder=tmp_path)) == 3
    assert (split_name("resonet", None), split_name("speaker-independent", "1")) == ("resonet", "speaker-independent-1")


def test_a_missing_result_lists_what_there_is(result, tmp_path):
    save_result(result, tmp_path)
    with pytest.raises(ResultError, match=r"speaker-independent-0/large\.json.*small"):
        load_result(result_path("speaker-independent-0", "large", tmp_path))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:300], "small.json"),
        (lambda text: "[]", "small.json"),
        (lambda text: text.replace('"leak"', '"leek"'), "leek"),
        (lambda text: text.replace("savee/DC_a01", "savee/XX_a01"), "predictions.*utterances"),
        (lambda text: text.replace('"abstained":[false,', '"abstained":['), "predictions.*utterances"),
        (lambda text: text.replace('"temperature"', '"warmth"'), "temperature"),
        (lambda text: text.replace('"protocol_sha256": "', '"protocol_sha256": "0'), r"speaker-independent\.csv"),
    ],
)
def test_a_bad_file_is_refused_with_the_cure(result, tmp_path, change, reason):
    path = save_result(result, tmp_path)
    path.write_text(change(path.read_text()))
    with pytest.raises(ResultError, match=f"{reason}.*python -m scripts.evaluate small --write"):
        load_result(path)


def test_an_interrupted_write_leaves_the_file_that_was_there(result, tmp_path):
    path = save_result(result, tmp_path)
    before = path.read_text()
    with pytest.raises(TypeError):
        save_result(replace(result, cost={"latency_ms": object()}), tmp_path)
    assert path.read_text() == before and list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_that_was_there(result, tmp_path, monkeypatch):
    path = save_result(result, tmp_path)
    before, write_text = path.read_text(), Path.write_text

    def full(path, text):
        write_text(path, text[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(ResultError, match=r"small\.json .*No space left"):
        save_result(result, tmp_path)
    assert path.read_text() == before and list(path.parent.iterdir()) == [path]


@pytest.mark.shipped
def test_the_committed_results(subtests):
    """Each holds every clip of its test part, follows from its own answers, and says whether it leaks."""
    assert list_results()
    for path in list_results():
        with subtests.test(path=path):
            result = load_result(path)
            assert path == result_path(result.split, result.model)
            assert path.stat().st_size < 1_000_000 and str(paths.RESULTS.parent) not in path.read_text()
            test, known = (
                protocol_split(result.protocol, result.fold).test,
                protocol_split(result.trained_on["protocol"], result.trained_on["fold"]),
            )
            assert sorted(u.id for u in result.predictions.utterances) == sorted(test)
            assert result.leak == (not {*known.train, *known.dev}.isdisjoint(test))
            again = json.loads(json.dumps(compute_metrics(result.predictions).to_dict()))
            assert again == result.metrics | {"votes": None}  # the votes are with the recordings


OWN = sorted(paths.CHECKPOINTS.glob(f"*/{METRICS_FILE}"))


@pytest.mark.shipped
def test_a_shipped_model_shows_the_figures_of_its_own_weights(subtests):
    for path in OWN:
        with subtests.test(path=path):
            own = json.loads(path.read_text())
            result = load_result(result_path(split_name(own["protocol"], own["fold"]), path.parent.name))
            assert own == {"protocol": result.protocol, "fold": result.fold} | result.metrics and not result.leak
            (weights,) = path.parent.glob("model.*")
            assert result.provenance["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
            config = json.loads((path.parent / CONFIG_FILE).read_text())
            assert result.trained_on == {name: config["training"][name] for name in ("protocol", "fold")}


def test_weights_below_checkpoints_are_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path)
    weights = tmp_path / "folds" / "m-1" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    result = make_result("m", some_clips(), np.ones(12, bool))
    assert not is_shipped(result)
    known = hashlib.sha256(b"weights").hexdigest()
    assert is_shipped(replace(result, provenance=result.provenance | {"weights_sha256": known}))
    weights.write_bytes(b"other weights")
    assert not is_shipped(replace(result, provenance=result.provenance | {"weights_sha256": known}))


def test_what_cannot_be_read_or_written_is_a_result_error(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path / "checkpoints")
    result = make_result("m", some_clips(), np.arange(12) % 3 > 0)
    path = save_result(result, tmp_path)
    own = tmp_path / "checkpoints" / "m" / "metrics.json"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"protocol": "resonet", "fold": None} | json.loads(json.dumps(result.metrics))))

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(paths, "atomic_path", refuse)
        with pytest.raises(ResultError, match=r"m/metrics\.json cannot be .*Permission denied"):
            recompute_result(path)
    own.write_text("{")
    with pytest.raises(ResultError, match=r"m/metrics\.json"):
        recompute_result(path)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ResultError, match=r"m\.json cannot be read: Permission denied"):
        load_result(path)


def test_metrics_are_computed_again_from_the_predictions(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path / "checkpoints")
    result = make_result("m", some_clips(), np.arange(12) % 3 > 0)
    votes = {"n_clips": 3, "nll": 1.2, "entropy_floor": 0.9}  # of recordings that need not be here
    stored = json.loads(json.dumps(result.metrics)) | {"votes": votes}
    old = stored | {"coverage": 0.123}
    path = save_result(replace(result, metrics=old), tmp_path)
    own = tmp_path / "checkpoints" / "m" / "metrics.json"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"protocol": "resonet", "fold": None} | old))
    assert recompute_result(path) and not recompute_result(path)
    assert load_result(path).metrics == stored
    assert json.loads(own.read_text()) == {"protocol": "resonet", "fold": None} | stored
