"""From waveform to answer: all of the speech is heard, nothing else decides, and doubt is said aloud."""

import copy
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import softmax

import ser_core
from ser_core.audio.decoding.stream import AudioError
from ser_core.inference.forward import CPU_BATCH_SIZE, embed, run_clips, run_windows
from ser_core.inference.prediction.abstention import abstain_reason
from ser_core.inference.prediction.predict import predict, predict_windows, predict_with_windows
from ser_core.inference.results import Trajectory, arousal_and_valence
from ser_core.labels import AROUSAL_VALENCE, EMOTIONS
from ser_core.models.checkpoint import Calibration
from ser_core.models.ood import fit_novelty_detector
from tests.make_corpus import voice

RATE = 16_000


@pytest.fixture
def model(new_model):
    """A small model whose answers differ from clip to clip."""
    made = new_model(window_s=1.0)
    with torch.no_grad():
        made.head[1].weight.mul_(20)
    return made


@pytest.fixture(scope="module")
def long() -> np.ndarray:
    """Eight seconds that never pause, rising in pitch, shape = (128000,)."""
    return np.concatenate([voice(100 + 30 * i, seed=i, duration_s=0.5) for i in range(16)])


def everywhere(waveform: np.ndarray) -> list[tuple[float, float]]:
    """Speech from the first to the last sample, as a caller may know."""
    return [(0.0, len(waveform) / RATE)]


def probabilities(prediction) -> np.ndarray:
    return np.array(list(prediction.probabilities.values()))


# --- the answer ------------------------------------------------------------------------------------------------------


def test_a_prediction_is_complete_and_consistent(model, speech):
    found = predict(model, speech)
    assert tuple(found.probabilities) == EMOTIONS and sum(found.probabilities.values()) == pytest.approx(1)
    assert found.emotion == max(found.probabilities, key=found.probabilities.get) == found.top3[0][0]
    assert found.confidence == found.probabilities[found.emotion] == found.top3[0][1]
    assert [p for _, p in found.top3] == sorted(found.probabilities.values(), reverse=True)[:3]
    assert found.model == "small" and found.duration_s == len(speech) / RATE
    assert 0 <= found.start_s < found.end_s <= found.duration_s and 0 < found.speech_s <= found.duration_s
    lists = {"top3": [list(pair) for pair in found.top3], "possible_emotions": [*EMOTIONS]}
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict() | lists


def test_speech_that_is_known_already_is_not_looked_for_again(model, speech, monkeypatch):
    expected = predict(model, speech)
    known = ser_core.speech_segments(speech)
    monkeypatch.setattr(
        "ser_core.inference.prediction.predict.speech_segments", lambda waveform: pytest.fail("asked again")
    )
    assert predict(model, speech, known) == expected


def test_the_same_recording_gets_the_same_answer(model, speech):
    assert predict(model, speech) == predict(model, speech.copy())


def test_analyse_gives_both_in_one_pass(model, speech):
    prediction, trajectory = predict_with_windows(model, speech)
    assert prediction == predict(model, speech)
    np.testing.assert_array_equal(trajectory.probabilities, predict_windows(model, speech).probabilities)


# --- all of the speech is heard --------------------------------------------------------------------------------------


def test_every_second_counts_the_tail_included(model, long, subtests):
    for second in [0, 1, 3, 5, 7]:
        with subtests.test(second=second):
            changed = long.copy()
            changed[second * RATE : (second + 1) * RATE] = voice(700, seed=99, duration_s=1.0)
            before, after = (predict(model, w, everywhere(w)) for w in (long, changed))
            assert np.abs(probabilities(before) - probabilities(after)).max() > 1e-3


def test_a_tail_shorter_than_a_hop_counts(model, long, subtests):
    for n_samples in [2 * RATE + 1, 2 * RATE + 4000]:
        with subtests.test(n_samples=n_samples):
            whole = long[:n_samples]
            before, after = (predict(model, w, everywhere(w)) for w in (whole, long[: 2 * RATE]))
            assert np.abs(probabilities(before) - probabilities(after)).max() > 1e-6
            assert before.end_s == n_samples / RATE


