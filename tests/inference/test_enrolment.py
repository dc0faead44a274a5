"""Reference clips of a speaker: how they become a reference, and what predictions with one are like."""

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ser_core.audio import AudioError, speech_segments, walk_files
from ser_core.inference import embed, enrolment, predict, predict_batch, predict_windows, run_windows
from ser_core.inference.enrolment import (
    RunningReference,
    collection_reference,
    enrolment_gain,
    recording_reference,
    speaker_reference,
)
from ser_core.inference.prediction.predict import predict_with_outputs, predict_with_windows
from ser_core.inference.progressive import extend_trajectory, pool_trajectory, start_trajectory
from ser_core.inference.reference import Reference, SpeakerReferenceError, enrolled_model
from ser_core.inference.reference_clips import draw_reference_clips, draw_reference_files
from ser_core.inference.results import EVERYDAY_CLIPS, NEUTRAL_CLIPS
from ser_core.interpret.sanity_check import randomise_parameters
from ser_core.labels import EMOTIONS
from ser_core.models.calibration import Calibration
from ser_core.models.registry import build_model

RATE = 16_000


@pytest.fixture(scope="module")
def clips(speech) -> list[np.ndarray]:
    """Four clips of one voice, at several levels of noise."""
    noise = np.random.default_rng(0).normal(size=len(speech)).astype(np.float32)
    return [speech + np.float32(level) * noise for level in (0, 0.002, 0.004, 0.008)]


@pytest.fixture(scope="module")
def recording(speech) -> np.ndarray:
    """Of the same voice, but none of the clips."""
    return 0.99 * speech


@pytest.fixture(scope="module")
def reference(enrolling_model, clips) -> Reference:
    return speaker_reference(enrolling_model, clips)


@pytest.fixture(scope="module")
def long_recording(speech) -> np.ndarray:
    return np.tile(speech, 6)


def test_it_is_the_mean_embedding_of_the_clips(reference, enrolling_model, clips):
    embeddings = embed(enrolling_model, clips)
    np.testing.assert_allclose(reference.embedding, embeddings.mean(0), atol=1e-5)
    others = [np.delete(embeddings, i, axis=0).mean(0) for i in range(len(clips))]
    assert reference.spread == pytest.approx(np.linalg.norm(embeddings - others, axis=1).mean(), rel=1e-3)
    assert (reference.model, reference.version, reference.n_clips) == ("enrolling", "01234567", 4)
    assert reference.speech_s == pytest.approx(sum(e - s for clip in clips for s, e in speech_segments(clip)))


def test_silence_in_a_clip_does_not_count(enrolling_model, speech):
    """Half a minute of silence between two sentences fills windows of its own."""
    paused = np.concatenate([speech, np.zeros(30 * RATE, np.float32), speech])
    found, expected = (speaker_reference(enrolling_model, [clip] * 3) for clip in (paused, speech))
    assert np.linalg.norm(found.embedding - expected.embedding) < np.linalg.norm(
        embed(enrolling_model, [paused])[0] - expected.embedding
    )


def test_a_model_may_carry_it(enrolling_model, reference, speech):
    """As for attributions, also after its weights are shuffled; the model itself stays as it is."""
    windows = [speech[:RATE], speech[RATE : 3 * RATE]]
    carrying = enrolled_model(enrolling_model, reference)
    plain, relative = run_windows(enrolling_model, windows), run_windows(enrolling_model, windows, reference=reference)
    np.testing.assert_array_equal(run_windows(carrying, windows).logits, relative.logits)
    np.testing.assert_array_equal(run_windows(enrolling_model, windows).logits, plain.logits)
    assert np.abs(run_windows(randomise_parameters(carrying, 0), windows).logits - relative.logits).max() > 0.01
    with pytest.raises(SpeakerReferenceError, match="version"):
        enrolled_model(enrolling_model, replace(reference, version="other"))


def test_every_kind_of_prediction_uses_it(enrolling_model, reference, recording):
    plain, enrolled = predict(enrolling_model, recording), predict(enrolling_model, recording, reference=reference)
    assert enrolled.probabilities != plain.probabilities
    assert (plain.reference_clips, plain.reference_source, plain.reference_note) == (0, "", "")
    assert (enrolled.reference_clips, enrolled.reference_source, enrolled.reference_note) == (4, "clips", "")
    prediction, trajectory = predict_with_windows(enrolling_model, recording, reference=reference)
    windows = predict_windows(enrolling_model, recording, trajectory.window_s, reference=reference)
    (batch,) = predict_batch(enrolling_model, [recording], reference=reference)
    np.testing.assert_array_equal(windows.probabilities, trajectory.probabilities)
    assert prediction == enrolled == batch
    assert (windows.reference_clips, windows.reference_source) == (4, "clips")


