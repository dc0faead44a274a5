"""Every format, every kind of damage: a mono 16 kHz waveform, or an AudioError that says why."""

import io
import re
import struct
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ser_core.audio.decoding import decoders, libsndfile
from ser_core.audio.decoding.stream import AudioError
from ser_core.audio.io import SAMPLE_RATE, decode_recording, encode_wav, load_audio, read_audio
from ser_core.audio.windows import trim_silence, window_starts
from tests.make_audio import FORMATS, TONE_HZ, noise, tone, with_ffmpeg, with_soundfile

AAC_PADDING_S = 0.05  # AAC files end with a whole packet, raw ones also begin with the encoder's delay


def wav(samples: np.ndarray, sample_rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> bytes:
    return with_soundfile(samples, sample_rate, "WAV", subtype)


def strongest_hz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(waveform)


# --- what can be read ----------------------------------------------------------------------------------------------


def test_every_format_keeps_length_pitch_and_level(subtests):
    for name in FORMATS:
        with subtests.test(name=name):
            recording = read_audio(FORMATS[name](tone(2.0, 48_000, channels=2), 48_000))
            slack_s = AAC_PADDING_S if name in ("m4a", "aac", "mp4 with pictures") else 0.002
            assert recording.waveform.dtype == np.float32 and recording.waveform.ndim == 1
            assert recording.duration_s == len(recording.waveform) / SAMPLE_RATE == pytest.approx(2.0, abs=slack_s)
            assert (recording.sample_rate, recording.source_rate, recording.source_channels) == (SAMPLE_RATE, 48_000, 2)
            assert strongest_hz(recording.waveform) == pytest.approx(TONE_HZ, abs=1)
            assert np.sqrt(np.mean(recording.waveform[8_000:-8_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
            assert recording.notes == () and recording.codec


def test_every_rate_keeps_length_and_pitch(subtests):
    for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 96_000, 192_000]:
        with subtests.test(rate=rate):
            recording = read_audio(wav(tone(1.5, rate), rate))
            assert len(recording.waveform) == pytest.approx(1.5 * SAMPLE_RATE, abs=1)
            assert strongest_hz(recording.waveform) == pytest.approx(TONE_HZ, abs=1)
            assert recording.source_rate == rate


def test_resampling_in_blocks_equals_resampling_at_once(monkeypatch):
    content = wav(noise(3.0, 44_100), 44_100)
    whole = load_audio(content)
    monkeypatch.setattr(libsndfile, "BLOCK_SAMPLES", 777)
    np.testing.assert_allclose(decode_recording(content, SAMPLE_RATE, 60.0).waveform, whole, atol=1e-6)


def test_sounds_above_the_new_band_are_removed_not_folded_back():
    assert np.abs(load_audio(wav(tone(1.0, 48_000, frequency_hz=11_000), 48_000))[500:-500]).max() < 1e-3


def test_eight_channels_are_averaged():
    channels = tone(0.5, SAMPLE_RATE, channels=8) * np.arange(8, dtype=np.float32) / 7
    expected = channels.mean(axis=1)
    np.testing.assert_allclose(load_audio(wav(channels)), expected, atol=1e-4)
    np.testing.assert_allclose(load_audio(wav(channels, subtype="FLOAT")), expected, atol=1e-6)


def test_surround_sound_in_m4a_is_read():
    recording = read_audio(with_ffmpeg(tone(1.0, 48_000, channels=8), 48_000, "ipod", "aac"))
    assert recording.source_channels == 8
    assert strongest_hz(recording.waveform) == pytest.approx(TONE_HZ, abs=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("sample_rate", v) for v in (0, -1, 1, 16_000.5, 10**9, np.nan)]
    + [("max_duration_s", v) for v in (0, -1, np.inf, np.nan)],
)
def test_what_cannot_be_asked_for_is_no_fault_of_the_file(name, value):
    with pytest.raises(ValueError, match=f"{name} = {value}: give "):
        read_audio(wav(tone(0.5, SAMPLE_RATE)), **{name: value})


@pytest.mark.parametrize("kind", [int, float, np.int64, np.float32])
def test_another_sample_rate_can_be_asked_for(kind):
    recording = read_audio(wav(tone(1.0, 44_100), 44_100), sample_rate=kind(22_050), max_duration_s=kind(5))
    assert (len(recording.waveform), recording.sample_rate) == (22_050, 22_050)


@pytest.mark.parametrize("file", [None, 5, np.zeros(100, np.float32), ["a.wav"]])
def test_what_is_no_file_is_refused_by_its_type(file):
    with pytest.raises(TypeError, match=f"a path, bytes or an open binary file, not of type {type(file).__name__}"):
        load_audio(file)


def test_very_short_files_are_read(subtests):
    for n_samples, rate in product([1, 320], [8_000, 16_000, 48_000]):
        with subtests.test(n_samples=n_samples, rate=rate):
            waveform = load_audio(wav(np.full((n_samples, 1), 0.5, np.float32), rate))
            assert len(waveform) == pytest.approx(n_samples * SAMPLE_RATE / rate, abs=1) and len(waveform)


def test_silence_is_read():
    assert not load_audio(wav(np.zeros((1_600, 1), np.float32))).any()


def test_full_scale_stays_in_range_after_resampling():
    square = np.sign(tone(1.0, 44_100))
    waveform = load_audio(wav(square, 44_100))
    assert 0.99 < np.abs(waveform).max() <= 1.0


def test_float_samples_in_another_unit_are_scaled_and_noted():
    recording = read_audio(wav(tone(1.0, SAMPLE_RATE) * 32_768, subtype="FLOAT"))
    assert np.abs(recording.waveform).max() == pytest.approx(1.0)
    assert "1.64e+04" in recording.notes[0]


def test_an_mp3_that_does_not_state_its_length_is_read_to_its_end():
    loud_then_silent = np.concatenate([noise(20.0, 44_100), np.zeros((20 * 44_100, 1), np.float32)])
    options = {"flags": "+qscale", "global_quality": "236", "container_options": {"write_xing": "0"}}
    recording = read_audio(with_ffmpeg(loud_then_silent, 44_100, "mp3", "libmp3lame", **options))
    assert recording.duration_s == pytest.approx(40.0, abs=0.1)
    assert recording.notes == ()


def test_a_wav_written_to_a_pipe_is_read_without_a_note(subtests):
    for size in [0, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF]:
        with subtests.test(size=size):
            content = bytearray(wav(tone(1.0, SAMPLE_RATE)))
            content[40:44] = struct.pack("<I", size)
            recording = read_audio(bytes(content))
            assert recording.duration_s == 1.0 and recording.notes == ()


# --- where it is read from -----------------------------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self, content: bytes):
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)


def test_paths_bytes_files_and_pipes_give_the_same(tmp_path):
    content = wav(tone(0.5, SAMPLE_RATE))
    path = tmp_path / 'quote" <b> ünï.raw'  # soundfile takes this ending for headerless samples when it sees the name
    path.write_bytes(content)
    expected = load_audio(content)
    with path.open("rb") as file:
        file.read()
        sources = [path, str(path), bytearray(content), memoryview(content), file, Pipe(content)]
        for source in sources:
            np.testing.assert_array_equal(load_audio(source), expected)


def test_load_audio_warns_of_repairs(tmp_path):
    content = wav(tone(1.0, SAMPLE_RATE))
    with pytest.warns(UserWarning, match="^The file ends early"):
        load_audio(content[: len(content) // 2])
    (tmp_path / "a.wav").write_bytes(content[: len(content) // 2])
    for path in (tmp_path / "a.wav", str(tmp_path / "a.wav")):
        with pytest.warns(UserWarning, match=rf"^{path}: The file ends early"):
            load_audio(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_audio(content)


# --- limits --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_hour_is_the_most_and_a_note_says_so():
    minute = np.zeros((60 * 8_000, 1), np.float32)
    minute[::800] = 0.5
    content = with_soundfile(np.tile(minute, (61, 1)), 8_000, "FLAC", "PCM_16")
    recording = read_audio(content)
    assert recording.duration_s == 3600.0
    assert len(recording.notes) == 1 and re.search("60 min .*61 min", recording.notes[0])


def test_the_duration_limit_can_be_set(subtests):
    for name in FORMATS:
        with subtests.test(name=name):
            recording = read_audio(FORMATS[name](tone(2.0, 48_000), 48_000), max_duration_s=0.5)
            assert recording.duration_s == pytest.approx(0.5, abs=0.001)
            assert "0.5 s" in recording.notes[0]


def test_a_file_as_long_as_the_limit_is_not_cut():
    recording = read_audio(wav(tone(1.0, 44_100), 44_100), max_duration_s=1.0)
    assert recording.duration_s == 1.0 and recording.notes == ()


def test_nothing_is_decoded_beyond_the_limit(monkeypatch):
    n_decoded = 0

    def counting(data, source):
        nonlocal n_decoded
        for block in libsndfile.soundfile_blocks(data, source):
            n_decoded += len(block)
            yield block

    monkeypatch.setattr(decoders, "soundfile_blocks", counting)
    decode_recording(with_soundfile(tone(60.0, 48_000), 48_000, "FLAC", "PCM_16"), SAMPLE_RATE, 1.0)
    assert 0 < n_decoded <= 48_000 + libsndfile.BLOCK_SAMPLES


def test_a_file_above_the_size_limit_is_not_read(tmp_path):
    class Large(io.BytesIO):
        def read(self, *_):
            raise AssertionError("read")

    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.truncate(200_000_001)
    for source, limit in ((Large(bytes(1001)), 1000), (bytes(1001), 1000), (Pipe(bytes(1001)), 1000)):
        with pytest.raises(AudioError, match=r"0\.001 MB.*opus"):
            read_audio(source, max_bytes=limit)
    with pytest.raises(AudioError, match="200 MB"):
        read_audio(path)


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_half_a_file_gives_half_the_sound_and_a_note(subtests):
    for name in sorted(FORMATS.keys() - {"m4a", "mp4 with pictures", "aac"}):
        with subtests.test(name=name):
            content = FORMATS[name](noise(12.0, 48_000), 48_000)
            recording = read_audio(content[: len(content) // 2])
            assert 4.0 < recording.duration_s < 6.5
            assert f"{recording.duration_s:.1f} s" in recording.notes[0]
            if name not in ("opus", "ogg vorbis"):  # an Ogg header declares no length
                assert "12.0 s" in recording.notes[0]


def test_half_an_aac_file_gives_half_the_sound():
    content = FORMATS["aac"](noise(12.0, 48_000), 48_000)
    assert read_audio(content[: len(content) // 2]).duration_s == pytest.approx(6.0, abs=0.5)


def test_half_an_mp4_file_has_lost_its_index(subtests):
    for name in ["m4a", "mp4 with pictures"]:
        with subtests.test(name=name):
            content = FORMATS[name](noise(2.0, 48_000), 48_000)
            with pytest.raises(AudioError, match=r"M4A.*damaged"):
                read_audio(content[: len(content) // 2])


def test_a_cut_header_is_an_error(subtests):
    for name in FORMATS:
        with (
            subtests.test(name=name),
            pytest.raises(AudioError, match=r"damaged|samples|format"),
        ):
            read_audio(FORMATS[name](tone(0.5, 48_000), 48_000)[:20])


def test_damaged_packets_are_skipped_and_counted(subtests):
    for name in ["m4a", "aac", "mp4 with pictures"]:
        with subtests.test(name=name):
            content = bytearray(FORMATS[name](noise(4.0, 48_000), 48_000))
            middle = len(content) // 2
            content[middle : middle + 200] = np.random.default_rng(1).bytes(200)
            recording = read_audio(bytes(content))
            assert recording.duration_s == pytest.approx(4.0, abs=0.2)
            assert "packets" in recording.notes[-1]


BAD_FILES = {
    "empty": (b"", "0 bytes.*(?i:record)"),
    "text": (b"Dear diary,\n" * 50, "text.*(?i:choose)"),
    "unicode text": ("Grüße, 世界\n".encode() * 50, "text"),
    "JPEG": (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 20, "JPEG.*(?i:choose)"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "PNG"),
    "zeros": (bytes(5_000), "format"),
    "playlist": (b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "text"),
}


def test_content_other_than_audio_is_named(subtests):
    for content, message in BAD_FILES.values():
        with subtests.test(message=message), pytest.raises(AudioError, match=message):
            read_audio(content)


def test_a_note_names_no_total_that_reads_as_the_limit():
    data = wav(tone(2.004, SAMPLE_RATE))
    assert read_audio(data, max_duration_s=2.0).notes == ("Only the first 2 s were read.",)
    assert read_audio(data, max_duration_s=1.0).notes == ("Only the first 1 s of 2 s were read.",)


def test_a_header_without_samples():
    with pytest.raises(AudioError, match="samples"):
        read_audio(wav(np.empty((0, 1), np.float32)))
    with pytest.raises(AudioError, match="samples"):
        read_audio(wav(tone(1.0, SAMPLE_RATE))[:44])


def test_video_without_audio():
    with pytest.raises(AudioError, match="audio track"):
        read_audio(with_ffmpeg(None, 0, "mp4", "aac", pictures=True))


def test_the_content_of_a_text_file_is_never_a_path(tmp_path):
    path = tmp_path / "path.txt"
    path.write_text("assets/samples/even.ogg")
    with path.open() as file, pytest.raises(AudioError, match="binary mode"):
        load_audio(file)


def test_samples_that_are_not_finite_are_counted(subtests):
    for value, rate in product([np.nan, np.inf, -np.inf], [16_000, 44_100]):
        with subtests.test(rate=rate):
            samples = tone(1.0, rate)
            samples[100:107] = value
            with pytest.raises(AudioError, match=rf"^7 of {rate} .*NaN.*WAV"):
                read_audio(wav(samples, rate, "FLOAT"))
            samples[:] = value
            with pytest.raises(AudioError, match=f"^{rate} of {rate} "):
                read_audio(wav(samples, rate, "DOUBLE"))


def test_absurd_sample_rates(subtests):
    for rate in [1, 1_000, 2_000_000_000]:
        with subtests.test(rate=rate):
            content = bytearray(wav(tone(1.0, SAMPLE_RATE)))
            content[24:28] = struct.pack("<I", rate)
            with pytest.raises(AudioError, match=f"{rate} Hz.*header"):
                read_audio(bytes(content))


def test_paths_without_a_file(tmp_path):
    with pytest.raises(AudioError, match=r"'gone\.wav'") as error:
        read_audio(tmp_path / "gone.wav")
    assert str(tmp_path) not in str(error.value)
    with pytest.raises(AudioError, match=re.escape(tmp_path.name)):
        read_audio(tmp_path)
    with pytest.raises(AudioError, match=r"byte.wav"):
        read_audio("null\0byte.wav")
    with pytest.raises(AudioError, match="name too long"):
        read_audio("x" * 5_000)


@pytest.mark.parametrize(
    "form", ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "ffconcat version 1.0\nfile '{}'\n"]
)
def test_a_playlist_cannot_open_other_files(form, tmp_path, monkeypatch):
    other = tmp_path / "other.wav"
    other.write_bytes(wav(tone(1.0, SAMPLE_RATE)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioError):
        read_audio(form.format(other.name).encode())


SEEDS = {
    name: FORMATS[name](noise(0.3, 48_000), 48_000) for name in ("wav float32", "flac", "mp3", "opus", "m4a", "webm")
}


@st.composite
def damaged_files(draw) -> bytes:
    content = bytearray(SEEDS[draw(st.sampled_from(sorted(SEEDS)))])
    last = draw(st.sampled_from([60, 400, len(content) - 1]))  # the headers break more than the samples do
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, min(last, len(content))))
        cut = draw(st.integers(0, 40))
        content[at : at + cut] = draw(st.binary(max_size=40))
    return bytes(content)


@pytest.mark.slow
@given(content=st.one_of(damaged_files(), st.binary(max_size=2_000)))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_give_a_waveform_or_an_audio_error(content):
    try:
        recording = read_audio(content, max_duration_s=20.0)
    except AudioError as error:
        assert 20 < len(str(error)) < 300
        return
    assert recording.waveform.dtype == np.float32 and recording.waveform.ndim == 1
    assert len(recording.waveform) and np.isfinite(recording.waveform).all()
    assert np.abs(recording.waveform).max() <= 1
    assert all(note.endswith(".") for note in recording.notes)


# --- windows and trimming ------------------------------------------------------------------------------------------


@given(n_samples=st.integers(0, 5_000), window=st.integers(1, 800), data=st.data())
def test_windows_cover_everything(n_samples, window, data):
    hop = data.draw(st.integers(1, window))
    starts = window_starts(n_samples, window, hop)
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all() and (np.diff(starts) <= hop).all()
    assert (np.diff(starts)[:-1] == hop).all()
    if n_samples <= window:
        assert len(starts) == 1
    else:
        assert starts[-1] + window == n_samples


def test_a_hop_that_leaves_samples_out_is_refused(subtests):
    for hop in [0, -1, 11]:
        with subtests.test(hop=hop), pytest.raises(ValueError, match=f"hop = {hop} "):
            window_starts(100, 10, hop)


def test_silence_at_the_ends_is_trimmed():
    waveform = np.concatenate([np.zeros(16_000), tone(1.0, SAMPLE_RATE)[:, 0], np.zeros(8_000)]).astype(np.float32)
    waveform += 1e-4 * noise(2.5, SAMPLE_RATE)[:, 0]
    start, end = trim_silence(waveform)
    assert start == pytest.approx(16_000 - 1_600, abs=512)
    assert end == pytest.approx(32_000 + 1_600, abs=512)
    assert start <= 16_000 - 1_600 and end >= 32_000 + 1_600


def test_trimming_does_not_depend_on_the_level():
    waveform = np.concatenate([1e-4 * noise(1.0, SAMPLE_RATE), tone(0.5, SAMPLE_RATE)])[:, 0]
    assert trim_silence(waveform) == trim_silence(0.01 * waveform)


@pytest.mark.parametrize(("level_db", "start"), [(-34, 0), (-36, 8_000 - 1_600)])
def test_what_is_35_db_below_the_loudest_part_is_silence(level_db, start):
    loud = tone(0.5, SAMPLE_RATE)[:, 0]
    waveform = np.concatenate([np.float32(10 ** (level_db / 20)) * loud, loud])
    first, last = trim_silence(waveform)
    assert first == pytest.approx(start, abs=512) and last == len(waveform)


def test_nothing_to_trim_keeps_everything(subtests):
    for n_samples in [0, 1, 320, 512, 5_000]:
        with subtests.test(n_samples=n_samples):
            assert trim_silence(np.zeros(n_samples, np.float32)) == (0, n_samples)
            assert trim_silence(np.full(n_samples, 0.1, np.float32)) == (0, n_samples)


def test_the_last_samples_count_too():
    waveform = np.zeros(10_000, np.float32)
    waveform[-1] = 0.5
    assert trim_silence(waveform) == (10_000 - 512 - 1_600, 10_000)


def test_a_waveform_becomes_a_file_of_its_own_level(speech):
    again = read_audio(encode_wav(speech))
    assert again.sample_rate == SAMPLE_RATE and again.codec == "WAV PCM_16"
    assert np.abs(again.waveform - speech).max() <= 1 / 32767
    assert not read_audio(encode_wav(np.zeros(1600, np.float32))).waveform.any()
    beyond = read_audio(encode_wav(np.array([0.5, 1.2, -3.0]))).waveform
    np.testing.assert_allclose(beyond, [0.5, 1, -1], atol=1e-4)  # cut, not wrapped around
    for wrong in (np.zeros((800, 2), np.float32), np.zeros(800, np.int32), np.array([0, np.nan])):
        with pytest.raises(AudioError, match=r"Average the channels|not finite"):
            encode_wav(wrong)
