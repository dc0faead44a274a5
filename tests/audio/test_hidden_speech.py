"""Speech is found behind a knock, on an offset, under rumble and where it is shouted."""

import numpy as np
import pytest
import soxr

from ser_core.audio import vad
from ser_core.audio.io import SAMPLE_RATE, load_audio, read_audio
from ser_core.audio.repairs.rumble import remove_rumble
from ser_core.audio.vad import speech_segments, speech_segments_of_each
from ser_core.audio.windows import analysed_bounds, has_knock, speech_duration_s
from ser_core.data import CorpusError, corpora_root
from ser_core.paths import ROOT
from tests.make_audio import with_soundfile


@pytest.fixture(scope="module")
def quiet(speech) -> np.ndarray:
    """Speech at -46 dBFS with a second of silence before it."""
    level = np.sqrt(np.mean(np.square(speech)))
    return np.concatenate([np.zeros(SAMPLE_RATE, np.float32), speech * np.float32(0.005 / level)])


def speech_s(waveform: np.ndarray) -> float:
    recording = read_audio(with_soundfile(waveform[:, None].astype(np.float32), SAMPLE_RATE, "WAV", "PCM_24"))
    return sum(end_s - start_s for start_s, end_s in speech_segments(recording.waveform))


def knock(at_s: float, n_samples: int) -> np.ndarray:
    """A full-scale knock of 150 ms."""
    time_s = np.arange(round(0.15 * SAMPLE_RATE)) / SAMPLE_RATE
    start = round(at_s * SAMPLE_RATE)
    sound = np.zeros(n_samples)
    sound[start : start + len(time_s)] = 0.9 * np.exp(-time_s / 0.03) * np.sin(2 * np.pi * 180 * time_s)
    return sound


