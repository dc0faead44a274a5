"""Outcomes of single sounds in the evaluation of out-of-distribution detection."""

from dataclasses import replace

import numpy as np

from ser_core.evaluation import ood_detection
from ser_core.inference import MAX_NOVELTY_PERCENTILE, MIN_SPEECH_TO_PREDICT_S, predict
from ser_core.models.ood import NoveltyDetector


def test_the_outcome_does_not_depend_on_the_words_of_the_reason(new_model, subtests):
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    spoken = replace(predict(new_model(), sound), speech_s=1.0, novelty=50.0, abstain=True, reason="any words")
    for outcome, changes in [
        ("an emotion", {"abstain": False, "reason": ""}),
        ("no speech", {"speech_s": MIN_SPEECH_TO_PREDICT_S / 2, "novelty": MAX_NOVELTY_PERCENTILE}),
        ("unknown", {"novelty": MAX_NOVELTY_PERCENTILE}),
        ("uncertain", {}),
    ]:
        with subtests.test(outcome=outcome):
            assert ood_detection.outcome(replace(spoken, **changes)) == outcome


def test_figures_of_the_separation_from_speech():
    detector = NoveltyDetector(np.zeros(1), np.eye(1), unseen=np.array([1.0, 3.0]))
    distances = {"tone": np.array([5.0, 6.0]), "hum": np.array([0.5, 7.0])}
    outcomes = {"tone": ["unknown", "unknown"], "hum": ["no speech", "unknown"]}
    found = ood_detection._separation(detector, np.arange(1.0, 5.0), distances, outcomes)
    assert (found["auroc"], found["auroc_with_vad"]) == (12 / 16, 1.0)  # the near hum is no speech
    assert found["fpr95"] == 3 / 4  # one clip of speech is nearer than 95 % of the sounds
    assert found["speech_called_unknown"] == 1 / 4
    assert [kind["auroc"] for kind in found["kinds"].values()] == [1.0, 0.5]
    assert found["kinds"]["hum"]["answers"] == {"no speech": 1, "unknown": 1}
