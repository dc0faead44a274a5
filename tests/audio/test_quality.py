"""Speech, level, clipping, noise: against signals whose values are known and against the silero-vad package."""

import json
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pytest
import soxr
import torch
from hypothesis import given, settings, strategies as st
from scipy import signal

from ser_core.audio import loudness, noise_reduction, silero as silero_network, vad
from ser_core.audio.decoding.stream import AudioError
from ser_core.audio.io import SAMPLE_RATE, load_audio
from ser_core.audio.loudness import integrated_loudness
from ser_core.audio.quality import measure_quality, reduce_noise
from ser_core.audio.silero import speech_probabilities
from ser_core.audio.vad import speech_segments, speech_segments_of_each
from ser_core.audio.windows import loudest_and_lasting_level
from ser_core.data import corpora
from tests.make_audio import noise, spoken, tone, with_soundfile

SILENCE = np.zeros(SAMPLE_RATE, np.float32)
NO_WAVEFORMS = [
    (np.ones(SAMPLE_RATE, np.int16), "32768"),
    (np.zeros((2, SAMPLE_RATE), np.float32), "mono"),
    (np.full(100, np.nan, np.float32), "finite"),
    ([0.1, 0.2], "NumPy array"),
    (np.full(SAMPLE_RATE, 3000.0, np.float32), "full scale"),
]


@pytest.fixture(scope="module")
def silero():
    """The package itself, without its side effect on torch."""
    with threads(torch.get_num_threads()):
        import silero_vad
    return silero_vad


@contextmanager
def threads(n_threads: int):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def package_segments(silero, waveform: np.ndarray) -> np.ndarray:
    """(start_s, end_s) as the package finds them, chunk after chunk."""
    model = silero.load_silero_vad()
    with threads(1):  # shared among cores its tiny steps take minutes on a busy machine
        found = silero.get_speech_timestamps(torch.from_numpy(waveform), model)
    return np.array([(segment["start"], segment["end"]) for segment in found]) / SAMPLE_RATE


def sentences() -> np.ndarray:
    """Twenty seconds of a synthetic voice with pauses."""
    return np.concatenate([SILENCE, spoken(), SILENCE[:5_000], spoken(), SILENCE, spoken("Good evening.")])


def add_noise(speech: np.ndarray, snr_db: float) -> np.ndarray:
    hiss = noise(len(speech) / SAMPLE_RATE, SAMPLE_RATE)[:, 0]
    return speech + hiss * np.float32(np.sqrt(np.mean(speech**2) / np.mean(hiss**2) / 10 ** (snr_db / 10)))


def at_speech_level(waveform: np.ndarray) -> np.ndarray:
    """As the detector receives it; that of the package does not change the level."""
    return waveform * vad._gain(loudest_and_lasting_level(waveform)[0])


# --- speech --------------------------------------------------------------------------------------------------------


def test_speech_is_found_where_the_package_finds_it(silero, monkeypatch):
    waveform = at_speech_level(sentences())
    expected = package_segments(silero, waveform)
    assert len(expected) >= 3
    for n_chunks in (4_096, 100):  # at once, and in pieces
        monkeypatch.setattr(silero_network, "SILERO_BATCH_CHUNKS", n_chunks)
        shares = []
        np.testing.assert_allclose(speech_segments(waveform, shares.append), expected, atol=1e-3)
        assert shares[-1] == 1 and shares == sorted(shares) and (len(shares) == 2) == (n_chunks == 4_096)


def test_stretches_at_once_find_what_one_after_the_other_does(monkeypatch):
    waveform = np.resize(sentences(), 2 * silero_network.MIN_STRETCH * vad.SILERO_CHUNK + 100)
    found = speech_probabilities(waveform)
    monkeypatch.setattr(silero_network, "MAX_STRETCHES", 1)
    expected = speech_probabilities(waveform)
    half = len(found) // 2
    np.testing.assert_allclose(found[:half], expected[:half], atol=1e-5)  # the first stretch has no context to settle
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert np.abs(found - expected).max() > 0 and vad._speech_runs(found) == vad._speech_runs(expected)


