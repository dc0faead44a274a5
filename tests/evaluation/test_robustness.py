"""Worse recordings: each condition does what its name says, the same on every run, and the loss is counted right."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from scripts import robustness as script
from ser_core.audio import degradations as r
from ser_core.audio.degradations import LARGE_ROOM, SMALL_ROOM, draw_room_response
from ser_core.audio.io import SAMPLE_RATE
from ser_core.data.file_names import parse_filename
from ser_core.evaluation import robustness
from ser_core.evaluation.robustness import _utterance_generator, degradation_conditions, measure_robustness
from ser_core.evaluation.scoring.predictions import PredictionTable
from ser_core.labels import EMOTIONS
from tests.make_corpus import voice

CLIP = voice(150, 0, 2.0)
NOISES = [np.random.default_rng(i).standard_normal(n).astype(np.float32) / 8 for i, n in enumerate((8000, 80_000))]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def level_db(waveform: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.mean(np.square(waveform, dtype=float))))


def test_what_arrives_is_a_waveform(subtests):
    for name, clip in product(degradation_conditions(NOISES), [CLIP, CLIP[:3000], np.zeros(8000, np.float32)]):
        with subtests.test(name=name):
            change = degradation_conditions(NOISES)[name]
            found = change(clip, rng())
            assert (
                found.dtype == np.float32 and found.ndim == 1 and np.isfinite(found).all() and np.abs(found).max() <= 1
            )
            assert len(found) == pytest.approx(len(clip), rel=0.12)
            assert np.array_equal(found, change(clip, rng()))
            assert not clip.any() or not np.array_equal(found[:1000], clip[:1000])


def test_gain_cuts_off_what_exceeds_full_scale():
    assert level_db(r.change_gain(-20)(CLIP, rng())) == pytest.approx(level_db(CLIP) - 20, abs=0.01)
    loud = r.change_gain(12)(CLIP, rng())
    assert loud.max() == 1 and np.allclose(loud[np.abs(loud) < 1], 3.981 * CLIP[np.abs(loud) < 1], rtol=1e-3)


def test_noise_has_the_ratio_that_it_is_called_by(subtests):
    kinds = {
        "white": r.add_white_noise,
        "recorded": lambda snr_db: r.add_noise(snr_db, NOISES),
    }
    for snr_db, kind in product([20, 5], kinds):
        with subtests.test(snr_db=snr_db, kind=kind):
            quiet = CLIP / 10
            change = kinds[kind](snr_db)
            assert level_db(quiet) - level_db(change(quiet, rng()) - quiet) == pytest.approx(snr_db, abs=0.05)


def test_noise_is_drawn_from_all_recordings_and_all_of_their_parts():
    quiet = CLIP / 10
    seeds = [np.random.default_rng(seed) for seed in range(12)]
    added = np.stack([r.add_noise(10, NOISES)(quiet, seed) - quiet for seed in seeds])
    alike = np.corrcoef(added) > 0.9  # the same part of the same recording
    repeated = np.corrcoef(added[:, :8000], added[:, 8000:16_000])[:12, 12:].diagonal() > 0.9
    assert alike.sum() == len(seeds) and 0 < repeated.sum() < len(seeds)  # the first recording has 8,000 samples


@pytest.mark.parametrize(("rooms", "decay_s"), [(SMALL_ROOM, (0.1, 0.4)), (LARGE_ROOM, (0.4, 1.0))])
def test_the_response_of_a_room_decays_as_its_size_and_walls_demand(rooms, decay_s):
    for seed in range(5):
        response = draw_room_response(rooms, np.random.default_rng(seed))
        left_db = 10 * np.log10(np.cumsum(np.square(response)[::-1])[::-1] / np.square(response).sum())
        start, end = (int(np.argmax(left_db < level)) for level in (-5, -25))
        assert response[0] == 1 and (response >= 0).all() and decay_s[0] < 3 * (end - start) / SAMPLE_RATE < decay_s[1]


def test_an_image_is_as_late_and_as_quiet_as_its_way_is_long(monkeypatch):
    monkeypatch.setattr(r, "_images", lambda *_: (np.array([2.0, 4.0, 10.0]), np.array([0, 1, 2])))
    response = draw_room_response(r.RoomRange(SMALL_ROOM.size_m, (0.5, 0.5)), rng())
    (at,) = np.nonzero(response)
    np.testing.assert_allclose(at, [0, 2 / 343 * SAMPLE_RATE, 8 / 343 * SAMPLE_RATE], atol=0.5)
    np.testing.assert_allclose(response[at], [1, 0.5 * 2 / 4, 0.25 * 2 / 10])


def test_a_room_keeps_length_and_level():
    for rooms in (SMALL_ROOM, LARGE_ROOM):
        found = r.place_in_room(rooms)(CLIP / 4, rng())
        assert len(found) == len(CLIP) and level_db(found) == pytest.approx(level_db(CLIP / 4), abs=0.01)


def test_clipping_cuts_the_share_that_it_is_called_by():
    noise = NOISES[1]
    found = r.clip_peaks(0.05)(noise, rng())
    assert (np.abs(found) == 1).mean() == pytest.approx(0.05, abs=0.001)
    kept = np.abs(found) < 1
    assert np.corrcoef(found[kept], noise[kept])[0, 1] > 0.999999
    assert not r.clip_peaks(0.05)(np.zeros(100, np.float32), rng()).any()


def test_a_mobile_call_has_half_the_band():
    found = r.pass_through_gsm(np.concatenate([CLIP] * 2), rng())
    power = np.square(np.abs(np.fft.rfft(found)))
    assert len(found) == 2 * len(CLIP) and power[len(power) // 2 + 800 :].sum() < 1e-3 * power.sum()


def test_a_phone_lets_only_its_band_through():
    time_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE

    def lost_db(frequency: float) -> float:
        tone = np.sin(2 * np.pi * frequency * time_s).astype(np.float32) / 2
        return level_db(tone[4000:]) - level_db(r.limit_band(*r.PHONE_BAND_HZ)(tone, rng())[4000:])

    assert max(lost_db(f) for f in (400, 1000, 3000)) < 1
    assert min(lost_db(f) for f in (100, 150, 4500, 7000)) > 20


def test_a_faster_tape_is_shorter_and_higher():
    for rate in (0.9, 1.1):
        found = r.change_speed(rate)(
            np.sin(2 * np.pi * 200 * np.arange(32_000) / SAMPLE_RATE).astype(np.float32), rng()
        )
        assert len(found) == pytest.approx(32_000 / rate, abs=2)
        peak = np.abs(np.fft.rfft(found)).argmax() * SAMPLE_RATE / len(found)
        assert peak == pytest.approx(200 * rate, abs=1)


@pytest.mark.parametrize("semitones", [-4, 3])
def test_another_pitch_has_the_same_length(semitones):
    tone = np.sin(2 * np.pi * 400 * np.arange(32_000) / SAMPLE_RATE).astype(np.float32) / 2
    found = r.shift_pitch(semitones)(tone, rng())
    peak = np.abs(np.fft.rfft(found)).argmax() * SAMPLE_RATE / len(found)
    assert len(found) == len(tone) and peak == pytest.approx(400 * 2 ** (semitones / 12), rel=0.01)


@pytest.mark.parametrize(("codec", "container"), [("libmp3lame", "mp3"), ("libopus", "ogg")])
def test_a_codec_keeps_the_voice_in_few_bits(codec, container):
    clip = np.concatenate([CLIP] * 5)
    size = len(r.encode_audio(clip, codec, container, 16_000))
    assert 1000 < size < 1.6 * 2000 * len(clip) / SAMPLE_RATE  # 16 kbit/s are 2,000 bytes a second
    decoded = r.transcode(codec, container, 16_000)(clip, rng())
    lag = np.correlate(decoded[8000:16000], clip[8000:12000], "valid").argmax()
    assert np.corrcoef(decoded[8000 + lag : 12000 + lag], clip[8000:12000])[0, 1] > 0.8


def test_gain_control_brings_every_level_to_the_same():
    for factor in (0.2, 0.5, 1.0):
        assert level_db(r.gain_control(CLIP * np.float32(factor))[24000:]) == pytest.approx(-20, abs=1)
    quiet = CLIP * np.float32(0.01)
    assert level_db(r.gain_control(quiet)[24000:]) == pytest.approx(level_db(quiet[24000:]) + 20, abs=0.1)  # not more


def test_gain_control_begins_with_a_gain_of_one_and_clips_a_sudden_shout():
    steady = 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 200 / SAMPLE_RATE * np.arange(SAMPLE_RATE))
    np.testing.assert_allclose(r.gain_control(steady), steady, atol=0.005)
    found = r.gain_control(np.concatenate([0.02 * CLIP, CLIP]))
    assert found.max() == 1 and found.min() == -1


def test_a_browser_takes_noise_away_before_it_raises_the_level(speech):
    pause = np.zeros(SAMPLE_RATE, np.float32)
    noisy = np.concatenate([pause, speech, pause])
    noisy = noisy + 0.002 * rng().standard_normal(len(noisy)).astype(np.float32)
    found = r.process_like_browser(noisy, rng())
    assert level_db(found[2000:12_000]) < level_db(r.gain_control(noisy)[2000:12_000]) - 6
    np.testing.assert_array_equal(found, r.gain_control(r.reduce_noise(noisy)))


# --- what is lost ----------------------------------------------------------------------------------------------------


def predictions(chosen: list[str], abstained=(False, False, False, False)) -> PredictionTable:
    utterances = tuple(
        parse_filename(Path(i))
        for i in (
            *("crema_d/1001_DFA_ANG_XX", "crema_d/1001_DFA_SAD_XX"),
            *("tess/OAF_back_angry", "tess/OAF_back_sad"),
        )
    )
    rows = np.eye(8)[[EMOTIONS.index(emotion) for emotion in chosen]]
    return PredictionTable(EMOTIONS, utterances, rows, np.array(abstained))


def test_the_loss_is_counted_against_the_same_clips():
    before = predictions(["angry", "sad", "angry", "happy"])
    after = predictions(["angry", "fear", "angry", "fear"], (True, False, False, False))
    found = measure_robustness(before, after)
    assert (found.n_clips, found.uar, found.lost) == (4, 0.5, 0.25)  # angry 2 of 2, sad 0 of 2; 1 of 2 before
    assert found.uar_corpora == {"crema_d": 0.5, "tess": 0.5}
    assert (found.unchanged, found.answered) == (0.5, 0.75)
    assert measure_robustness(before, before).lost == 0 and measure_robustness(before, before).unchanged == 1


def test_a_recording_is_always_changed_alike_and_each_in_its_own_way():
    one, again, other = (_utterance_generator(name).standard_normal(3).tolist() for name in ("a", "a", "b"))
    assert one == again != other


def test_each_condition_is_compared_with_the_clean_recordings(monkeypatch):
    clean = predictions(["angry", "sad", "angry", "sad"])
    degraded = predictions(["angry", "fear", "angry", "fear"], (True, False, False, False))
    tables, changes = iter([clean, degraded]), []

    def predicted(models, utterances, progress, change):
        changes.append(change)
        return [next(tables)]

    monkeypatch.setattr(robustness, "predict_utterances_per_model", predicted)
    monkeypatch.setattr(robustness, "degradation_conditions", lambda noises: {"noise": r.add_white_noise(10)})
    (found,) = robustness.evaluate_robustness(["model"], clean.utterances, [])
    assert list(found) == [robustness.CLEAN, "noise"] and found["noise"].lost == 0.5
    np.testing.assert_array_equal(changes[0](CLIP, clean.utterances[0]), CLIP)
    one, again, other = (changes[1](CLIP, clean.utterances[i]) for i in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_conditions_are_what_they_are_called(monkeypatch, speech):
    found, bit_rates = degradation_conditions(NOISES), []
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[0] = 1.0
    small, large = (np.square(found[f"{size} room"](click, rng())[4800:]).sum() for size in ("small", "large"))
    assert large > 3 * small
    assert np.mean(np.abs(found["5 % of the samples clipped"](CLIP, rng())) == 1) == pytest.approx(0.05, abs=0.002)
    paused = np.concatenate([0.002 * rng().standard_normal(SAMPLE_RATE).astype(np.float32), speech])
    np.testing.assert_array_equal(found["gain control"](paused, rng()), r.gain_control(paused))
    monkeypatch.setattr(r, "encode_audio", lambda waveform, codec, container, rate: bit_rates.append(rate) or b"")
    monkeypatch.setattr(r, "load_audio", lambda file: CLIP)
    for name in ("mp3 16 kbit/s", "opus 8 kbit/s"):
        found[name](CLIP, rng())
    assert bit_rates == [16_000, 8_000]


def test_a_model_that_knows_its_test_speakers_is_refused(capsys, checkpoints):
    assert script.main(["small"]) == 2
    assert "unseen speakers" in capsys.readouterr().err