def test_its_predictions_have_a_gain_and_a_threshold_of_their_own(enrolling_model, reference, recording, monkeypatch):
    plain, before = (predict(enrolling_model, recording, reference=given) for given in (None, reference))
    fitted = Calibration(reference_gain=2.0, reference_min_confidence=1.0)
    monkeypatch.setattr(enrolling_model, "calibration", fitted)
    assert predict(enrolling_model, recording) == plain and not plain.abstain
    found = predict(enrolling_model, recording, reference=reference)
    sharper = np.array([*before.probabilities.values()]) ** 2 ** (4 / 6)  # of four clips
    np.testing.assert_allclose([*found.probabilities.values()], sharper / sharper.sum(), rtol=1e-4)
    assert found.abstain and "below 100%" in found.reason
    carrying = predict(enrolled_model(enrolling_model, reference), recording)
    assert carrying.probabilities == pytest.approx(found.probabilities, rel=1e-5) and carrying.reason == found.reason
    partial = start_trajectory(enrolling_model, (0, len(recording)), speech_segments(recording), reference=reference)
    assert partial.min_confidence == 1.0


def test_a_clip_of_the_reference_is_compared_with_the_others(enrolling_model, reference, clips, recording):
    predictions = predict_batch(enrolling_model, clips, reference=reference)
    for i, (clip, found) in enumerate(zip(clips, predictions, strict=True)):
        others = speaker_reference(enrolling_model, clips[:i] + clips[i + 1 :])
        expected = predict(enrolling_model, clip, reference=others)
        assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5) and found.reference_clips == 3
        windows, alone = (predict_windows(enrolling_model, clip, reference=given) for given in (reference, others))
        np.testing.assert_allclose(windows.probabilities, alone.probabilities, atol=1e-5)
        assert windows.reference_clips == 3
    assert predict_windows(enrolling_model, recording, reference=reference).reference_clips == 4
    found = reference.without_clip(speaker_reference(enrolling_model, clips[-1:]))
    np.testing.assert_allclose(found.embedding, others.embedding, atol=1e-5)
    assert (found.n_clips, found.clips) == (3, others.clips) and found.speech_s == pytest.approx(others.speech_s)
    twice, others = (speaker_reference(enrolling_model, some) for some in ([*clips, clips[0]], clips[1:]))
    found, expected = (predict(enrolling_model, clips[0], reference=given) for given in (twice, others))
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5) and found.reference_clips == 3


def test_copies_of_a_reference_clip_count_once(enrolling_model, reference, clips):
    """Else a prediction relies on them as on other clips, and every recording seems far from them."""
    found = speaker_reference(enrolling_model, [*clips, clips[0], *clips[2:]])
    assert found.to_dict() == reference.to_dict()
    alone = speaker_reference(enrolling_model, [clips[0]] * 5)
    assert (alone.n_clips, alone.spread) == (1, None) and alone.note
    assert collection_reference(enrolling_model, [*clips[:2], *clips[:2]]) is None


def test_copies_of_a_clip_with_different_emotions_are_refused(knowing_model, clips):
    found = speaker_reference(
        knowing_model, [*clips, clips[0]], emotions=["neutral", None, "sad", "neutral", "neutral"]
    )
    assert found.emotions == ("neutral", "", "sad", "neutral")
    with pytest.raises(SpeakerReferenceError, match="clips 1 and 5 are the same recording"):
        speaker_reference(knowing_model, [*clips, clips[0]], emotions=["neutral", None, "sad", "neutral", "sad"])


@pytest.mark.parametrize("window_s", [0.2, 0.5, 2.0])
def test_the_windows_of_a_clip_may_have_any_length(enrolling_model, clips, window_s):
    """What is taken out of the mean are the windows that it was made of."""
    for n_clips in (2, 4):
        found, expected = (
            predict_windows(
                enrolling_model, clips[0], window_s, window_s, reference=speaker_reference(enrolling_model, some)
            )
            for some in (clips[:n_clips], clips[1:n_clips])
        )
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
        assert found.reference_clips == n_clips - 1