@pytest.mark.corpora
def test_real_speech_is_found_where_the_package_finds_it(silero):
    try:
        folder = corpora.corpora_root()
    except corpora.CorpusError as error:
        pytest.skip(str(error))
    files = sorted(folder.glob("crema_d/*"))[:600:150] + sorted(folder.glob("ravdess/Actor_01/*"))[:4]
    assert len(files) == 8
    waveform = at_speech_level(np.concatenate([load_audio(file) for file in files]))
    np.testing.assert_allclose(speech_segments(waveform), package_segments(silero, waveform), atol=1e-3)


@given(
    probabilities=st.lists(st.sampled_from([0.0, 0.2, 0.36, 0.45, 0.5, 0.9]), max_size=80).map(
        lambda p: np.repeat(p, 3)
    )
)
@settings(max_examples=100, deadline=None)
def test_segments_follow_the_probabilities_as_in_the_package(silero, probabilities):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vad, "speech_probabilities", lambda *_: probabilities)
        found = speech_segments(np.zeros(len(probabilities) * vad.SILERO_CHUNK, np.float32))
    expected = silero.get_speech_timestamps_from_probs(probabilities.tolist())
    assert found == tuple((segment["start"] / SAMPLE_RATE, segment["end"] / SAMPLE_RATE) for segment in expected)


def test_voice_activity_detection_keeps_the_threads_of_torch():
    with threads(torch.get_num_threads() + 1):
        silero_network._silero_weights.cache_clear()
        expected = torch.get_num_threads()
        speech_segments(tone(1.0, SAMPLE_RATE)[:, 0])
        assert torch.get_num_threads() == expected


def test_concurrent_sessions_do_not_interfere():
    clips = [np.roll(sentences(), shift) for shift in range(0, 20_000, 5_000)]
    expected = [speech_segments(clip) for clip in clips]
    assert len(set(expected)) == len(clips)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(speech_segments, clips)) == expected


def test_many_recordings_have_the_segments_of_each(subtests):
    knock = np.concatenate([[1.0], sentences() * 0.01])
    lengths = [*range(30_000, 70_000, 2_000), 0, 4_000, 4_001, 300_000]
    clips = [np.resize(sentences(), n) for n in lengths] + [knock.astype(np.float32)]
    assert speech_segments_of_each([]) == []
    found = speech_segments_of_each(clips)
    assert found == [speech_segments(clip) for clip in clips] and len(set(found)) > 10


def test_clips_too_short_for_speech(subtests):
    for n_samples in [0, 1, 320, 511, 512, 513, 4_000, 4_001]:
        with subtests.test(n_samples=n_samples):
            assert speech_segments(np.full(n_samples, 0.1, np.float32)) == ()


def test_silence_and_hiss_are_not_speech():
    assert speech_segments(np.zeros(3 * SAMPLE_RATE, np.float32)) == ()
    assert speech_segments(noise(3.0, SAMPLE_RATE)[:, 0]) == ()


def test_one_probability_for_each_chunk_and_the_rest():
    assert speech_probabilities(np.zeros(3 * 512, np.float32)).shape == (3,)
    assert speech_probabilities(np.zeros(3 * 512 + 1, np.float32)).shape == (4,)


# --- level ---------------------------------------------------------------------------------------------------------


def test_levels_of_a_tone():
    measured = measure_quality(0.2 * tone(2.0, SAMPLE_RATE, frequency_hz=997)[:, 0])  # 0.1 of full scale
    assert measured.peak_dbfs == pytest.approx(-20.0, abs=0.01)
    assert measured.level_dbfs == pytest.approx(-23.0, abs=0.02)
    assert measured.level_lufs == pytest.approx(-23.0, abs=0.1)  # ITU-R BS.1770: 997 Hz reads as its power - 0.01 dB
    assert measured.duration_s == 2.0


def test_the_level_is_that_of_the_speech_not_of_the_pauses():
    alone = measure_quality(spoken()).level_dbfs
    assert measure_quality(np.concatenate([SILENCE] * 5 + [spoken()])).level_dbfs == pytest.approx(alone, abs=0.5)


def test_pauses_do_not_count_for_the_loudness():
    loud = 0.2 * tone(10.0, SAMPLE_RATE, frequency_hz=997)[:, 0]
    quiet = np.concatenate([loud, 0.01 * loud, np.zeros(70 * SAMPLE_RATE, np.float32)])  # -26 dB: the relative gate
    assert integrated_loudness(quiet) == pytest.approx(integrated_loudness(loud), abs=0.1)


