"""Counts of clips that hold the scores of every choice among some emotions."""

import json
from itertools import combinations

import numpy as np
import pytest
import torch

from ser_core import paths
from ser_core.data import LEFT_OUT, SPEAKER_INDEPENDENT_8
from ser_core.evaluation.cross_corpus.expectation import ENROLLED_CLIPS, describe_expected_accuracy
from ser_core.evaluation.cross_corpus.folds import counts_by_corpus
from ser_core.evaluation.cross_corpus.subsets import (
    ALONE,
    count_ahead,
    counts_path,
    read_counts,
    subset_scores,
    sum_counts,
)
from ser_core.labels import EMOTIONS
from ser_core.metrics import confusion_matrix, uar
from ser_core.models.enrolled import enrolled_logits
from ser_core.models.names import DEFAULT_MODEL, FAST_MODEL, read_metrics
from ser_core.models.possible import limit_emotions
from ser_core.training.config import TrainingExample
from tests.evaluation.cross_corpus.test_report import Nearest

SUBSETS = [subset for size in range(2, 9) for subset in combinations(EMOTIONS, size)]


def drawn(n_clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits with equal ones among them, and emotions."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 6, (n_clips, 8)).astype(np.float32), rng.choice(EMOTIONS, n_clips)


def brute_force(logits: np.ndarray, emotions: np.ndarray, subset: tuple[str, ...]) -> dict[str, float]:
    kept = np.isin(emotions, subset)
    y_true = np.array([EMOTIONS.index(emotion) for emotion in emotions[kept]])
    y_pred = np.where(np.isin(EMOTIONS, subset), logits[kept], -np.inf).argmax(1)
    return {"accuracy": np.mean(y_pred == y_true), "uar": uar(confusion_matrix(y_true, y_pred, 8))}


def test_every_choice_scores_as_with_limited_logits():
    logits, emotions = drawn(300)
    counts = count_ahead(logits, emotions)
    assert len(SUBSETS) == 247 and sum(sum(found.values()) for found in counts.values()) == 300
    for subset in SUBSETS:
        assert subset_scores({"tess": counts}, subset) == pytest.approx(brute_force(logits, emotions, subset)), subset


def test_a_choice_among_more_emotions_is_scored_on_the_same_clips():
    logits, emotions = drawn(300)
    own = np.isin(emotions, ("sad", "fear"))
    found = subset_scores({"tess": count_ahead(logits, emotions)}, ("sad", "fear"), EMOTIONS)
    assert found == pytest.approx(brute_force(logits[own], emotions[own], EMOTIONS))


def test_scores_are_means_over_the_corpora_with_two_of_the_emotions():
    corpora = {
        "tess": {"sad": {"": 3, "4": 1}, "angry": {"": 1}},
        "turev": {"sad": {"0": 2}, "angry": {"": 1, "3": 1}},
        "savee": {"sad": {"4": 9}, "happy": {"": 1}},
    }
    found = subset_scores(corpora, ("sad", "angry"))
    assert found == pytest.approx({"accuracy": (4 / 5 + 3 / 4) / 2, "uar": (7 / 8 + 3 / 4) / 2})
    assert subset_scores(corpora, ("fear", "disgust")) == {}


def test_counts_of_folds_are_summed():
    parts = [{"tess": {"alone": {"sad": {"": 1, "0": 2}}}}, {"tess": {"alone": {"sad": {"": 3}}}, "savee": {"a": 1}}]
    assert sum_counts(parts) == {"tess": {"alone": {"sad": {"": 4, "0": 2}}}, "savee": {"a": 1}}
    assert sum_counts([]) == {}


def test_counts_of_a_model_are_by_corpus_and_with_references_as_in_its_report():
    logits, emotions = drawn(120)
    clips = [TrainingExample(str(i), ("tess", "savee")[i % 2], e, f"{i % 4}") for i, e in enumerate(emotions)]
    own, model = np.arange(120) % 2 == 0, Nearest()
    counts = counts_by_corpus(model, logits, clips)
    assert counts.keys() == {"tess", "savee"} and counts["tess"].keys() == {ALONE, ENROLLED_CLIPS}
    limited = limit_emotions(model, SUBSETS[99])
    speakers = np.array([clip.speaker for clip in clips])[own]
    relative, _ = enrolled_logits(limited, logits[own], speakers, 10)
    for reference, found in ((ALONE, limited.classify(torch.from_numpy(logits[own])).numpy()), ("10", relative)):
        expected = brute_force(found, emotions[own], SUBSETS[99])
        assert subset_scores({"tess": counts["tess"][reference]}, SUBSETS[99]) == pytest.approx(expected)


def test_a_model_without_counts_and_a_damaged_file_have_none(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    assert read_counts("m", LEFT_OUT, ALONE) == {}
    for content in ("{", "[]", '{"protocols": {"left-out": {"tess": {}}}}', '{"protocols": {"left-out": []}}'):
        counts_path("m").write_text(content)
        assert read_counts("m", LEFT_OUT, ALONE) == {}
    paths.write_json(counts_path("m"), {"protocols": {LEFT_OUT: {"tess": {ALONE: {"sad": {"": 1}}}}}})
    assert read_counts("m", LEFT_OUT, ALONE) == {"tess": {"sad": {"": 1}}}


@pytest.mark.shipped
@pytest.mark.parametrize("model", [DEFAULT_MODEL, FAST_MODEL])
def test_the_models_of_the_program_come_with_counts(model):
    for protocol in (LEFT_OUT, SPEAKER_INDEPENDENT_8):
        recorded = json.loads((paths.RESULTS / f"{protocol}-{model}.json").read_text())["corpora"]
        for reference, scores in ((ALONE, recorded), ("10", {c: r["enrolled"]["10"] for c, r in recorded.items()})):
            counts = read_counts(model, protocol, reference)
            assert counts.keys() == recorded.keys()
            accuracy = np.mean([found["accuracy"] for found in scores.values()])
            assert subset_scores(counts, EMOTIONS)["accuracy"] == pytest.approx(accuracy, abs=0.01)
    assert "Among sad and angry: " in describe_expected_accuracy(
        model, read_metrics(model), "typical", "", ("sad", "angry")
    )
