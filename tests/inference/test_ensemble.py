"""Models that agree, models that do not, and what they say together."""

from dataclasses import replace

import numpy as np
import pytest

from ser_core.inference.ensemble import (
    ENSEMBLE_NAME,
    ensemble_disagreement,
    ensemble_prediction,
    pairwise_agreement,
    stack_probabilities,
)
from ser_core.inference.results import Prediction
from ser_core.labels import EMOTIONS


def prediction(model: str, values: list[float], abstain: bool = False) -> Prediction:
    pairs = dict(zip(EMOTIONS, values, strict=True))
    ranked = sorted(pairs.items(), key=lambda pair: -pair[1])
    reason = "unsure" if abstain else ""
    return Prediction(model, *ranked[0], pairs, tuple(ranked[:3]), abstain, reason, 3.0, 2.0, 0.0, 3.0)


ANGRY = [0.1, 0, 0, 0, 0.9, 0, 0, 0]
SAD = [0.3, 0, 0, 0.7, 0, 0, 0, 0]


def test_together_is_the_mean():
    answer = ensemble_prediction([prediction("a", ANGRY), prediction("b", SAD)])
    assert (answer.model, answer.emotion) == (ENSEMBLE_NAME, "angry")
    assert answer.probabilities == pytest.approx(dict(zip(EMOTIONS, [0.2, 0, 0, 0.35, 0.45, 0, 0, 0], strict=True)))
    assert [name for name, _ in answer.top3] == ["angry", "sad", "neutral"]
    assert answer.confidence == pytest.approx(0.45)


def test_an_ensemble_of_no_model_is_refused():
    with pytest.raises(ValueError, match="at least one prediction"):
        ensemble_prediction([])


def test_together_is_not_sure_where_most_are_not(subtests):
    for unsure, abstains in [(0, False), (1, False), (2, True), (3, True)]:
        with subtests.test(unsure=unsure, abstains=abstains):
            answer = ensemble_prediction([prediction(str(i), ANGRY, abstain=i < unsure) for i in range(3)])
            assert answer.abstain is abstains
            assert answer.reason == (f"{unsure} of 3 models are not sure." if abstains else "")
    assert not ensemble_prediction([prediction("a", ANGRY, abstain=True), prediction("b", SAD)]).abstain  # half


def test_together_analyses_every_part_that_one_of_them_does():
    pair = [replace(prediction(m, ANGRY), start_s=s, end_s=e) for m, s, e in (("a", 0.5, 2.0), ("b", 0.2, 1.5))]
    answer = ensemble_prediction(pair)
    assert (answer.start_s, answer.end_s) == (0.2, 2.0)


def test_together_has_the_mean_of_arousal_and_valence():
    pair = [replace(prediction(m, ANGRY), arousal=a, valence=-a) for m, a in (("a", 0.2), ("b", 0.6))]
    answer = ensemble_prediction(pair)
    assert (answer.arousal, answer.valence) == pytest.approx((0.4, -0.4))
    assert ensemble_prediction([prediction("a", ANGRY)]).arousal is None


def test_together_names_the_reference_of_those_that_used_one():
    enrolled = replace(prediction("b", SAD), reference_clips=2, reference_source="clips", reference_note="few")
    answer = ensemble_prediction([prediction("a", ANGRY), enrolled])
    assert (answer.reference_clips, answer.reference_source, answer.reference_note) == (2, "clips", "few")


def test_what_two_models_have_in_common():
    rows = stack_probabilities([prediction("a", ANGRY), prediction("b", SAD), prediction("c", ANGRY)])
    assert pairwise_agreement(rows) == pytest.approx(np.array([[1, 0.1, 1], [0.1, 1, 0.1], [1, 0.1, 1]]))


def test_disagreement_is_none_among_equals_and_half_the_distance_between_two():
    same = stack_probabilities([prediction("a", ANGRY)] * 3)
    assert ensemble_disagreement(same) == pytest.approx(0, abs=1e-12)
    assert ensemble_disagreement(np.eye(2)) == pytest.approx(0.5)
    assert ensemble_disagreement(np.eye(8)) == pytest.approx(1 - 1 / 8)