def steady(*parts: tuple[float, float]) -> np.ndarray:
    """A tone of each loudness in LUFS, for so many seconds."""
    samples = [2 * 10 ** ((lufs + 3.01) / 20) * tone(s, SAMPLE_RATE, frequency_hz=997)[:, 0] for lufs, s in parts]
    return np.concatenate(samples)


@pytest.mark.parametrize(
    "parts",
    [
        [(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)],
        [(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)],
        [(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)],
    ],
)
def test_signals_of_ebu_tech_3341_have_their_loudness(parts):
    assert integrated_loudness(steady(*parts)) == pytest.approx(-23.0, abs=0.1)


def test_long_silence_does_not_open_the_relative_gate():
    speech, silent = steady((-23.0, 60.0), (-38.0, 60.0)), np.zeros(600 * SAMPLE_RATE, np.float32)
    assert integrated_loudness(np.concatenate([silent, speech])) == pytest.approx(-23.0, abs=0.1)


def test_what_is_quieter_than_70_lufs_is_silence():
    assert integrated_loudness(steady((-69.0, 2.0))) == pytest.approx(-69.0, abs=0.1)
    assert integrated_loudness(steady((-71.0, 2.0))) is None


def test_an_offset_is_no_sound_in_any_minute(monkeypatch):
    offset = 0.1 + steady((-40.0, 4.0))
    expected = integrated_loudness(offset)
    monkeypatch.setattr(loudness, "HOPS_AT_ONCE", 10)
    assert integrated_loudness(offset) == pytest.approx(expected, abs=1e-6)


def test_short_clips_have_no_loudness(subtests):
    for n_samples in [0, 1, 320, 1_600, 6_399]:
        with subtests.test(n_samples=n_samples):
            assert measure_quality(np.full(n_samples, 0.1, np.float32)).level_lufs is None
    assert measure_quality(np.full(6_400, 0.1, np.float32)).level_lufs is not None


# --- clipping ------------------------------------------------------------------------------------------------------


def test_a_square_wave_is_all_clipped():
    square = np.sign(tone(1.0, 44_100, frequency_hz=100))
    resampled = load_audio(with_soundfile(square, 44_100, "WAV", "PCM_16"))
    assert measure_quality(resampled).clipped_percent > 60
    assert measure_quality(np.sign(tone(1.0, SAMPLE_RATE)[:, 0])).clipped_percent > 90


def test_clipped_speech_is_measured_at_every_rate(subtests):
    for rate, gain_db in product([16_000, 44_100, 48_000], [6, 12]):
        with subtests.test(rate=rate, gain_db=gain_db):
            speech = soxr.resample(spoken(), SAMPLE_RATE, rate)
            driven = np.clip(speech * 10 ** (gain_db / 20) / np.abs(speech).max(), -1, 1)
            clipped = 100 * float(np.mean(np.abs(driven) >= 1))
            measured = measure_quality(
                load_audio(with_soundfile(driven[:, None], rate, "WAV", "PCM_16"))
            ).clipped_percent
            assert measured == pytest.approx(clipped, rel=0.3)


def test_clipping_is_seen_after_the_level_was_lowered():
    driven = np.clip(3 * spoken() / np.abs(spoken()).max(), -1, 1)
    assert measure_quality(0.3 * driven).clipped_percent == pytest.approx(measure_quality(driven).clipped_percent) != 0


def test_a_full_scale_tone_is_not_clipped(subtests):
    for frequency_hz in [50, 100, 440, 763, 1_000, 3_000]:
        with subtests.test(frequency_hz=frequency_hz):
            assert measure_quality(2 * tone(1.0, SAMPLE_RATE, frequency_hz=frequency_hz)[:, 0]).clipped_percent == 0


def test_speech_at_full_scale_is_not_clipped():
    assert measure_quality(spoken() / np.abs(spoken()).max()).clipped_percent < 0.02


def test_the_steps_of_a_quiet_8_bit_recording_are_not_clipping():
    assert measure_quality(np.round(3 * tone(1.0, SAMPLE_RATE)[:, 0]) / 128).clipped_percent == 0


# --- noise, offset -------------------------------------------------------------------------------------------------


def test_the_ratio_of_speech_to_noise_is_estimated(subtests):
    for snr_db in [5, 15, 30]:
        with subtests.test(snr_db=snr_db):
            speech = spoken()
            waveform = add_noise(np.concatenate([SILENCE, speech, SILENCE]), snr_db)
            added_db = 10 * np.log10(
                (len(speech) + 2 * len(SILENCE)) / len(speech)
            )  # the speech part is louder than the mean
            assert measure_quality(waveform).snr_db == pytest.approx(snr_db + added_db, abs=2)


