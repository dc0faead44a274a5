"""A live session is fed with chunks; what it answers is what `predict` says of the same seconds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ser_core.audio.decoding.stream import AudioError
from ser_core.audio.io import SAMPLE_RATE
from ser_core.audio.repairs.rumble import remove_rumble
from ser_core.evaluation.environment import resident_bytes
from ser_core.inference.enrolment import RunningReference, speaker_reference
from ser_core.inference.prediction.predict import predict
from ser_core.inference.reference import SpeakerReferenceError
from ser_core.inference.smoothing import (
    EMA_SMOOTHING,
    HYSTERESIS_SMOOTHING,
    MEDIAN_SMOOTHING,
    NO_SMOOTHING,
    NO_SPEECH,
    NOT_SURE,
    Smoothing,
    smooth_trajectory,
)
from ser_core.inference.streaming import session as streaming
from ser_core.inference.streaming.session import LIVE_HOP_S, LiveSession
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import Calibration
from ser_core.models.ood import NoveltyDetector
from ser_core.models.possible import limit_emotions

AS_IT_IS = Smoothing(NO_SMOOTHING)
HOP = round(LIVE_HOP_S * SAMPLE_RATE)


@pytest.fixture(scope="module")
def model(new_model):
    """A small model whose answers differ from window to window."""
    made = new_model()
    with torch.no_grad():
        made.head[1].weight.mul_(100)
    return made


def chunks(samples: np.ndarray, n: int):
    return (samples[i : i + n] for i in range(0, len(samples), n))


def answers_to(session: LiveSession, samples: np.ndarray, sample_rate: int = SAMPLE_RATE, chunk: int = 2000) -> list:
    found = (session.feed(part, sample_rate) for part in chunks(samples, chunk))
    return [prediction for prediction in found if prediction]


@pytest.mark.slow
def test_the_speech_so_far_may_be_the_reference(enrolling_model, speech):
    """From ten seconds of speech on; before, and without the switch, every answer is that of predict alone."""
    sound = np.tile(speech, 4)
    plain, running = (
        answers_to(LiveSession(enrolling_model, AS_IT_IS, running_reference=switch), sound) for switch in (False, True)
    )
    used = [answer.prediction.reference_clips for answer in running]
    first = next(i for i, n in enumerate(used) if n)
    assert 10 <= running[first].at_s < len(sound) / SAMPLE_RATE and used[first:] == sorted(used[first:])
    assert {answer.prediction.reference_source for answer in running[first:]} == {"running"}
    assert running[:first] == [replace(b, latency_s=a.latency_s) for a, b in zip(running[:first], plain, strict=False)]
    late = zip(running[first:], plain[first:], strict=True)
    assert all(a.prediction.confidence != b.prediction.confidence for a, b in late)
    assert not any(answer.prediction.reference_clips for answer in plain)


@pytest.mark.parametrize("running", [False, True])
def test_a_session_chooses_among_the_emotions_that_can_occur(enrolling_model, speech, running):
    few = ("neutral", "happy", "angry")
    session = LiveSession(limit_emotions(enrolling_model, few), running_reference=running)
    answers = [answer for answer in answers_to(session, np.tile(speech, 3)) if answer.emotion]
    assert any(answer.prediction.reference_clips for answer in answers) == running
    for answer in answers:
        assert answer.label in (*few, NOT_SURE) and answer.confidence == answer.ranked()[0][1]
        assert {name for name, p in answer.probabilities.items() if p} == {*few} == {*dict(answer.ranked())}
    assert set(session.summary().label_durations_s) <= {*few, NOT_SURE, NO_SPEECH}


def test_with_a_reference_it_has_a_threshold_of_its_own(enrolling_model, speech, monkeypatch):
    monkeypatch.setattr(enrolling_model, "calibration", Calibration(reference_min_confidence=1.0))
    for given, threshold in ((None, 0.0), (speaker_reference(enrolling_model, [speech]), 1.0)):
        last = answers_to(LiveSession(enrolling_model, AS_IT_IS, reference=given), speech)[-1]
        assert last.min_confidence == threshold and (last.label == NOT_SURE) == bool(threshold)


def test_it_starts_with_an_enrolled_voice(enrolling_model, speech):
    """At first each answer is that of predict with the reference; then the speech so far counts clip by clip."""
    enrolled = speaker_reference(enrolling_model, [speech, speech[:40_000]])
    session = LiveSession(enrolling_model, AS_IT_IS, reference=enrolled)
    answers = answers_to(session, np.tile(speech, 4))
    at = round(answers[8].at_s * SAMPLE_RATE)
    window = np.tile(speech, 4)[max(0, at - round(enrolling_model.trajectory_window_s * SAMPLE_RATE)) : at]
    expected = predict(enrolling_model, remove_rumble(window, SAMPLE_RATE)[0], reference=enrolled)
    assert answers[8].prediction.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    assert answers[8].prediction.reference_source == "clips" and answers[8].prediction.reference_clips == 2
    running, own = answers[-1].prediction, RunningReference(enrolling_model)
    assert running.reference_source == "running" and running.reference_clips > 2
    joined = RunningReference(enrolling_model, enrolled)
    for reference in (own, joined):
        for value in (1.0, 3.0):
            reference.add(np.full(enrolled.embedding.shape, value), 6.0)
    spoken, found = own.reference(), joined.reference()
    assert found.n_clips == 2 + spoken.n_clips and found.speech_s == enrolled.speech_s + 12
    expected_mean = (2 * enrolled.embedding + spoken.n_clips * spoken.embedding) / found.n_clips
    np.testing.assert_allclose(found.embedding, expected_mean, rtol=1e-5)
    with pytest.raises(SpeakerReferenceError):
        LiveSession(enrolling_model, reference=replace(enrolled, model="other"))


def test_the_running_reference_is_reported_by_the_trajectory(enrolling_model, speech):
    session = LiveSession(enrolling_model, AS_IT_IS, running_reference=True)
    answers_to(session, np.tile(speech, 4))
    trajectory = session.trajectory()
    assert trajectory.reference_source == "running"
    worth = (
        session.summary().speech_s / session.model.trajectory_window_s
    )  # windows overlap, a clip is worth a whole one
    assert trajectory.reference_clips == pytest.approx(worth, abs=1)


def test_windows_without_speech_are_no_part_of_the_running_reference(enrolling_model, monkeypatch):
    monkeypatch.setattr(RunningReference, "add", lambda *_: pytest.fail("there is no speech"))
    answers_to(LiveSession(enrolling_model, running_reference=True), np.zeros(SAMPLE_RATE, np.float32))


def test_a_running_reference_needs_a_model_that_takes_one(model, checkpoints, no_references):
    with pytest.raises(SpeakerReferenceError):
        LiveSession(model, running_reference=True)


def test_every_answer_is_that_of_predict_for_the_same_seconds(model, speech):
    found = answers_to(LiveSession(model, AS_IT_IS), speech)
    assert len(found) == len(speech) // HOP
    assert len({prediction.emotion for prediction in found if prediction.emotion}) > 1
    window = round(model.trajectory_window_s * SAMPLE_RATE)
    for prediction in found:
        end = round(prediction.at_s * SAMPLE_RATE)
        audible, _ = remove_rumble(speech[max(0, end - window) : end], SAMPLE_RATE)
        expected = predict(model, audible)
        assert prediction.prediction == expected
        if prediction.probabilities:
            assert (
                prediction.probabilities == pytest.approx(expected.probabilities)
                and prediction.emotion == expected.emotion
            )
            assert prediction.confidence == pytest.approx(expected.confidence)


@pytest.mark.parametrize("chunk", [37, 1600, HOP])
def test_the_size_of_the_chunks_changes_no_answer(model, speech, chunk):
    speech = speech[SAMPLE_RATE : 3 * SAMPLE_RATE]
    found, expected = (answers_to(LiveSession(model), speech, chunk=n) for n in (chunk, 2000))
    assert [replace(a, latency_s=0) for a in found] == [replace(a, latency_s=0) for a in expected]


@pytest.mark.parametrize(
    ("sample_rate", "dtype"),
    [(8000, "float32"), (16_000, "int16"), (44_100, "float32"), (48_000, "int16"), (48_000, "int32")],
)
def test_any_microphone_gives_the_same_sound(model, speech, sample_rate, dtype):
    import soxr

    samples = soxr.resample(speech, SAMPLE_RATE, sample_rate).clip(-1, 1)
    if dtype.startswith("int"):
        samples = np.round(samples.astype(np.float64) * np.iinfo(dtype).max)
    stereo = np.repeat(samples.astype(dtype)[:, None], 2, axis=1)
    session = LiveSession(model, keep_recording=True)
    answers_to(session, stereo, sample_rate, chunk=sample_rate // 10)
    heard = session.recording() / 32767
    assert session.duration_s == pytest.approx(len(speech) / SAMPLE_RATE, abs=0.1)
    if sample_rate >= SAMPLE_RATE:
        assert np.abs(heard - speech[: len(heard)]).max() < 0.01
    else:
        assert np.corrcoef(heard, speech[: len(heard)])[0, 1] > 0.9


def test_a_device_may_change_its_rate_on_the_way(model, speech):
    import soxr

    session, half = LiveSession(model, keep_recording=True), len(speech) // 2
    answers_to(session, soxr.resample(speech[:half], SAMPLE_RATE, 48_000), 48_000)
    answers_to(session, speech[half:], SAMPLE_RATE)
    assert len(session.recording()) == pytest.approx(len(speech), abs=50)
    np.testing.assert_allclose(session.recording()[-2000:] / 32767, speech[-2000:], atol=1e-3)


@pytest.mark.parametrize("sample_rate", [8000, 16_000, 44_100, 48_000])
def test_the_answer_comes_with_the_half_second_whatever_the_rate(model, speech, sample_rate):
    import soxr

    session, samples = LiveSession(model, AS_IT_IS), soxr.resample(speech, SAMPLE_RATE, sample_rate)
    found = [session.feed(part, sample_rate) for part in chunks(samples, round(LIVE_HOP_S * sample_rate))]
    assert [prediction.at_s for prediction in found if prediction] == [
        LIVE_HOP_S * (k + 1) for k in range(len(speech) // HOP)
    ]
    for prediction, expected in zip(found, answers_to(LiveSession(model, AS_IT_IS), speech, chunk=HOP), strict=False):
        assert prediction.prediction.speech_s == pytest.approx(expected.prediction.speech_s, abs=0.3)


def test_silence_has_no_emotion(model):
    found = answers_to(LiveSession(model), np.zeros(2 * SAMPLE_RATE, np.int16))
    assert {a.label for a in found} == {NO_SPEECH}
    for prediction in found:
        assert (prediction.emotion, prediction.confidence, prediction.probabilities) == ("", None, {})
        assert not prediction.speaking and prediction.level_dbfs == -120


def test_level_is_that_of_the_last_half_second(model):
    sound = np.concatenate([np.full(HOP, 0.5, np.float32), np.full(HOP, 0.05, np.float32)])
    first, second = answers_to(LiveSession(model), sound)
    assert first.level_dbfs == pytest.approx(-6.02, abs=0.01) and second.level_dbfs == pytest.approx(-26.02, abs=0.01)


def test_speaking_is_now_and_the_answer_is_about_the_window(model, speech):
    sound = np.concatenate([speech, np.zeros(4 * SAMPLE_RATE, np.float32)])
    found = answers_to(LiveSession(model), sound)
    spoke = [a for a in found if a.speaking]
    assert spoke and spoke[0].at_s <= 1.5
    just_after = next(a for a in found if a.at_s >= spoke[-1].at_s + 2 * LIVE_HOP_S)
    assert just_after.emotion and not just_after.speaking
    assert found[-1].label == NO_SPEECH


@pytest.mark.parametrize(
    "smoothing",
    [AS_IT_IS, Smoothing(EMA_SMOOTHING, 1.5), Smoothing(MEDIAN_SMOOTHING, 5), Smoothing(HYSTERESIS_SMOOTHING, 1)],
)
def test_smoothing_is_that_of_recordings(model, speech, smoothing):
    session = LiveSession(model, smoothing)
    prediction = answers_to(session, np.tile(speech, 2))[-1]
    trajectory, lead = smooth_trajectory(session.trajectory(), smoothing)
    assert prediction.emotion == EMOTIONS[lead[-1]]
    assert list(prediction.probabilities.values()) == pytest.approx(trajectory.probabilities[-1].tolist())
    assert sum(prediction.probabilities.values()) == pytest.approx(1)


def test_a_change_must_last_as_long_as_hysteresis_says(model, speech):
    session = LiveSession(model, Smoothing(HYSTERESIS_SMOOTHING, 60))
    led = {a.emotion for a in answers_to(session, np.tile(speech, 3)) if a.emotion}
    assert len(led) == 1


def test_doubt_is_told(new_model, speech):
    doubtful, stranger = new_model(), new_model()
    doubtful.calibration = Calibration(min_confidence=0.99)
    stranger.novelty = NoveltyDetector(np.full(8, 1e3, np.float32), np.eye(8, dtype=np.float32), np.ones(1, np.float32))
    for model in (doubtful, stranger):
        spoken = [a for a in answers_to(LiveSession(model), speech) if a.emotion]
        assert spoken and {a.label for a in spoken} == {NOT_SURE}
        assert all(a.prediction.reason for a in spoken)


def test_a_machine_that_is_too_slow_skips_answers(model, speech):
    session = LiveSession(model)
    late = session.feed(speech[: 5 * HOP + 100], SAMPLE_RATE)
    assert late.at_s == 5 * LIVE_HOP_S and session.summary().n_predictions == 1
    assert late.latency_s > 100 / SAMPLE_RATE
    assert session.feed(speech[5 * HOP + 100 : 6 * HOP], SAMPLE_RATE).at_s == 6 * LIVE_HOP_S


def test_the_summary_adds_up(model, speech):
    session = LiveSession(model)
    assert session.summary().n_predictions == 0 and session.summary().mean_latency_s is None
    found = answers_to(session, speech)
    summary = session.summary()
    assert summary.n_predictions == len(found) and summary.duration_s == pytest.approx(len(speech) / SAMPLE_RATE)
    assert sum(summary.label_durations_s.values()) == pytest.approx(found[-1].at_s)
    latencies_s = [prediction.latency_s for prediction in found]
    assert (summary.mean_latency_s, summary.max_latency_s) == pytest.approx((np.mean(latencies_s), max(latencies_s)))
    assert summary.speech_s == pytest.approx(predict(model, speech).speech_s, abs=1)
    trajectory = session.trajectory()
    assert trajectory.start_s.tolist() == [0.0, *trajectory.end_s[:-1]]


def test_the_recording_is_kept_only_when_asked(model, speech):
    silent, kept = LiveSession(model), LiveSession(model, keep_recording=True)
    for session in (silent, kept):
        answers_to(session, speech)
    assert not len(silent.recording())
    np.testing.assert_allclose(kept.recording(), np.round(speech * 32767), atol=1)


def test_the_recording_ends_after_its_longest(model, monkeypatch, speech):
    monkeypatch.setattr("ser_core.inference.streaming.session.MAX_LIVE_RECORDING_S", 1.0)
    session = LiveSession(model, keep_recording=True)
    answers_to(session, speech)
    np.testing.assert_allclose(session.recording(), np.round(speech[:SAMPLE_RATE] * 32767), atol=1)


@pytest.mark.slow
def test_a_session_takes_no_more_memory_once_its_history_is_full(model, speech, monkeypatch):
    monkeypatch.setattr(streaming, "LIVE_HISTORY_S", 20.0)
    session = LiveSession(model)
    part = np.resize(speech, 20 * SAMPLE_RATE)
    for _ in range(2):
        answers_to(session, part, chunk=HOP)
    before = resident_bytes()
    for _ in range(6):
        answers_to(session, part, chunk=HOP)
    assert session.duration_s == 160 and len(session.trajectory().start_s) == 20 / LIVE_HOP_S
    if before:
        assert resident_bytes() - before < 4e6  # half of the sound since


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((2, 2, 2), np.float32),
        np.zeros(10, np.uint8),
        np.zeros(10, complex),
        np.array(["a"]),
        np.array([0.0, np.nan], np.float32),
        np.array(0.0),
    ],
)
def test_what_is_no_sound_is_refused_and_changes_nothing(model, samples):
    session = LiveSession(model)
    with pytest.raises(AudioError, match=r"\.$"):
        session.feed(samples, SAMPLE_RATE)
    assert session.duration_s == 0


def test_an_absurd_rate_is_refused(model, subtests):
    for sample_rate in [0, -1, 100, 10**9]:
        with subtests.test(sample_rate=sample_rate), pytest.raises(AudioError, match="sample rate"):
            LiveSession(model).feed(np.zeros(100, np.float32), sample_rate)


def test_nothing_is_heard_in_an_empty_chunk(model):
    session = LiveSession(model)
    assert session.feed(np.zeros(0, np.int16), 48_000) is None and session.feed(np.zeros((0, 2)), 48_000) is None
    assert session.trajectory() is None


def test_an_offset_does_not_hide_quiet_speech(model, speech):
    quiet = 0.02 * speech
    plain, hidden = (answers_to(LiveSession(model), sound) for sound in (quiet, quiet + np.float32(0.2)))
    assert sum(a.speaking for a in hidden) == sum(a.speaking for a in plain) > 2