def test_the_answer_is_the_mean_over_windows_by_their_seconds_of_speech(model, long):
    speech = [(0.0, 2.0), (6.0, 8.0)]
    trajectory = predict_windows(model, long, speech=speech)
    assert trajectory.speech_s.min() == 0 and trajectory.speech_s.max() == 1
    logits = run_windows(model, [long[round(s * RATE) :][:RATE] for s in trajectory.start_s]).logits
    mean = np.average(logits, axis=0, weights=trajectory.speech_s)
    np.testing.assert_allclose(probabilities(predict(model, long, speech)), softmax(mean, axis=-1), atol=1e-6)


def test_the_novelty_is_that_of_the_mean_distance_by_seconds_of_speech(new_model, long):
    knowing = new_model(window_s=1.0)
    knowing.novelty = fit_novelty_detector(*np.random.default_rng(0).standard_normal((2, 500, 8)))
    speech = [(0.0, 2.0), (6.0, 8.0)]
    trajectory = predict_windows(knowing, long, speech=speech)
    distances = run_windows(knowing, [long[round(s * RATE) :][:RATE] for s in trajectory.start_s]).distances
    own, plain = np.average(distances, weights=trajectory.speech_s), distances.mean()
    knowing.novelty = replace(knowing.novelty, unseen=np.sort([(own + plain) / 2, min(own, plain) - 1]))
    assert predict(knowing, long, speech).novelty == (100 if own > plain else 50)


def test_windows_without_speech_do_not_count(model, long):
    changed = long.copy()
    changed[3 * RATE : 5 * RATE] = voice(700, seed=99, duration_s=2.0)
    speech = [(0.0, 2.0), (6.0, 8.0)]
    np.testing.assert_allclose(
        probabilities(predict(model, long, speech)), probabilities(predict(model, changed, speech)), atol=1e-6
    )


def test_silence_at_the_ends_is_not_analysed(model, long):
    silence = np.zeros(RATE, np.float32)
    found = predict(model, np.concatenate([silence, long, silence]), [(1.0, 9.0)])
    assert found.start_s == pytest.approx(0.9, abs=0.05) and found.end_s == pytest.approx(9.1, abs=0.05)
    assert found.duration_s == 10


def test_a_knock_does_not_push_the_speech_out(model, speech):
    knocked = (0.02 * speech).astype(np.float32)
    knocked[40_000:40_400] = 0.9
    segments = [(0.3, 6.3)]
    found = predict(model, knocked, segments)
    assert found.start_s <= 0.3 and found.end_s >= 6.3


# --- any length ------------------------------------------------------------------------------------------------------


def test_short_recordings_are_answered(model, long, subtests):
    for n_samples in [1, 2, 100, 320, 4000, RATE - 1, RATE, RATE + 1]:
        with subtests.test(n_samples=n_samples):
            found, trajectory = predict_with_windows(model, long[:n_samples])
            assert np.isfinite(probabilities(found)).all() and found.duration_s == n_samples / RATE
            assert len(trajectory.start_s) == (1 if n_samples <= RATE else 2)


def test_a_short_recording_is_not_padded(model, long):
    """The network hears its samples and nothing else."""
    clip = long[:7000]
    with torch.inference_mode():
        expected = softmax(model(torch.from_numpy(clip)[None]).double().numpy()[0], axis=-1)
    np.testing.assert_allclose(probabilities(predict(model, clip, everywhere(clip))), expected, atol=1e-6)


# --- windows ---------------------------------------------------------------------------------------------------------


def test_windows_cover_everything(model, long, subtests):
    for window_s, hop_s in [(None, None), (1.0, 1.0), (0.7, 0.3), (2.5, 0.4), (20.0, 1.0)]:
        with subtests.test(window_s=window_s, hop_s=hop_s):
            found = predict_windows(model, long, window_s, hop_s, everywhere(long))
            assert found.start_s[0] == 0 and found.end_s[-1] == len(long) / RATE
            assert (found.start_s[1:] <= found.end_s[:-1]).all()
            assert (np.diff(found.start_s) > 0).all() and (np.diff(found.start_s) <= found.hop_s + 1e-9).all()
            np.testing.assert_allclose(found.end_s - found.start_s, min(found.window_s, len(long) / RATE))
            assert (found.window_s, found.hop_s) == (window_s or 1.0, hop_s or 0.5)


