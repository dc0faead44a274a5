"""The user's own segments are predicted as recordings of their own, and averaged by speaker; one sentence for all."""

import numpy as np
import pytest

from ser_core.inference.annotation.annotations import Annotation
from ser_core.inference.annotation.summary import default_smoothing, summarise_trajectory
from ser_core.inference.annotation.units import annotation_tiers, predict_annotations, speaker_means
from ser_core.inference.enrolment import speaker_reference
from ser_core.inference.prediction.predict import predict
from ser_core.inference.segments import NOT_ANALYSED, Segment, label_segments
from ser_core.inference.smoothing import EMA_SMOOTHING, NO_SMOOTHING, NO_SPEECH, NOT_SURE
from ser_core.labels import AROUSAL_VALENCE, EMOTIONS
from tests.inference.test_segments import trajectory_of


def certain_of(emotion: str) -> tuple[float, ...]:
    return tuple(np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)].tolist())


def test_each_segment_is_predicted_as_a_recording_of_its_own(new_model, speech):
    model, waveform = new_model(), np.concatenate([speech, np.zeros(8000, np.float32)])
    spans = [(0.0, 1.0), (0.5, len(speech) / 16_000), (len(speech) / 16_000, len(waveform) / 16_000)]
    spoken = [(0.1, 0.4), (0.6, len(speech) / 16_000)]
    found = list(predict_annotations(model, waveform, [Annotation(*span) for span in spans], spoken))
    assert [(segment.start_s, segment.end_s) for segment in found] == spans
    alone = predict(model, speech[:16_000], [(0.1, 0.4), (0.6, 1.0)])
    np.testing.assert_allclose(found[0].probabilities, list(alone.probabilities.values()), atol=1e-4)
    assert found[0].speech_s == pytest.approx(0.7) and found[2].label == NO_SPEECH and not found[2].probabilities


def test_a_segment_has_its_own_speech_and_the_reference(enrolling_model, speech):
    (found,) = predict_annotations(
        enrolling_model,
        speech,
        [Annotation(1.0, 4.5)],
        [(0.5, 2.0)],
        reference := speaker_reference(enrolling_model, [speech[:48_000]]),
    )
    part = speech[16_000:72_000]
    alone, others, plain = (
        np.array([*predict(enrolling_model, part, spoken, given).probabilities.values()])
        for spoken, given in (([(0.0, 1.0)], reference), ([(1.0, 2.0)], reference), ([(0.0, 1.0)], None))
    )
    np.testing.assert_allclose(found.probabilities, alone, atol=1e-6)
    assert min(np.abs(alone - others).max(), np.abs(alone - plain).max()) > 1e-5


def test_overlapping_segments_of_a_speaker_have_tiers_of_their_own():
    spans = [(0, 2, "anna"), (1, 3, "ben"), (1.5, 4, "anna"), (5, 6, ""), (6, 7, "anna")]
    annotations = [Annotation(start_s, end_s, "hello", speaker) for start_s, end_s, speaker in spans]
    segments = [Segment(start_s, end_s, "sad", 1.0) for start_s, end_s, _ in spans]
    tiers = annotation_tiers(annotations, segments, 8.0)
    assert list(tiers) == ["anna", "ben", "anna 2", "yours"]
    assert [(s.start_s, s.end_s, s.label) for s in tiers["anna"]] == [
        (0, 2, "sad"),
        (2, 6, NO_SPEECH),
        (6, 7, "sad"),
        (7, 8, NO_SPEECH),
    ]


def test_speakers_count_where_nobody_else_is_annotated():
    annotations = [Annotation(0, 2, "", "anna"), Annotation(1, 3, "", "ben"), Annotation(4, 7, "", "anna")]
    segments = [
        Segment(0, 2, "sad", 2.0, "sad", 1.0, certain_of("sad")),
        Segment(1, 3, NO_SPEECH),
        Segment(4, 7, "angry", 3.0, "angry", 1.0, certain_of("angry")),
    ]
    anna, ben = speaker_means(annotations, segments, EMOTIONS)
    assert (anna.n_segments, anna.speech_s) == (2, 4.0)
    assert (anna.probabilities["sad"], anna.probabilities["angry"]) == pytest.approx((0.25, 0.75))
    assert anna.arousal == pytest.approx(0.25 * AROUSAL_VALENCE["sad"][0] + 0.75 * AROUSAL_VALENCE["angry"][0])
    assert (ben.emotion, ben.arousal) == ("", None)
    assert speaker_means([Annotation(0, 2)], segments[:1], EMOTIONS) == ()


def test_the_summary_has_the_shares_of_the_speech_and_the_peaks_of_the_others():
    letters, speech = "s" * 60 + "a" * 4 + "s" * 36, [(0.0, 101.0)]
    trajectory = trajectory_of(letters, speech, certain=0.8)
    segments = label_segments(trajectory, trajectory.probabilities.argmax(1), speech, 101.0)
    found = summarise_trajectory(trajectory, segments, 101.0)
    assert found.shares[0][0] == "sad" and dict(found.shares)["angry"] == pytest.approx(0.04, abs=0.01)
    assert [(peak.emotion, peak.probability) for peak in found.peaks] == [("angry", pytest.approx(0.8))]
    assert 61 <= found.peaks[0].time_s <= 65


def test_peaks_within_a_window_of_each_other_are_one():
    trajectory = trajectory_of("ssssaass", [(0.0, 9.0)], certain=0.8)
    segments = label_segments(trajectory, trajectory.probabilities.argmax(1), [(0.0, 9.0)], 9.0)
    (peak,) = summarise_trajectory(trajectory, segments, 9.0).peaks
    assert (peak.emotion, peak.time_s) == ("angry", 5.0)


def test_the_summary_is_of_what_was_spoken_and_analysed():
    trajectory = trajectory_of("s" * 20 + "a" * 4, [(0.0, 12.0)], certain=0.8)
    segments = [Segment(0, 8, "sad", 1.0), Segment(8, 10, "angry", 2.0), Segment(10, 30, NOT_ANALYSED)]
    found = summarise_trajectory(trajectory, segments, 30.0)
    assert found.shares == (("angry", pytest.approx(2 / 3)), ("sad", pytest.approx(1 / 3)))
    assert {peak.emotion for peak in found.peaks} == {"sad"}
    assert not summarise_trajectory(trajectory, segments[:1], 30.0).peaks  # anger leads where nobody speaks


def test_without_speech_nothing_is_summarised_and_doubt_is_a_label():
    silent = trajectory_of("ss", [])
    assert summarise_trajectory(silent, [Segment(0, 3, NO_SPEECH)], 3.0).shares == ()
    unsure = (Segment(0, 3, NOT_SURE, 3.0, "sad", 0.3, certain_of("sad")),)
    assert summarise_trajectory(trajectory_of("ss", [(0, 3.0)]), unsure, 3.0).shares[0][0] == NOT_SURE
    mostly_unsure = (*unsure, Segment(3, 4, "sad", 1.0, "sad", 0.8, certain_of("sad")))
    assert not summarise_trajectory(trajectory_of("sss", [(0, 4.0)], certain=0.8), mostly_unsure, 4.0).peaks


def test_smoothing_grows_with_the_recording():
    assert default_smoothing(60).kind == NO_SMOOTHING
    assert (default_smoothing(3600).kind, default_smoothing(3600).amount) == (EMA_SMOOTHING, 18)
