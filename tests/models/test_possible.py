"""Models that choose among the emotions that can occur."""

import copy

import numpy as np
import pytest
import torch

from ser_core import EMOTIONS, evaluate, limit_emotions, predict, predict_batch, predict_windows
from ser_core.data import Utterance
from ser_core.inference import (
    NO_SPEECH,
    NOT_SURE,
    enrolled_model,
    ensemble_prediction,
    run_windows,
    speaker_reference,
    window_labels,
)
from ser_core.labels import check_possible_emotions
from ser_core.models.checkpoint import Calibration, CheckpointError, save_model

THREE = ("neutral", "happy", "angry")


@pytest.fixture
def model(new_model):
    return new_model()


def test_the_others_get_nothing_and_the_rest_keep_their_ratios(model, speech):
    every, limited = predict(model, speech), predict(limit_emotions(model, THREE), speech)
    assert limited.possible_emotions == THREE and every.possible_emotions == EMOTIONS
    assert [limited.probabilities[emotion] for emotion in EMOTIONS if emotion not in THREE] == [0.0] * 5
    before = np.array([every.probabilities[emotion] for emotion in THREE])
    found = [limited.probabilities[emotion] for emotion in THREE]
    np.testing.assert_allclose(found, before / before.sum(), rtol=1e-5)
    assert limited.emotion in THREE and limited.confidence == max(found)
    assert {emotion for emotion, _ in limited.top3} == set(THREE)
    assert limited.version == every.version and limited.model == every.model


def test_they_are_the_same_over_time_in_batches_and_in_an_ensemble(model, speech):
    limited = limit_emotions(model, THREE)
    trajectory = predict_windows(limited, speech)
    excluded = [i for i, emotion in enumerate(EMOTIONS) if emotion not in THREE]
    assert (trajectory.probabilities[:, excluded] == 0).all() and set(trajectory.emotions) <= set(THREE)
    np.testing.assert_allclose(trajectory.probabilities.sum(1), 1)
    few = trajectory.among(THREE)
    assert few.labels == THREE and few.emotions == trajectory.emotions
    np.testing.assert_allclose(few.arousal, trajectory.arousal)
    alone, (of_batch,) = predict(limited, speech), predict_batch(limited, [speech])
    assert alone.probabilities == pytest.approx(of_batch.probabilities)
    assert ensemble_prediction([alone, of_batch]).possible_emotions == THREE


def test_the_model_itself_is_left_as_it_was(model, speech):
    before = predict(model, speech)
    limit_emotions(model, THREE)
    assert predict(model, speech) == before and model.possible_emotions == EMOTIONS


def test_a_reference_is_of_the_model_with_any_emotions(model, speech):
    limited, clips = limit_emotions(model, THREE), [speech[:16000], speech[16000:32000], speech[32000:48000]]
    reference = speaker_reference(limited, clips)
    np.testing.assert_array_equal(reference.embedding, speaker_reference(model, clips).embedding)
    found = run_windows(limited, [speech[:32000]], reference=reference).logits
    bound = run_windows(enrolled_model(limited, reference), [speech[:32000]]).logits
    np.testing.assert_allclose(found, bound, rtol=1e-4)
    prediction = predict(limited, speech, reference=reference)
    assert prediction.reference_clips == 3 and prediction.emotion in THREE


def test_a_limited_model_is_not_saved_as_one_of_all_emotions(model, tmp_path):
    with pytest.raises(CheckpointError, match="a copy for some emotions or for one voice"):
        save_model(limit_emotions(model, THREE), tmp_path / "few", "resonet", Calibration(), {})
    assert not (tmp_path / "few").exists()


def test_a_model_that_knows_none_of_them_is_not_sure(model, speech):
    knows_none = copy.copy(model)
    knows_none.classify = lambda embedding, *_, **__: torch.zeros(len(embedding), 8)
    knows_none.calibration = Calibration(min_confidence=0.28)
    limited = limit_emotions(knows_none, ("calm", "disgust"))
    found = predict(limited, speech)
    assert found.confidence == 0.5 and found.abstain
    windows = predict_windows(limited, speech)
    assert {*window_labels(windows, windows.probabilities.argmax(1), limited.calibration.threshold(False))} <= {
        NOT_SURE,
        NO_SPEECH,
    }
    assert limit_emotions(model, ("calm", "disgust")).calibration.min_confidence == 0  # none was fitted


def test_all_emotions_leave_the_model_as_it_is(model):
    limited = limit_emotions(model, THREE)
    assert limit_emotions(model, EMOTIONS) is model and limit_emotions(limited, EMOTIONS) is limited


def test_limiting_twice_keeps_what_both_allow(model):
    limited = limit_emotions(limit_emotions(model, THREE), ["angry", "neutral", "sad"])
    assert limited.possible_emotions == ("neutral", "angry")
    with pytest.raises(ValueError, match="two possible emotions or more"):
        limit_emotions(limited, ["sad", "fear", "neutral"])


@pytest.mark.parametrize(
    ("emotions", "words"),
    [
        (["happy"], "two possible emotions or more"),
        (["happy", "happy"], "two possible emotions or more"),
        ([], "two possible emotions or more"),
        (["happy", "joy"], "Unknown emotion 'joy'. There are: neutral, calm"),
        ("happy", "a sequence of words"),
    ],
)
def test_a_choice_that_is_none_is_refused(emotions, words):
    with pytest.raises(ValueError, match=words):
        check_possible_emotions(emotions)


def test_a_name_is_no_model():
    with pytest.raises(TypeError, match="from load_model"):
        limit_emotions("prosonet", THREE)


def test_recordings_of_an_emotion_that_cannot_occur_are_not_scored_as_wrong(model, tmp_path):
    sad = Utterance("own/a", tmp_path / "a.wav", "own", "own-speaker", "unknown", "sad")
    with pytest.raises(ValueError, match=r"Unknown emotion 'sad'. There are: neutral, happy, angry"):
        evaluate(limit_emotions(model, THREE), [sad])