def test_each_window_is_answered_as_if_it_stood_alone(model, long):
    found = predict_windows(model, long, speech=everywhere(long))
    assert len(found.start_s) == 15
    assert len(set(found.emotions)) > 1 or found.probabilities.std(0).max() > 0.01  # or nothing was compared
    for i, start_s in enumerate(found.start_s):
        clip = long[round(start_s * RATE) :][:RATE]
        alone = softmax(run_windows(model, [clip]).logits.astype(float)[0], axis=-1)
        np.testing.assert_allclose(found.probabilities[i], alone, atol=1e-5)
        assert found.emotions[i] == EMOTIONS[alone.argmax()]
        assert found.confidence[i] == pytest.approx(alone.max(), abs=1e-5)


def test_speech_is_counted_in_each_window(model, long):
    found = predict_windows(model, long, 2.0, 1.0, speech=[(0.5, 1.5), (3.25, 3.75), (7.9, 8.0)])
    np.testing.assert_allclose(found.speech_s, [1.0, 0.5, 0.5, 0.5, 0.0, 0.0, 0.1], atol=1e-9)


def test_records_are_json_and_complete(model, long):
    found = predict_windows(model, long, 2.0, 1.0, everywhere(long))
    records = json.loads(json.dumps(found.to_records()))
    assert len(records) == 7
    for i, record in enumerate(records):
        assert set(record) == {"start_s", "end_s", "speech_s", "emotion", "probabilities", "arousal", "valence"}
        assert (record["start_s"], record["end_s"], record["emotion"]) == (i, i + 2, found.emotions[i])
        np.testing.assert_allclose(list(record["probabilities"].values()), found.probabilities[i], atol=1e-6)
        assert tuple(record["probabilities"]) == EMOTIONS


def test_progress_ends_at_one(model, long):
    shares = []
    predict_windows(model, long, 0.25, 0.25, everywhere(long), shares.append)
    assert shares == sorted(shares) and len(shares) == -(-32 // CPU_BATCH_SIZE) and shares[-1] == 1 and shares[0] > 0


def test_windows_that_would_leave_samples_out_are_refused(model, long, subtests):
    cases = [(0.0, 0.0), (1.0, 0.0), (1.0, -1.0), (1.0, 1.5), (-1.0, None), (1.0, 1e-6), (1e-6, 1e-6), (np.inf, 1.0)]
    for window_s, hop_s in cases:
        with subtests.test(window_s=window_s, hop_s=hop_s), pytest.raises(ValueError, match="hop_s = "):
            predict_windows(model, long, window_s, hop_s)


def test_a_trajectory_reads_the_most_probable_emotion():
    found = Trajectory(
        "m", ("a", "b"), np.zeros(2), np.ones(2), np.array([[0.4, 0.6], [0.9, 0.1]]), np.ones(2), 1.0, 1.0
    )
    assert found.emotions == ("b", "a") and found.confidence.tolist() == [0.6, 0.9]


# --- arousal and valence ---------------------------------------------------------------------------------------------


def test_every_emotion_has_a_place():
    assert tuple(AROUSAL_VALENCE) == EMOTIONS
    assert all(-1 <= value <= 1 for place in AROUSAL_VALENCE.values() for value in place)


def test_arousal_and_valence_are_the_expectation_over_the_emotions():
    half = np.array([0.5, 0, 0, 0, 0.5, 0, 0, 0])
    assert arousal_and_valence(EMOTIONS, np.stack([half, np.eye(8)[2]])) == pytest.approx(
        np.array([[0.4, -0.3], [0.6, 0.8]])
    )


def test_a_prediction_and_its_windows_have_them(model, long):
    prediction, trajectory = predict_with_windows(model, long, everywhere(long))
    expected = arousal_and_valence(EMOTIONS, np.array(list(prediction.probabilities.values())))
    assert (prediction.arousal, prediction.valence) == pytest.approx(tuple(expected))
    records = trajectory.to_records()
    assert [record["arousal"] for record in records] == pytest.approx(trajectory.arousal, abs=1e-6)
    assert [record["valence"] for record in records] == pytest.approx(trajectory.valence, abs=1e-6)


def test_silence_has_neither(model):
    prediction, trajectory = predict_with_windows(model, np.zeros(5 * RATE, np.float32))
    assert prediction.arousal is None and prediction.valence is None
    assert np.isnan(trajectory.arousal).all() and np.isnan(trajectory.valence).all()
    assert all(record["arousal"] is record["valence"] is None for record in trajectory.to_records())


def test_a_click_has_neither_and_no_familiarity(new_model, long):
    model = new_model(window_s=1.0)
    known = np.random.default_rng(0).normal(size=(40, model.embedding_dim)).astype(np.float32)
    model.novelty = fit_novelty_detector(known, known).with_familiarity(np.arange(40.0))
    for end_s, is_said in ((0.15, False), (0.25, True)):
        found = predict(model, long, [(0.0, end_s)])
        assert [v is not None for v in (found.arousal, found.valence, found.familiarity)] == [is_said] * 3


# --- doubt -----------------------------------------------------------------------------------------------------------


def test_silence_is_no_emotion(model):
    found = predict(model, np.zeros(2 * RATE, np.float32))
    assert found.abstain and found.reason == "No speech was found (0.0 s)." and found.speech_s == 0


@pytest.mark.parametrize("kind", ["noise", "hum"])
def test_noise_is_no_emotion(model, kind):
    noise = 0.1 * np.random.default_rng(0).standard_normal(3 * RATE)
    hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(3 * RATE) / RATE)
    found = predict(model, (noise if kind == "noise" else hum).astype(np.float32))
    assert found.abstain and "No speech" in found.reason