def test_the_noise_within_speech_is_no_signal():
    """At 0 dB speech and noise together are 3 dB above the noise."""
    rng = np.random.default_rng(0)
    speech, hiss = (0.1 * rng.standard_normal(n).astype(np.float32) for n in (SAMPLE_RATE, 3 * SAMPLE_RATE))
    hiss[SAMPLE_RATE : 2 * SAMPLE_RATE] += speech
    assert measure_quality(hiss, [(1.0, 2.0)]).snr_db == pytest.approx(0, abs=0.3)


def test_a_click_in_a_pause_is_no_noise():
    speech = np.concatenate([SILENCE, spoken(), SILENCE])
    noisy = add_noise(speech, 30)
    clicked = noisy.copy()
    clicked[4_000:4_100] = 0.3
    segments = speech_segments(noisy)
    expected = measure_quality(noisy, segments).snr_db
    assert measure_quality(clicked, segments).snr_db == pytest.approx(expected, abs=0.2)


def test_breath_and_echo_around_speech_are_no_noise():
    waveform = noise(1.34, SAMPLE_RATE)[:, 0]
    waveform *= np.float32(0.001 / waveform.std())
    start, end = round(0.17 * SAMPLE_RATE), round(1.17 * SAMPLE_RATE)
    expected = waveform.copy()
    for tail_s, sound in ((0.0, expected), (0.095, waveform)):
        margin = round(tail_s * SAMPLE_RATE)
        sound[start - margin : end + margin] += 0.1 * tone(2.0, SAMPLE_RATE)[: end - start + 2 * margin, 0]
    found, alone = (measure_quality(sound, [(0.17, 1.17)]).snr_db for sound in (waveform, expected))
    assert found == pytest.approx(alone, abs=1)


def test_no_ratio_without_pauses_or_without_speech():
    assert measure_quality(spoken()[3_000:12_000]).snr_db is None
    assert measure_quality(noise(2.0, SAMPLE_RATE)[:, 0]).snr_db is None


def test_the_offset_is_the_mean():
    assert measure_quality(tone(1.0, SAMPLE_RATE)[:, 0] + np.float32(0.05)).dc_offset == pytest.approx(0.05, abs=1e-3)


# --- advice --------------------------------------------------------------------------------------------------------


def good_recording() -> np.ndarray:
    speech = np.concatenate([SILENCE, spoken(), SILENCE])
    return add_noise(0.5 * speech / np.abs(speech).max(), 40)


def test_a_good_recording_needs_no_advice():
    assert measure_quality(good_recording()).advice == ()


def test_each_bad_value_has_its_sentence(subtests):
    for spoil, advice in [
        (lambda w: 0 * w, r"^Silence: check that the right microphone"),
        (lambda w: noise(2.0, SAMPLE_RATE)[:, 0], r"^No speech was found"),
        (lambda w: w[SAMPLE_RATE + 8_000 :][:1_600], r"^The recording has 0\.1 s: say a full sentence\.$"),
        (lambda w: w[: SAMPLE_RATE + 9_000], r"^Only 0\.\d s of speech"),
        (lambda w: 0.02 * w, r"^Very quiet \(−\d\d dBFS\): move closer or raise the input level\.$"),
        (lambda w: np.clip(10 * w, -1, 1), r"^Clipped \(\d+\.\d%"),
        (lambda w: add_noise(w, 3), r"^Noisy \(speech \d dB above the background\)"),
        (lambda w: w + np.float32(0.1), r"^DC offset \(\+0\.10"),
    ]:
        with subtests.test(advice=advice):
            sentences = measure_quality(spoil(good_recording()).astype(np.float32)).advice
            assert [sentence for sentence in sentences if re.search(advice, sentence)], sentences


