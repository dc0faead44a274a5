"""Texts of the live page, and running totals of a session."""

from dataclasses import replace

import numpy as np
import pytest

from ser_core.inference.prediction.abstention import MAX_NOVELTY_PERCENTILE
from ser_core.inference.results import NEUTRAL_CLIPS, Prediction
from ser_core.inference.smoothing import NO_SPEECH, NOT_SURE
from ser_core.inference.streaming.session import LIVE_HOP_S, LivePrediction, LiveSession, LiveSummary
from ser_core.labels import EMOTIONS
from ser_core.serving.live.text import SessionTotals, heading_and_detail, live_message, session_summary

RATE = 16_000
SURE = {"happy": 0.6, "sad": 0.2, "fear": 0.1, "angry": 0.05, "calm": 0.05, "neutral": 0, "disgust": 0, "surprise": 0}


def live_prediction(label: str, probabilities: dict[str, float], speech_s: float = 2.0, novelty: float | None = 10.0):
    emotion = max(probabilities, key=probabilities.get) if probabilities else ""
    prediction = Prediction("m", "happy", 0.6, SURE, (), False, "", 2.5, speech_s, 0.0, 2.5, novelty=novelty)
    confidence = probabilities.get(emotion)
    return LivePrediction(3.0, label, emotion, confidence, probabilities, 0.4, bool(emotion), -20.0, 0.1, prediction)


def test_a_confident_prediction_names_the_next_emotions():
    heading, detail = heading_and_detail(live_prediction("happy", SURE))
    assert heading == "▲ happy"
    assert detail.replace("\u00a0", " ") == "Confidence 60%. Then ▼ sad 20%, ◆ fear 10%."


def test_abstention_names_the_closest_emotions_and_the_reason():
    unsure = live_prediction(NOT_SURE, SURE)
    assert heading_and_detail(unsure) == ("Not sure", "Closest: ▲\u00a0happy\u00a060%, ▼\u00a0sad\u00a020%.")
    foreign = replace(unsure, prediction=replace(unsure.prediction, novelty=MAX_NOVELTY_PERCENTILE))
    assert heading_and_detail(foreign)[1].startswith("Out of distribution. Closest")


def test_emotions_that_cannot_occur_are_not_named():
    found = live_prediction("happy", {"happy": 0.6, "sad": 0.4, "fear": 0.0, "angry": 0.0})
    found = replace(found, prediction=replace(found.prediction, possible_emotions=("happy", "sad")))
    assert heading_and_detail(found)[1].replace("\u00a0", " ") == "Confidence 60%. Then ▼ sad 40%."


def test_a_prediction_says_what_it_is_relative_to():
    for label, rest in (("happy", "Confidence"), (NOT_SURE, "Closest")):
        plain = live_prediction(label, SURE)
        for source, words in (
            ("", ""),
            ("running", "Relative to the speech so far. "),
            ("clips", "Relative to your enrolled voice. "),
            (NEUTRAL_CLIPS, "Relative to your enrolled voice. "),
        ):
            relative = replace(plain, prediction=replace(plain.prediction, reference_source=source))
            assert heading_and_detail(relative)[1].startswith(words + rest)


def test_anger_is_high_in_arousal_and_low_in_valence():
    arousal, valence = live_message(live_prediction("angry", {"angry": 1.0}), received_s=3.0)["place"]
    assert arousal > 0.3 and valence < -0.3
    assert live_message(live_prediction(NO_SPEECH, {}), received_s=3.0)["place"] is None


def test_silence_has_no_emotion():
    heading, detail = heading_and_detail(live_prediction(NO_SPEECH, {}))
    assert heading == "No speech" and "%" not in detail


def test_the_message_has_the_age_of_the_oldest_new_audio():
    assert live_message(live_prediction("happy", SURE), received_s=3.04)["lag_s"] == pytest.approx(LIVE_HOP_S + 0.04)


def test_shares_are_weighted_by_speech_without_silence():
    totals = SessionTotals()
    for label, speech_s in (("happy", 2.0), (NOT_SURE, 1.0), ("happy", 1.0), (NO_SPEECH, 0.0)):
        totals.add(live_prediction(label, {} if label == NO_SPEECH else SURE, speech_s))
    shares = totals.shares()
    assert tuple(shares) == (*EMOTIONS, NOT_SURE)
    assert shares["happy"] == pytest.approx(0.75) and shares[NOT_SURE] == pytest.approx(0.25)
    assert sum(shares.values()) == pytest.approx(1) and totals.mean_confidence() == pytest.approx(0.6)


def test_the_mean_confidence_is_weighted_by_speech():
    totals = SessionTotals()
    totals.add(live_prediction("happy", SURE, 3.0))
    totals.add(live_prediction("sad", SURE | {"happy": 0.0, "sad": 0.8}, 1.0))
    assert totals.mean_confidence() == pytest.approx((3 * 0.6 + 0.8) / 4)


def test_a_silent_session_has_no_shares_and_no_confidence():
    found = session_summary(LiveSummary(65.2, 0.0, {}, 0, None, None), SessionTotals())
    assert not found["has_speech"] and set(found["shares"].values()) == {0.0}
    assert found["text"] == "1 min 5 s recorded, 0.0 s of it speech."


def test_a_real_session_is_summarised(new_model, speech):
    session, totals = LiveSession(new_model()), SessionTotals()
    for chunk in np.array_split(speech, len(speech) // (RATE // 2)):
        if prediction := session.feed(chunk, RATE):
            totals.add(prediction)
    found = session_summary(session.summary(), totals)
    assert found["has_speech"] and sum(found["shares"].values()) == pytest.approx(1)
    assert "Mean confidence" in found["text"] and 0 < totals.mean_confidence() <= 1