def test_a_low_certainty_is_not_sure(model, speech):
    model.calibration = Calibration(1.0, 0.99)
    found = predict(model, speech)
    assert found.abstain and "99%" in found.reason
    assert f"{found.confidence:.0%}" in found.reason and found.emotion in EMOTIONS


def test_a_certain_answer_to_speech_has_no_reason(model, speech):
    model.calibration = Calibration(1.0, 0.0)
    found = predict(model, speech)
    assert not found.abstain and found.reason == ""


def test_short_or_far_speech_is_doubted_from_its_limit_on(model):
    """Less than a second unlike the training data may be a noise; farther than all unseen speech is no speech."""
    known = np.random.default_rng(0).normal(size=(200, model.embedding_dim)).astype(np.float32)
    model.novelty = fit_novelty_detector(known, known).with_familiarity(np.zeros(1))
    for speech_s, novelty, reason in (
        (0.9, 99.5, "Only 0.9 s"),
        (1.0, 99.5, ""),
        (0.9, 0.0, ""),
        (1.0, 100.0, "out of distribution"),
    ):
        found = abstain_reason(model, 1.0, speech_s, novelty, False)
        assert reason in found and bool(found) == bool(reason)


@pytest.mark.parametrize("temperature", [0.5, 2.0, 4.0])
def test_the_temperature_divides_the_logits(model, speech, temperature):
    plain = predict(model, speech), predict_windows(model, speech)
    model.calibration = Calibration(temperature)
    warm = predict(model, speech), predict_windows(model, speech)
    expected = softmax(np.log(probabilities(plain[0])) / temperature, axis=-1)
    np.testing.assert_allclose(probabilities(warm[0]), expected, atol=1e-9)
    expected = softmax(np.log(plain[1].probabilities) / temperature, axis=-1)
    np.testing.assert_allclose(warm[1].probabilities, expected, atol=1e-9)
    assert warm[0].emotion == plain[0].emotion


# --- what must not matter --------------------------------------------------------------------------------------------


def test_the_level_of_a_recording_changes_no_probability(model, speech, subtests):
    for gain in [0.1, 0.4, 2.0]:
        with subtests.test(gain=gain):
            before, after = predict(model, speech), predict(model, (gain * speech).astype(np.float32))
            np.testing.assert_allclose(probabilities(before), probabilities(after), atol=1e-3)
            assert (before.start_s, before.end_s) == (after.start_s, after.end_s)