def test_a_recording_whose_start_is_a_clip_is_compared_with_the_others(enrolling_model, clips, long_recording):
    given = collection_reference(enrolling_model, [*clips, long_recording])
    others = collection_reference(enrolling_model, clips)
    found, expected = (predict(enrolling_model, long_recording, reference=used) for used in (given, others))
    (batch,) = predict_batch(enrolling_model, [long_recording], reference=given)
    for one in (found, batch):
        assert one.probabilities == pytest.approx(expected.probabilities, abs=1e-5) and one.reference_clips == 4


def test_a_recording_that_is_all_of_the_reference_is_predicted_without_it(enrolling_model, clips):
    own, plain = speaker_reference(enrolling_model, clips[:1]), predict(enrolling_model, clips[0])
    found = predict(enrolling_model, clips[0], reference=own)
    (batch,) = predict_batch(enrolling_model, clips[:1], reference=own)
    assert found == batch == replace(plain, reference_note=found.reference_note)
    assert "this recording alone" in found.reference_note and "Add other clips" in found.reference_note
    assert predict(enrolling_model, clips[0], [], reference=own).reference_clips == 1  # nothing spoken to take out


@torch.inference_mode()
def test_the_logits_are_those_of_the_model_with_the_reference(enrolling_model, reference, speech):
    window = speech[: 2 * RATE]
    found, own = run_windows(enrolling_model, [window], reference=reference), torch.from_numpy(reference.embedding)
    expected = enrolling_model.classify(torch.from_numpy(found.embeddings), own, 4 / 6)  # of its four clips
    np.testing.assert_allclose(found.logits, expected, atol=1e-6)


def test_the_progressive_trajectory_uses_it(enrolling_model, reference, speech):
    segments = speech_segments(speech)
    pooled = []
    for given in (None, reference):
        partial = start_trajectory(enrolling_model, (0, len(speech)), segments, reference=given)
        while partial.share < 1:
            partial = extend_trajectory(enrolling_model, speech, partial)
        pooled.append(pool_trajectory(partial, segments))
    assert not np.allclose(pooled[0].probabilities, pooled[1].probabilities)
    assert [trajectory.reference_clips for trajectory in pooled] == [0, 4]


@pytest.mark.parametrize("n_clips", [0, 31])
def test_none_or_too_many_clips_are_refused(enrolling_model, clips, n_clips):
    with pytest.raises(SpeakerReferenceError, match="30"):
        speaker_reference(enrolling_model, clips[:1] * n_clips)


def test_a_collection_is_its_own_reference(enrolling_model, clips, recording):
    silence = np.zeros(RATE, np.float32)
    found = collection_reference(enrolling_model, [*clips, silence])
    expected = speaker_reference(enrolling_model, clips)
    np.testing.assert_allclose(found.embedding, expected.embedding, rtol=1e-4)
    assert (found.n_clips, found.source, found.spread) == (len(clips), "collection", None)
    assert Reference.from_dict(found.to_dict()).source == "collection"
    assert predict(enrolling_model, recording, reference=found).reference_source == "collection"
    assert collection_reference(enrolling_model, [*clips[:2], silence]) is None
    long = [np.tile(clip, 40) for clip in clips[:3]]  # as in an archive, the beginning counts
    whole, cut = (collection_reference(enrolling_model, some) for some in (long, [clip[: 20 * RATE] for clip in long]))
    np.testing.assert_array_equal(whole.embedding, cut.embedding)
    drawn = draw_reference_clips(1000)
    assert drawn == draw_reference_clips(1000) and len(set(drawn)) == 30 and draw_reference_clips(4) == [0, 1, 2, 3]


def test_the_same_files_of_a_folder_are_drawn_in_any_order_and_wherever_it_is(tmp_path):
    for name in ("a/2.wav", "a.wav", "a b/x.wav", "Z/y.wav", *(f"a/deep/{i}.wav" for i in range(40))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in walk_files(tmp_path)]
    drawn = draw_reference_files(names)
    assert drawn == draw_reference_clips(len(names))  # as an archive draws them
    for written in (names[::-1], sorted(names), [f"/home/me/{name}" for name in names], [rf"me\{n}" for n in names]):
        found = {written[i].removeprefix("/home/me/").removeprefix("me\\") for i in draw_reference_files(written)}
        assert found == {names[i] for i in drawn}
    assert draw_reference_files(["", ".", "a.wav"]) == [0, 1, 2]


