"""Over time, windows are at most 2 s long, whatever a model pools for a whole recording, on every way to them."""

import numpy as np
import pytest

from ser_core.audio.io import SAMPLE_RATE, encode_wav, read_audio
from ser_core.audio.vad import speech_segments
from ser_core.audio.windows import analysed_bounds, windows_between
from ser_core.inference.enrolment import recording_reference
from ser_core.inference.forward import run_windows
from ser_core.inference.prediction.predict import predict, predict_windows
from ser_core.inference.progressive import extend_trajectory, pool_trajectory, start_trajectory
from ser_core.inference.records import prediction_record
from ser_core.inference.reference import OWN_RECORDING
from ser_core.inference.streaming.session import LiveSession
from ser_core.models.base import SERModel


@pytest.fixture(scope="module")
def model(new_model) -> SERModel:
    """It pools windows of 4 s, and takes a reference."""
    made = new_model(window_s=4.0)
    made.version = "01234567"
    return made


@pytest.fixture(scope="module")
def long(speech) -> np.ndarray:
    return np.tile(speech, 6)


def test_a_model_with_shorter_windows_keeps_its_own(model, new_model):
    assert (model.trajectory_window_s, new_model(window_s=1.0).trajectory_window_s) == (2.0, 1.0)


def test_trajectories_have_short_windows_and_the_prediction_its_own(model, long):
    found = predict_windows(model, long)
    assert (found.window_s, found.hop_s) == (2.0, 1.0)
    np.testing.assert_allclose(found.end_s - found.start_s, 2.0)
    speech = speech_segments(long)
    partial = start_trajectory(model, analysed_bounds(long, speech), speech, 1.0)
    while partial.share < 1:
        partial = extend_trajectory(model, long, partial)
    grown = pool_trajectory(partial, speech)
    np.testing.assert_allclose(grown.probabilities, found.probabilities, atol=1e-5)
    windows = windows_between(*analysed_bounds(long, speech), 4.0, 2.0)
    logits, weight = run_windows(model, windows.cut(long)).logits, windows.speech_s(speech)
    pooled = np.average(logits, axis=0, weights=weight) / model.calibration.temperature
    expected = np.exp(pooled - pooled.max()) / np.exp(pooled - pooled.max()).sum()
    np.testing.assert_allclose([*predict(model, long).probabilities.values()], expected, atol=1e-5)


def test_a_recording_is_compared_with_windows_of_the_same_length(model, long):
    recording = read_audio(encode_wav(long))
    sound = recording.waveform
    own = recording_reference(model, sound, window_s=model.trajectory_window_s)
    record = prediction_record(recording, model, windows=True, reference=OWN_RECORDING)
    found = [list(window["probabilities"].values()) for window in record["windows"]]
    np.testing.assert_allclose(found, predict_windows(model, sound, reference=own).probabilities, atol=1e-5)
    pooled = recording_reference(model, sound)
    assert record["probabilities"] == pytest.approx(predict(model, sound, reference=pooled).probabilities, abs=1e-5)
    assert own.n_clips > pooled.n_clips


def test_live_speech_is_predicted_from_the_last_short_window(model, long):
    session = LiveSession(model, running_reference=True)
    answer = session.feed(long[: 8 * SAMPLE_RATE], SAMPLE_RATE)
    assert answer.prediction.duration_s == 2.0 and session.trajectory().window_s == 2.0