def test_each_advice_begins_at_its_limit(subtests):
    """10 dB, -45 dBFS, a hundredth of full scale and 0.8 s."""
    level_db = measure_quality(good_recording()).level_dbfs
    for spoil, advice, bad, good in [
        (add_noise, "Noisy", 5, 11),
        (lambda w, dbfs: w * 10 ** ((dbfs - level_db) / 20), "Very quiet", -46, -44),
        (lambda w, offset: w + offset, "DC offset", -0.012, -0.008),
        (lambda w, share: np.clip(w, *np.quantile(w, (share, 1 - share))), "Clipped", 0.003, 0.0001),
    ]:
        for value in (bad, good):
            with subtests.test(advice=advice, value=value):
                sentences = measure_quality(spoil(good_recording(), value).astype(np.float32)).advice
                assert any(sentence.startswith(advice) for sentence in sentences) == (value == bad)
    for speech_s in (0.79, 0.81):
        sentences = measure_quality(good_recording(), [(1.0, 1.0 + speech_s)]).advice
        assert any("full sentence" in sentence for sentence in sentences) == (speech_s < 0.8)


@given(
    waveform=st.lists(st.floats(-1, 1, width=32), max_size=40).map(
        lambda values: np.repeat(np.array(values, np.float32), 163)
    )
)
@settings(max_examples=60, deadline=None)
def test_all_values_are_finite_for_any_waveform(waveform):
    measured = measure_quality(waveform)
    assert json.loads(json.dumps(asdict(measured), allow_nan=False))["duration_s"] == len(waveform) / SAMPLE_RATE
    assert measured.level_dbfs <= measured.peak_dbfs + 0.01
    assert 0 <= measured.clipped_percent <= 100
    assert replace(measured) == measured


# --- noise reduction -----------------------------------------------------------------------------------------------


def test_noise_is_reduced_and_speech_kept():
    clean = np.concatenate([SILENCE, spoken(), SILENCE])
    noisy = add_noise(clean, 10)
    reduced = reduce_noise(noisy)
    assert reduced.dtype == np.float32 and reduced.shape == noisy.shape
    assert np.mean(reduced[2_000:12_000] ** 2) < 0.1 * np.mean(noisy[2_000:12_000] ** 2)
    assert np.mean((reduced - clean) ** 2) < 0.7 * np.mean((noisy - clean) ** 2)
    assert reduced @ clean > 0.8 * (clean @ clean)


def test_of_stationary_noise_a_soft_mask_leaves_little():
    white = 0.01 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE)
    own, further = np.split(white, 2)
    left = np.mean(noise_reduction.gate_spectrum(further, own) ** 2) / np.mean(white**2)
    assert 0.02 < left < 0.05


def test_each_band_of_the_noise_has_its_own_level():
    rumbling = signal.lfilter([1], [1, -0.98], 0.01 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
    own, further = np.split(rumbling, 2)
    high = 0.006 * tone(2.0, SAMPLE_RATE, frequency_hz=3000)[:, 0]  # far below the rumble, above the noise beside it
    gated = noise_reduction.gate_spectrum(further + high, own)
    assert gated @ high > 0.42 * (high @ high)


def test_short_clips_come_back_unchanged(subtests):
    for n_samples in [0, 1, 320, 1_023, 5_000]:
        with subtests.test(n_samples=n_samples):
            waveform = noise(1.0, SAMPLE_RATE)[:n_samples, 0]
            np.testing.assert_array_equal(reduce_noise(waveform), waveform)


def test_without_a_pause_nothing_is_changed():
    waveform = spoken()[3_000:12_000]
    assert speech_segments(waveform)
    np.testing.assert_array_equal(reduce_noise(waveform), waveform)


def test_a_low_level_does_not_hide_speech(subtests):
    for gain_db in [-20, -40]:
        with subtests.test(gain_db=gain_db):
            loud = spoken("Please tell me where the station is.")
            quiet = (loud * 10 ** (gain_db / 20)).astype(np.float32)
            found, expected = speech_segments(quiet), speech_segments(loud)
            assert len(expected) >= 1
            np.testing.assert_allclose(found, expected, atol=0.05)


# --- what is no waveform ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [speech_segments, measure_quality, reduce_noise])
@pytest.mark.parametrize("waveform, cause", NO_WAVEFORMS)
def test_what_is_no_waveform_is_refused_instead_of_taken_for_silence(call, waveform, cause):
    with pytest.raises(AudioError, match=cause):
        call(waveform)


def test_speech_is_detected_where_warnings_are_errors(speech):
    """As with `python -W error`, or in the tests of a program that uses the library."""
    silero_network._silero_weights.cache_clear()
    with warnings.catch_warnings(action="error"):
        assert speech_segments(speech)