def test_silent_clips_are_refused_by_number(enrolling_model, clips):
    with pytest.raises(SpeakerReferenceError, match="number 2, 4 of 4"):
        speaker_reference(enrolling_model, [clips[0], np.zeros(RATE, np.float32)] * 2)


def test_invalid_samples_are_refused(enrolling_model, clips):
    with pytest.raises(AudioError):
        speaker_reference(enrolling_model, [*clips, np.full(RATE, np.nan, np.float32)])


def test_windows_of_its_own_reference_are_spread_over_a_recording(enrolling_model, long_recording, monkeypatch):
    starts_s, run = [], enrolment.run_windows

    def noted(model, windows):
        first = long_recording.ctypes.data
        starts_s.extend((window.ctypes.data - first) / long_recording.itemsize / RATE for window in windows)
        return run(model, windows)

    monkeypatch.setattr(enrolment, "run_windows", noted)
    monkeypatch.setattr(enrolment, "MAX_REFERENCE_CLIPS", 3)
    assert recording_reference(enrolling_model, long_recording).n_clips == 3
    window_s, duration_s = enrolling_model.config.window_s, len(long_recording) / RATE
    assert starts_s[0] < window_s and starts_s[2] > duration_s - 2 * window_s
    assert starts_s[1] == pytest.approx(duration_s / 2, abs=window_s)


@pytest.mark.parametrize("n_clips", [1, 2])
def test_few_clips_give_a_note(enrolling_model, clips, recording, n_clips):
    few = speaker_reference(enrolling_model, clips[:n_clips])
    assert str(n_clips) in few.note and few.note in predict(enrolling_model, recording, reference=few).reference_note
    assert (few.spread is None) == (n_clips == 1)
    assert not replace(few, n_clips=3).note


def test_another_voice_gives_a_note(enrolling_model, reference, speech):
    noise = np.random.default_rng(0).normal(0, 0.2, len(speech)).astype(np.float32)
    assert "another speaker" in predict(enrolling_model, noise, [(0.0, 5.0)], reference=reference).reference_note
    assert not predict(enrolling_model, np.zeros(RATE, np.float32), reference=reference).reference_note


def test_another_voice_is_judged_by_its_windows_with_speech(enrolling_model, reference, speech, monkeypatch):
    judged = []
    monkeypatch.setattr(Reference, "note_for", lambda self, embedding: judged.append(embedding) or "")
    window_s, noise = enrolling_model.config.window_s, np.random.default_rng(0).normal(0, 0.2, len(speech))
    sound = np.concatenate([speech[: round(window_s * RATE)], noise]).astype(np.float32)
    segments = [(0.0, 0.2 * window_s), (len(sound) / RATE - 0.01, len(sound) / RATE)]
    _, trajectory, outputs = predict_with_outputs(enrolling_model, sound, segments, reference=reference)
    np.testing.assert_allclose(
        judged[0], np.average(outputs.embeddings, axis=0, weights=trajectory.speech_s), rtol=1e-5
    )
    assert np.abs(judged[0] - outputs.embeddings.mean(0)).max() > 1e-3


def test_a_reference_of_another_size_is_refused(enrolling_model, reference, speech):
    short = replace(reference, embedding=np.ones(3, np.float32))
    for use in (lambda: predict(enrolling_model, speech, reference=short), lambda: short.check(enrolling_model)):
        with pytest.raises(SpeakerReferenceError, match=r"3 values, not 8\. Make it again"):
            use()


def test_a_model_without_reference_refuses_one(reference, clips, checkpoints):
    model = build_model("simple-cnn").eval()
    model.name = "plain"
    for attempt in (
        lambda: predict(model, clips[0], reference=reference),
        lambda: speaker_reference(model, clips),
        lambda: recording_reference(model, clips[0]),
    ):
        with pytest.raises(SpeakerReferenceError, match="plain takes no reference clips; models that do: other, small"):
            attempt()