def test_the_type_of_the_samples_does_not_matter(model, long):
    expected = predict(model, long, everywhere(long))
    assert predict(model, long.astype(np.float64), everywhere(long)) == expected


@pytest.mark.filterwarnings("error")
def test_read_only_samples_are_no_problem(model, long):
    assert predict(model, np.frombuffer(long.tobytes(), np.float32), ()).duration_s == 8


def test_calls_from_several_threads_agree_with_single_calls(new_model, long):
    models = [new_model(seed=seed, window_s=1.0) for seed in (0, 1)]
    clips = [long[i * 4000 : i * 4000 + 30_000] for i in range(12)]
    jobs = [(models[i % 2], clip) for i, clip in enumerate(clips)]
    alone = [predict(model, clip, everywhere(clip)) for model, clip in jobs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda job: predict(*job, everywhere(job[1])), jobs * 3))
    assert together == alone * 3


def test_only_one_forward_pass_runs_at_a_time(model, long, monkeypatch):
    running, most = [], []

    def busy(module, arguments):
        running.append(1)
        most.append(len(running))

    model.logmel.register_forward_pre_hook(busy)
    model.head.register_forward_hook(lambda module, arguments, output: running.pop() and None)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: predict(model, long, everywhere(long)), range(12)))
    assert max(most) == 1 and len(most) == 12


def test_a_call_leaves_model_and_waveform_as_they_were(model, speech):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    waveform = speech.copy()
    predict(model, waveform)
    np.testing.assert_array_equal(waveform, speech)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items()) and not model.training


# --- many clips at once ----------------------------------------------------------------------------------------------


def test_logits_come_back_in_the_order_of_the_windows(model, long):
    windows = [long[:n] for n in (9000, 1, 16_000, 400, 12_000)] * 4
    together = run_windows(model, windows).logits
    assert together.shape == (20, 8) and together.dtype == np.float32
    for row, window in zip(together, windows, strict=True):
        np.testing.assert_allclose(row, run_windows(model, [window]).logits[0], atol=1e-4)


def test_logits_of_a_clip_are_the_mean_over_its_windows(model, long):
    found = run_clips(model, [long[:5000], long, long[:30_000]]).logits
    for row, clip in zip(found, (long[:5000], long, long[:30_000]), strict=True):
        windows = predict_windows(model, clip, speech=())
        cut = [clip[round(s * RATE) : round(e * RATE)] for s, e in zip(windows.start_s, windows.end_s, strict=True)]
        np.testing.assert_allclose(row, run_windows(model, cut).logits.mean(0), atol=1e-4)


# --- what cannot be answered -----------------------------------------------------------------------------------------


def test_what_is_no_waveform_is_refused(model, subtests):
    for call, (waveform, cause) in product(
        [predict, predict_windows, predict_with_windows, lambda model, waveform: embed(model, [waveform])],
        [
            (np.zeros(0, np.float32), "at least one sample"),
            (np.zeros((2, 100), np.float32), "mono"),
            (np.asarray(np.float32(0.5)), "mono"),
            (np.array([0.1, np.nan, 0.1], np.float32), "finite"),
            (np.array([0.1, -np.inf], np.float32), "finite"),
            (np.array([1, 2], np.int16), "32768"),
            ([0.1, 0.2], r"NumPy array.*not of type list. .*numpy.asarray"),
            (torch.zeros(100), "not of type Tensor"),
            ("a.wav", "not of type str. Read a file with load_audio"),
            (np.array([0.1, 1e30], np.float32), "full scale"),
        ],
    ):
        with subtests.test(call=call, waveform=waveform), pytest.raises(AudioError, match=cause):
            call(model, waveform)
    with pytest.raises(ValueError, match="at least one waveform"):
        embed(model, [])


def test_a_model_in_training_mode_predicts_nothing(model, speech):
    """Its answers would be random, and each would change its batch normalisation."""
    before = copy.deepcopy(model.state_dict())
    model.train()
    for call in (predict, predict_windows, lambda model, waveform: embed(model, [waveform])):
        with pytest.raises(ValueError, match=r"call model.eval\(\)"):
            call(model, speech)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
