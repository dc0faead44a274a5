"""Predictions and embeddings as plain data."""

import json
from itertools import pairwise

import numpy as np
import pytest

from ser_core.audio import analysed_bounds, speech_segments
from ser_core.audio.io import load_audio, read_audio
from ser_core.inference import embed
from ser_core.inference.enrolment import speaker_reference
from ser_core.inference.prediction.predict import predict
from ser_core.inference.records import embedding_record, prediction_record
from ser_core.inference.smoothing import NO_SPEECH, NOT_SURE
from ser_core.models.checkpoint import Calibration
from tests.conftest import ROOT

SAMPLE = ROOT / "assets" / "samples" / "low_slow.ogg"


@pytest.fixture(scope="module")
def recording():
    return read_audio(SAMPLE)


def test_a_prediction_is_that_of_predict_with_name_and_notes(new_model, recording):
    found = prediction_record(recording, new_model(), "a.ogg")
    assert found == {"file": "a.ogg", "notes": recording.notes} | predict(new_model(), load_audio(SAMPLE)).to_dict()
    assert json.loads(json.dumps(found))["emotion"] == found["emotion"]


def test_windows_are_added_on_request(new_model, recording):
    found = prediction_record(recording, new_model(), windows=True)["windows"]
    assert len(found) > 1 and all(a["start_s"] < b["start_s"] for a, b in pairwise(found))
    spoken = [window for window in found if window["answer"] != NO_SPEECH]
    assert spoken and all(window["answer"] == window["emotion"] for window in spoken)


def test_a_short_recording_is_no_reference_of_its_own(enrolling_model, recording):
    found = prediction_record(recording, enrolling_model, reference="recording")
    assert not found["reference_clips"] and "needs 10 s of speech" in found["reference_note"]
    assert not prediction_record(recording, enrolling_model)["reference_note"]


def test_windows_are_answered_by_the_threshold_of_predictions_with_a_reference(enrolling_model, recording, monkeypatch):
    own, other = (
        speaker_reference(enrolling_model, [waveform])
        for waveform in (recording.waveform, load_audio(SAMPLE.with_name("high_fast.ogg")))
    )
    monkeypatch.setattr(enrolling_model, "calibration", Calibration(reference_min_confidence=1.0))
    for given, is_sure in ((None, True), (other, False), (own, True)):
        windows = prediction_record(recording, enrolling_model, windows=True, reference=given)["windows"]
        assert {window["answer"] != NOT_SURE for window in windows if window["answer"] != NO_SPEECH} == {is_sure}


def test_an_embedding_states_model_and_analysed_part(enrolling_model, recording):
    found = embedding_record(recording, enrolling_model, "a.ogg")
    assert (found["file"], found["model"], found["version"]) == ("a.ogg", "enrolling", "01234567")
    bounds = analysed_bounds(recording.waveform, speech_segments(recording.waveform))
    assert (16_000 * found["start_s"], 16_000 * found["end_s"]) == pytest.approx(bounds)
    assert 0 < bounds[0] < bounds[1] < len(recording.waveform)
    (expected,) = embed(enrolling_model, [recording.waveform[slice(*bounds)]])
    np.testing.assert_allclose(found["embedding"], expected, atol=1e-5)
    assert json.dumps(found)