@pytest.mark.parametrize("other", [{"model": "another"}, {"version": "76543210"}])
def test_the_reference_of_another_model_is_refused(enrolling_model, reference, speech, other):
    with pytest.raises(SpeakerReferenceError, match="made by"):
        predict(enrolling_model, speech, reference=replace(reference, **other))


@pytest.mark.parametrize("call", [predict, predict_windows, predict_batch])
def test_what_is_no_reference_says_what_one_is(enrolling_model, reference, speech, call):
    what = [speech] if call is predict_batch else speech
    for given in ("recording", reference.to_dict(), [reference]):
        with pytest.raises(SpeakerReferenceError, match=rf"not a {type(given).__name__}: .*Reference\.from_dict"):
            call(enrolling_model, what, reference=given)


def test_it_survives_json(enrolling_model, reference, clips, recording):
    found = Reference.from_dict(json.loads(json.dumps(reference.to_dict())))
    assert found.to_dict() == reference.to_dict()
    np.testing.assert_allclose(found.embedding, reference.embedding, rtol=1e-5)
    predicted = [predict(enrolling_model, recording, reference=r).confidence for r in (found, reference)]
    assert predicted[0] == pytest.approx(predicted[1], abs=1e-5)
    assert found.clip_of(clips[1]) is clips[1] and found.clip_of(recording) is None
    older = {name: value for name, value in reference.to_dict().items() if name != "clips"}
    assert Reference.from_dict(older).clip_of(clips[1]) is None


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"embedding": values}
            for values in ([], [[1.0]], [float("nan")], ["a"], "abc", None, [1e300], [3.4e38], [-1001], [True], ["1"])
        ),
        *({"n_clips": n} for n in (0, 1.5, "4", True, 10**400)),
        *({"speech_s": value} for value in (-1, "long", float("inf"), 10**400, True)),
        *({"spread": value} for value in (-1, "wide", False)),
        *({"model": 3}, {"version": None}, {"source": "elsewhere"}, {"source": []}, {"surplus": 1}),
        *({"clips": value} for value in (["a"], [1, 2, 3, 4], None, 7)),
    ],
)
def test_foreign_json_is_refused(reference, change):
    with pytest.raises(SpeakerReferenceError, match="not a reference"):
        Reference.from_dict(reference.to_dict() | change)


@pytest.mark.parametrize("values", [None, [], {}, "text", 3])
def test_another_kind_of_json_is_refused(values):
    with pytest.raises(SpeakerReferenceError, match="not a reference"):
        Reference.from_dict(values)


def test_a_long_recording_is_its_own_reference(enrolling_model, long_recording):
    own = recording_reference(enrolling_model, long_recording)
    trajectory = predict_windows(enrolling_model, long_recording, reference=own)
    assert own.source == trajectory.reference_source == "recording"
    assert 3 < own.n_clips == trajectory.reference_clips <= 30 and own.speech_s > 10
    assert not own.note
    duration_s = len(long_recording) / RATE
    throughout = recording_reference(enrolling_model, long_recording, [(0.0, duration_s)])
    assert throughout.n_clips == math.ceil(duration_s / enrolling_model.config.window_s)  # without overlap


def test_a_short_recording_is_not(enrolling_model, long_recording):
    assert recording_reference(enrolling_model, long_recording, [(0.0, 9.9)]) is None
    assert recording_reference(enrolling_model, long_recording, [(0.0, 10.0)]) is not None


def test_overlapping_windows_of_a_session_are_no_clips_of_their_own(enrolling_model):
    running = RunningReference(enrolling_model)
    for _ in range(39):
        running.add(np.full(8, 2.0, np.float32), 0.25)
    assert running.reference() is None
    running.add(np.full(8, 2.0, np.float32), 0.25)
    found = running.reference()
    assert (found.n_clips, found.speech_s) == (round(10 / enrolling_model.trajectory_window_s), 10.0)
    assert (found.embedding == 2.0).all()


def test_of_a_very_long_recording_windows_are_drawn_evenly(enrolling_model, long_recording):
    assert recording_reference(enrolling_model, np.tile(long_recording, 4)).n_clips == 30


