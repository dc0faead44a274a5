"""All folds together: means and ranges of the folds, and every speaker once."""

import json

import numpy as np
import pytest

from ser_core import paths
from ser_core.data.protocols.assignment import LEAVE_ONE_CORPUS_OUT
from ser_core.data.protocols.files import protocol_folds
from ser_core.data.protocols.splits import protocol_split
from ser_core.data.utterances import SPEECH_CORPORA
from ser_core.evaluation.cross_validation import (
    concatenate_predictions,
    left_out_uars,
    load_cross_validation,
    mean_over_corpora,
    ranking_key,
    summarise_folds,
)
from ser_core.evaluation.results import save_result
from tests.make_results import make_result

PROTOCOL = "speaker-independent"


def fold_result(fold: str, share_right: float, model: str = "m", n: int = 60):
    """A model that is right on a share of the first clips of each corpus of a fold's test part."""
    test = protocol_split(PROTOCOL, fold).test
    corpora = dict.fromkeys(i.split("/")[0] for i in test)
    clips = [i for c in corpora for i in [j for j in test if j.startswith(f"{c}/")][:n]]
    right = np.random.default_rng(int(fold)).random(len(clips)) < share_right
    return make_result(model, clips, right, PROTOCOL, fold)


@pytest.fixture(scope="module")
def five():
    return [fold_result(fold, 0.5 + 0.1 * int(fold)) for fold in protocol_folds(PROTOCOL)]


def test_means_and_ranges_are_those_of_the_folds(five):
    found = summarise_folds(five)
    for corpus, measures in found.corpora.items():
        tested = [r.metrics["corpora"][corpus] for r in five if corpus in r.metrics["corpora"]]
        for name, spread in measures.items():
            values = [scores[name] for scores in tested]
            assert (spread.mean, spread.lowest, spread.highest) == (np.mean(values), min(values), max(values))
            assert spread.n_folds == len(values)
    assert {c: m["uar"].n_folds for c, m in found.corpora.items()} == {
        "ravdess": 5, "crema_d": 5, "tess": 2, "savee": 4, "ravdess_song": 5
    }  # fmt: skip
    assert found.missing == () and found.measured_folds == tuple("01234")


def test_all_speakers_together_are_the_clips_of_all_folds(five):
    found = summarise_folds(five)
    n_clips = sum(len(r.predictions.utterances) for r in five)
    assert sum(scores.n_clips for scores in found.pooled_by_corpus.values()) == n_clips
    right = {
        c: np.concatenate([r.predictions.correct[r.predictions.corpora == c] for r in five])
        for c in found.pooled_by_corpus
    }
    for corpus, scores in found.pooled_by_corpus.items():
        assert scores.accuracy == pytest.approx(right[corpus].mean())
    speech = np.concatenate([right[c] for c in right if c != "ravdess_song"])
    assert found.pooled.accuracy == pytest.approx(speech.mean()) and found.pooled.n_clips == len(speech)
    assert found.calibrated and set(found.confidence) == set(SPEECH_CORPORA)
    for corpus, confidence in found.confidence.items():
        assert confidence.ece == pytest.approx(abs(0.93 - right[corpus].mean()), abs=1e-4)  # it is always 93 % sure
        assert (confidence.coverage, confidence.auroc) == (1, 0.5)
        assert confidence.accuracy_when_answered == pytest.approx(right[corpus].mean())
    means = [right[corpus].mean() for corpus in SPEECH_CORPORA]
    assert found.mean_confidence.accuracy_when_answered == pytest.approx(np.mean(means))
    assert found.mean_uar == pytest.approx(np.mean([found.pooled_by_corpus[c].uar for c in SPEECH_CORPORA]))


def left_out_results(model="m", share_right=0.6):
    results = []
    for fold in protocol_folds(LEAVE_ONE_CORPUS_OUT):
        clips = protocol_split(LEAVE_ONE_CORPUS_OUT, fold).test[::20]
        right = np.random.default_rng(1).random(len(clips)) < share_right
        results.append(make_result(model, clips, right, LEAVE_ONE_CORPUS_OUT, fold))
    return results


@pytest.mark.slow
def test_a_model_without_development_speakers_has_no_abstention_of_its_own(tmp_path, monkeypatch):
    """Its threshold is 0: it answers every clip. The shipped calibration is applied if there is one."""
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path)
    found = summarise_folds(left_out_results())
    assert (found.calibrated, found.confidence, found.mean_confidence) == (False, {}, None)
    for min_confidence, coverage in ((0.5, 1), (0.95, 0)):
        (tmp_path / "m").mkdir(exist_ok=True)
        calibration = {"temperature": 1.0, "min_confidence": min_confidence}
        (tmp_path / "m" / "config.json").write_text(json.dumps({"calibration": calibration}))
        found = summarise_folds(left_out_results())
        assert not found.calibrated and found.mean_confidence.coverage == coverage
    (tmp_path / "m" / "config.json").write_text(json.dumps({"calibration": {"temperature": 2.0, "min_confidence": 0}}))
    softer = summarise_folds(left_out_results()).confidence["crema_d"]
    assert softer.ece != found.confidence["crema_d"].ece and softer.auroc == found.confidence["crema_d"].auroc


def test_left_out_corpora_rank_first_then_the_mean_over_corpora(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    for result in (*left_out_results("strangers"), *left_out_results("half")[:2], *left_out_results("known-leak")):
        save_result(result)
    found = left_out_uars()
    assert list(found) == ["strangers"] and 0.4 < found["strangers"] < 0.8
    rows = [("a", None, 0.9), ("b", 0.5, 0.1), ("c", 0.4, 0.8), ("d", None, 0.95)]
    assert [name for name, *values in sorted(rows, key=lambda r: ranking_key(r[1], r[2], r[0]))] == ["b", "c", "d", "a"]


def test_the_mean_over_corpora_leaves_song_out():
    corpora = {"ravdess": {"uar": 0.4}, "tess": {"uar": 0.8}, "ravdess_song": {"uar": 0.0}}
    assert mean_over_corpora({"corpora": corpora}, "uar") == pytest.approx(0.6)
    assert mean_over_corpora({"corpora": {"ravdess_song": {"uar": 0.3}}}, "uar") == 0.3


def test_joined_answers_keep_their_order(five):
    joined = concatenate_predictions([r.predictions for r in five[:2]])
    ids = [u.id for r in five[:2] for u in r.predictions.utterances]
    assert [u.id for u in joined.utterances] == ids and len(set(ids)) == len(ids)
    np.testing.assert_array_equal(joined.probabilities[-1], five[1].predictions.probabilities[-1])


def test_folds_that_are_missing_are_named(five):
    found = summarise_folds(five[1:3])
    assert found.missing == ("0", "3", "4")


@pytest.mark.parametrize("wrong", [[], ["twice", "twice"], ["a", "b"]])
def test_what_does_not_belong_together_is_an_error(five, wrong):
    results = [five[0] if name == "twice" else fold_result("1", 0.5, model=name) for name in wrong]
    with pytest.raises(ValueError, match=r"one model|Repeated"):
        summarise_folds(results)


def test_models_of_one_fold_are_left_out(tmp_path, monkeypatch, five):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    for result in (*five, fold_result("0", 0.3, model="once")):
        save_result(result)
    found = load_cross_validation(PROTOCOL)
    assert list(found) == ["m"] and found["m"].pooled == summarise_folds(five).pooled
