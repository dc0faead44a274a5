"""Outcomes of single sounds in the evaluation of out-of-distribution detection."""

from dataclasses import replace

import numpy as np

from ser_core.evaluation import ood_detection
from ser_core.inference import MAX_NOVELTY_PERCENTILE, MIN_SPEECH_TO_PREDICT_S, predict


def test_the_outcome_does_not_depend_on_the_words_of_the_reason(new_model, monkeypatch, subtests):
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    spoken = replace(predict(new_model(), sound), speech_s=1.0, novelty=50.0, abstain=True, reason="any words")
    for outcome, changes in [
        ("an emotion", {"abstain": False, "reason": ""}),
        ("no speech", {"speech_s": MIN_SPEECH_TO_PREDICT_S / 2, "novelty": MAX_NOVELTY_PERCENTILE}),
        ("unknown", {"novelty": MAX_NOVELTY_PERCENTILE}),
        ("uncertain", {}),
    ]:
        with subtests.test(outcome=outcome):
            prediction = replace(spoken, **changes)
            monkeypatch.setattr(ood_detection, "predict", lambda model, sound, prediction=prediction: prediction)
            assert ood_detection.prediction_outcome(new_model(), sound) == outcome