def test_the_gain_is_measured_without_the_clip_itself(enrolling_model, clips):
    emotions = ["happy", None, "sad", None]
    found = enrolment_gain(enrolling_model, clips, emotions)
    assert found.emotions == ("happy", "sad")
    for prediction, i in zip(found.enrolled, (0, 2), strict=True):
        others = speaker_reference(enrolling_model, [clip for j, clip in enumerate(clips) if j != i])
        expected = predict(enrolling_model, clips[i], reference=others).probabilities
        assert prediction.probabilities == pytest.approx(expected, abs=1e-4)
    assert found.without[1].probabilities == predict(enrolling_model, clips[2]).probabilities
    right = [
        sum(p.emotion == e for p, e in zip(ps, found.emotions, strict=True)) for ps in (found.without, found.enrolled)
    ]
    assert found.n_right == tuple(right)
    with pytest.raises(SpeakerReferenceError, match="single"):
        enrolment_gain(enrolling_model, clips[:1], ["happy"])


# --- clips whose emotions are known ----------------------------------------------------------------------------------


@pytest.fixture
def knowing_model(enrolling_model):
    """The model with emotion offsets."""
    model = copy.copy(enrolling_model)
    model.emotion_offsets = np.random.default_rng(1).normal(0, 0.3, (8, 8)).astype(np.float32)
    return model


def test_the_emotions_of_the_clips_are_taken_off(knowing_model, clips, recording):
    plain = speaker_reference(knowing_model, clips)
    known = speaker_reference(knowing_model, clips, emotions=["neutral", None, "sad", "neutral"])
    assert known.emotions == ("neutral", "", "sad", "neutral") and plain.emotions == ()
    np.testing.assert_array_equal(known.embedding, plain.embedding)
    neutral, sad = (knowing_model.emotion_offsets[EMOTIONS.index(emotion)] for emotion in ("neutral", "sad"))
    voice = replace(plain, embedding=plain.embedding - (2 * neutral + sad) / 4)
    found, expected = (predict(knowing_model, recording, reference=given) for given in (known, voice))
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    assert found.probabilities != predict(knowing_model, recording, reference=plain).probabilities
    carrying = predict(enrolled_model(knowing_model, known), recording)
    assert carrying.probabilities == pytest.approx(found.probabilities, rel=1e-5)


def test_clips_of_an_emotion_without_an_offset_are_refused(knowing_model, clips):
    knowing_model.emotion_offsets[EMOTIONS.index("calm")] = 0
    with pytest.raises(SpeakerReferenceError, match="with the emotion calm have in common: too few corpora"):
        speaker_reference(knowing_model, clips, emotions=["calm", None, "calm", "calm"])
    assert speaker_reference(knowing_model, clips, emotions=["calm", None, "sad", "calm"]).emotions[0] == "calm"


def test_clips_of_one_mood_are_a_source_of_their_own(knowing_model, clips, recording):
    for emotions, source in (
        (["neutral"] * 4, NEUTRAL_CLIPS),
        (["neutral", None, "neutral", "neutral"], "clips"),
        (["sad"] * 4, "sad clips"),
        (["everyday"] * 4, EVERYDAY_CLIPS),
        ((), "clips"),
        ([None] * 4, "clips"),
    ):
        reference = speaker_reference(knowing_model, clips, emotions=emotions)
        assert predict(knowing_model, recording, reference=reference).reference_source == source
        assert predict_windows(knowing_model, recording, reference=reference).reference_source == source
        assert Reference.from_json(json.dumps(reference.to_dict())).to_dict() == reference.to_dict()


def test_a_clip_of_the_reference_is_compared_with_the_others_and_their_emotions(knowing_model, clips):
    emotions = ["sad", "happy", "happy", "neutral"]
    reference = speaker_reference(knowing_model, clips, emotions=emotions)
    for i, clip in enumerate(clips):
        others = speaker_reference(knowing_model, clips[:i] + clips[i + 1 :], emotions=emotions[:i] + emotions[i + 1 :])
        found, expected = (predict(knowing_model, clip, reference=given) for given in (reference, others))
        assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    gain = enrolment_gain(knowing_model, clips, [*emotions[:3], None])
    known = speaker_reference(knowing_model, clips, emotions=[*emotions[:3], None])
    assert gain.enrolled[0].probabilities == predict(knowing_model, clips[0], reference=known).probabilities