@pytest.mark.parametrize("at_s", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("gain_db", [0, -10])
def test_a_knock_does_not_hide_quiet_speech(quiet, at_s, gain_db):
    plain = quiet * 10 ** (gain_db / 20)
    assert speech_s(plain + knock(at_s, len(quiet))) == pytest.approx(speech_s(plain), abs=0.2)


def test_a_knock_before_the_speech_is_not_analysed(quiet):
    waveform = (0.1 * quiet + knock(0.1, len(quiet))).astype(np.float32)
    shares = []
    first, last = analysed_bounds(waveform, speech_segments(waveform, shares.append))
    assert shares == sorted(shares) and len(shares) > 1 and shares[-1] == 1
    assert first > 0.3 * SAMPLE_RATE and last > len(waveform) - 2 * SAMPLE_RATE
    assert analysed_bounds(quiet, speech_segments(quiet))[0] >= 0.8 * SAMPLE_RATE


def test_a_loud_syllable_is_no_knock():
    for ratio, is_knock in ((10, False), (25, True)):
        waveform = np.full(3 * SAMPLE_RATE, 0.02, np.float32)
        waveform[SAMPLE_RATE : SAMPLE_RATE + 2400] *= ratio
        assert has_knock(waveform) == is_knock


def test_speech_far_below_the_loudest_is_analysed():
    waveform = np.full(5 * SAMPLE_RATE, 0.001, np.float32)
    waveform[2 * SAMPLE_RATE : 3 * SAMPLE_RATE] = 0.5
    first, last = analysed_bounds(waveform, ())
    assert 1.8 * SAMPLE_RATE < first < last < 3.2 * SAMPLE_RATE
    assert analysed_bounds(waveform, [(0.5, 1.0), (4.0, 4.5)]) == (0.5 * SAMPLE_RATE, 4.5 * SAMPLE_RATE)


def test_several_knocks_in_a_long_recording(quiet):
    plain = np.tile(quiet, 20)
    knocks = sum(knock(at_s, len(plain)) for at_s in range(1, len(plain) // SAMPLE_RATE - 12, 11))
    assert speech_s(plain + knocks) >= 0.9 * speech_s(plain)


HIDING = {
    "offset": lambda time_s: 0.2 + 0 * time_s,
    "negative offset": lambda time_s: -0.05 + 0 * time_s,
    "8 Hz": lambda time_s: 0.3 * np.sin(2 * np.pi * 8 * time_s),
    "25 Hz": lambda time_s: 0.3 * np.sin(2 * np.pi * 25 * time_s),
    "40 Hz": lambda time_s: 0.3 * np.sin(2 * np.pi * 40 * time_s + 1),
    "offset and rumble": lambda time_s: 0.2 + 0.3 * np.sin(2 * np.pi * 12 * time_s),
    "slow drift": lambda time_s: 0.3 * np.cos(2 * np.pi * 0.3 * time_s),
}


@pytest.mark.parametrize("name", HIDING)
def test_inaudible_sound_does_not_hide_quiet_speech(quiet, name):
    hidden = quiet + HIDING[name](np.arange(len(quiet)) / SAMPLE_RATE)
    recording = read_audio(with_soundfile(hidden[:, None].astype(np.float32), SAMPLE_RATE, "WAV", "PCM_24"))
    assert speech_s(hidden) == pytest.approx(speech_s(quiet), abs=0.2)
    assert len(recording.notes) == 1 and "removed" in recording.notes[0]
    assert np.sqrt(np.mean(np.square(recording.waveform[2000:-2000] - quiet[2000:-2000]))) < 0.003


def test_an_offset_of_a_fifth_of_the_level_is_removed(speech):
    rms = np.sqrt(np.mean(np.square(speech)))
    kept, notes = remove_rumble((speech + 0.2 * rms).astype(np.float32), SAMPLE_RATE)
    assert abs(kept.mean()) < 0.01 * rms and "offset" in notes[0]


def test_the_lowest_pitch_of_a_voice_is_no_rumble():
    voice = 0.1 * np.sin(2 * np.pi * 75 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    assert remove_rumble(voice, SAMPLE_RATE)[1] == ()
    kept, notes = remove_rumble(voice + np.float32(0.3), SAMPLE_RATE)
    assert len(notes) == 1 and np.abs(kept - voice).max() < 0.01  # also at both ends


def test_the_offset_of_a_16_bit_recorder_is_removed_without_a_word(quiet):
    faint = quiet * np.float32(0.02)
    kept, notes = remove_rumble(faint + np.float32(-0.00013), SAMPLE_RATE)
    assert notes == () and abs(kept.mean()) < 1e-6
    assert len(remove_rumble(faint + np.float32(-0.001), SAMPLE_RATE)[1]) == 1


def test_ordinary_recordings_are_unchanged(speech):
    hum = np.sin(2 * np.pi * 30 * np.arange(len(speech)) / SAMPLE_RATE) * 2 * np.sqrt(np.mean(np.square(speech)))
    hummed = (speech + hum).astype(np.float32)  # by twice the power of the speech
    for waveform in (
        speech,
        speech + np.float32(0.001),
        hummed,
        np.zeros(8_000, np.float32),
        np.full(3, 0.5, np.float32),
    ):
        kept, notes = remove_rumble(waveform, SAMPLE_RATE)
        assert kept is waveform and notes == ()


# --- shouts --------------------------------------------------------------------------------------------------------


def raised(name: str, ratio: float) -> np.ndarray:
    """A sample at a higher pitch and as much faster: speech that Silero does not find."""
    waveform = load_audio(ROOT / "assets/samples" / name)
    return soxr.resample(waveform, ratio * SAMPLE_RATE, SAMPLE_RATE)


SHOUTS = [("crema_d/1006_IOM_HAP_XX.opus", 1.5), ("crema_d/1008_IWL_ANG_XX.opus", 2.0), ("high_fast.ogg", 2.0)]


@pytest.mark.parametrize(("name", "ratio"), SHOUTS)
def test_a_high_voice_is_found(name, ratio, monkeypatch):
    shout = raised(name, ratio)
    quiet_knock = (0.1 * shout + knock(0.3, len(shout))).astype(np.float32)
    found = speech_segments(shout)
    assert speech_segments_of_each([shout, quiet_knock]) == [found, speech_segments(quiet_knock)]
    assert speech_duration_s(found) >= 0.5 and speech_duration_s(speech_segments(quiet_knock)) >= 0.5
    monkeypatch.setattr(vad, "_complete", lambda _, segments: segments)
    assert speech_segments(shout) == ()


def test_a_shout_among_sentences_is_found_and_their_segments_stay(speech):
    shout = raised("crema_d/1008_IWL_ANG_XX.opus", 2.0)
    pause = np.zeros(SAMPLE_RATE // 4, np.float32)
    loud, faint = (
        np.concatenate([speech, pause, shout * np.float32(gain * speech.max() / shout.max()), pause, speech])
        for gain in (1.0, 0.02)
    )
    alone, with_shout = speech_segments(faint), speech_segments(loud)
    first_s, last_s = len(speech) / SAMPLE_RATE, (len(loud) - len(speech)) / SAMPLE_RATE
    within = [segment for segment in with_shout if first_s <= segment[0] and segment[1] <= last_s]
    assert speech_duration_s(within) >= 0.8
    assert len(with_shout) == len(alone) + len(within)
    assert np.diff(np.ravel(with_shout)).min() >= 0


@pytest.mark.corpora
def test_shouted_and_sobbed_clips_are_speech():
    try:
        root = corpora_root()
    except CorpusError as error:
        pytest.skip(str(error))
    names = ["1078_TSI_FEA_XX", "1089_TAI_ANG_XX", "1004_IEO_ANG_HI", "1002_DFA_ANG_XX", "1008_IEO_ANG_HI"]
    files = [next(root.glob(f"crema_d/**/{name}.*")) for name in names]
    assert min(speech_duration_s(speech_segments(load_audio(file))) for file in files) >= 0.5