def test_the_emotions_of_an_enrolled_voice_count_in_a_live_session(knowing_model, clips):
    start = speaker_reference(knowing_model, clips, emotions=["sad"] * 4)
    running = RunningReference(knowing_model, start)
    for _ in range(6):
        running.add(np.ones(8, np.float32), 2.0)
    found = running.reference()
    n_windows = found.n_clips - 4
    voice, everyday = start.tensor_for(knowing_model).numpy(), 1 - 0.7 * knowing_model.emotion_offsets[0]
    assert n_windows > 3 and found.emotions == ("sad",) * 4 + ("everyday",) * n_windows
    expected = (4 * voice + n_windows * everyday) / found.n_clips
    np.testing.assert_allclose(found.tensor_for(knowing_model), expected, atol=1e-5)
    alone = RunningReference(knowing_model)
    alone.add(np.ones(8, np.float32), 20.0)
    np.testing.assert_allclose(alone.reference().tensor_for(knowing_model), everyday, atol=1e-5)
    unknown = RunningReference(knowing_model, replace(start, emotions=()))
    unknown.add(np.ones(8, np.float32), 20.0)
    found = unknown.reference()
    assert found.emotions[:5] == ("", "", "", "", "everyday") and found.speech_s == pytest.approx(start.speech_s + 20)


def test_a_recording_as_its_own_reference_is_everyday_speech(enrolling_model, knowing_model, long_recording):
    plain, found = (recording_reference(model, long_recording) for model in (enrolling_model, knowing_model))
    assert plain.emotions == () and found.emotions == ("everyday",) * found.n_clips
    everyday = plain.embedding - 0.7 * knowing_model.emotion_offsets[EMOTIONS.index("neutral")]
    np.testing.assert_allclose(found.tensor_for(knowing_model), everyday, atol=1e-5)
    assert predict(knowing_model, long_recording, reference=found).reference_source == "recording"


def test_clips_of_everyday_speech_are_said_to_be_so(knowing_model, clips):
    found = speaker_reference(knowing_model, clips, emotions=["everyday", "sad", None, "everyday"])
    neutral, sad = (knowing_model.emotion_offsets[EMOTIONS.index(emotion)] for emotion in ("neutral", "sad"))
    np.testing.assert_allclose(found.tensor_for(knowing_model), found.embedding - (1.4 * neutral + sad) / 4, atol=1e-5)
    assert found.kind == "clips" and Reference.from_dict(found.to_dict()).emotions == found.emotions


@pytest.mark.parametrize(
    ("emotions", "message"),
    [
        (["neutral"] * 3, "3 emotions for 4 reference clips"),
        (["neutral", "bored", None, None], "Unknown emotion 'bored'. There are: neutral, calm"),
        ("neutral", r"list, with one for each clip: \['neutral'\] \* 4"),
    ],
)
def test_emotions_that_cannot_be_used_are_refused(knowing_model, clips, emotions, message):
    with pytest.raises(SpeakerReferenceError, match=message):
        speaker_reference(knowing_model, clips, emotions=emotions)


def test_a_model_without_offsets_refuses_emotions_before_anything_is_computed(enrolling_model, clips):
    with pytest.raises(SpeakerReferenceError, match=r"enrolling cannot use the emotions.*offsets\.safetensors"):
        speaker_reference(enrolling_model, clips, emotions=["neutral"] * 4)
    with pytest.raises(SpeakerReferenceError, match="without emotions, or use a model that has it: whisper-prosonet,"):
        replace(speaker_reference(enrolling_model, clips), emotions=("sad",) * 4).check(enrolling_model)


@pytest.mark.parametrize("emotions", [["sad"], ["bored"] * 4, [1, 2, 3, 4], None, 7])
def test_foreign_emotions_in_json_are_refused(reference, emotions):
    with pytest.raises(SpeakerReferenceError, match="not a reference"):
        Reference.from_dict(reference.to_dict() | {"emotions": emotions})


def test_a_voice_of_clips_of_one_mood_is_wider(reference):
    """They lie close together: a clip in another mood is not far from them."""
    step = np.zeros(8, np.float32)
    step[0] = reference.spread
    moods = {(): 1.4, ("sad", "", "sad", "sad"): 1.4, ("",) * 4: 1.4, ("sad", "neutral") * 2: 1.4}
    moods |= {(mood,) * 4: 1.8 for mood in ("neutral", "sad", "everyday")}
    for emotions, limit in moods.items():
        given = replace(reference, emotions=emotions)
        assert not given.note_for(given.embedding + (limit - 0.1) * step)
        assert given.note_for(given.embedding + (limit + 0.1) * step)
