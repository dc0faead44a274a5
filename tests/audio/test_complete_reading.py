"""Everything in a file is read, once and at its time, or a note says what was not."""

import io
import re
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from ser_core.audio.decoding import libsndfile
from ser_core.audio.decoding.stream import DecodedStream
from ser_core.audio.decoding.timeline import Timeline
from ser_core.audio.io import SAMPLE_RATE, Recording, decode_recording, read_audio
from ser_core.audio.repairs.joined import part_bounds
from tests.make_audio import FORMATS, noise, tone, with_ffmpeg, with_soundfile

RATE = 48_000
JOINED_SLACK_S = {"aac": 0.06, "m4a": 0.06, "mp4 with pictures": 0.06}  # a whole packet ends each AAC stream


def rms(recording: Recording, start_s: float, end_s: float) -> float:
    part = recording.waveform[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    return float(np.sqrt(np.mean(np.square(part))))


def with_tracks(
    tracks: list[np.ndarray],
    container: str = "matroska",
    starts_s: tuple[float, ...] = (0.0,),
    default: int | None = None,
) -> bytes:
    """Opus tracks of 20-ms packets, mono or stereo, each from its start on, behind 3 s of pictures."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        streams = [output.add_stream("libopus", rate=RATE, layout=layout_of(samples)) for samples in tracks]
        if default is not None:
            for number, stream in enumerate(streams):
                stream.disposition = av.stream.Disposition.default if number == default else 0
        picture = np.zeros((64, 64, 3), np.uint8)
        for _ in range(30):
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(video.encode(None))
        for stream, samples, start_s in zip(streams, tracks, starts_s * len(tracks), strict=False):
            mux(output, stream, samples, start_s)
    return buffer.getvalue()


def layout_of(samples: np.ndarray) -> str:
    return "mono" if samples.ndim == 1 else "stereo"


def mux(
    output, stream, samples: np.ndarray, start_s: float, left_out=(0.0, 0.0), jump_s: float = 0.0, jitter_s: float = 0.0
) -> None:
    """Encodes 20-ms packets from `start_s` on, without those of an interval; after 1 s their time stamps jump."""
    packets, last_pts = [], -(10**9)
    for at in range(0, len(samples) - 959, 960):
        frame = av.AudioFrame.from_ndarray(samples[at : at + 960].reshape(1, -1), "flt", layout_of(samples))
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = at + round(start_s * RATE)
        packets += stream.encode(frame)
    for packet in [*packets, *stream.encode(None)]:
        at_s = float(packet.pts * packet.time_base)
        if jump_s and at_s >= 1.0:
            packet.pts = packet.dts = packet.pts + round(jump_s / packet.time_base)
        late = round(jitter_s * (round(at_s / 0.4) % 2) / packet.time_base)
        packet.pts = packet.dts = last_pts = max(packet.pts + late, last_pts + 1) if jitter_s else packet.pts
        if not left_out[0] <= at_s < left_out[1]:
            output.mux(packet)


# --- channels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wav 16 bit", "flac", "mp3", "ogg vorbis", "opus", "m4a", "webm"])
def test_channels_of_opposite_polarity_do_not_cancel(name):
    mono = tone(2.0, RATE)
    recording = read_audio(FORMATS[name](np.hstack([mono, -mono]), RATE))
    assert rms(recording, 0.5, 1.5) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert "cancel" in recording.notes[0]


def test_opposite_polarity_in_a_part_of_a_recording_is_inverted_there():
    left = tone(4.0, RATE)
    right = left * np.where(np.arange(len(left)) < 2 * RATE, 1, -1)[:, None]
    recording = read_audio(with_soundfile(np.hstack([left, right]).astype(np.float32), RATE, "WAV", "PCM_16"))
    assert rms(recording, 0.5, 1.5) == pytest.approx(rms(recording, 2.5, 3.5), rel=0.01)
    assert "50%" in recording.notes[0]


def test_polarity_does_not_depend_on_the_size_of_blocks(monkeypatch):
    mono = noise(2.0, RATE)
    content = with_soundfile(np.hstack([mono, -mono]), RATE, "WAV", "PCM_16")
    expected = decode_recording(content, SAMPLE_RATE, 60.0).waveform
    monkeypatch.setattr(libsndfile, "BLOCK_SAMPLES", 777)
    np.testing.assert_allclose(decode_recording(content, SAMPLE_RATE, 60.0).waveform, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["mp3", "ogg vorbis", "opus", "flac", "m4a"])
def test_decoding_in_pieces_equals_decoding_at_once(name, monkeypatch):
    content = FORMATS[name](noise(4.0, RATE), RATE)
    expected = decode_recording(content, SAMPLE_RATE, 60.0).waveform
    monkeypatch.setattr(libsndfile, "BLOCK_SAMPLES", 5_000)
    np.testing.assert_allclose(decode_recording(content, SAMPLE_RATE, 60.0).waveform, expected, atol=1e-6)


def test_ordinary_stereo_is_the_mean_of_its_channels():
    channels = np.hstack([noise(1.0, SAMPLE_RATE, seed=1), -0.5 * noise(1.0, SAMPLE_RATE, seed=1)])
    for samples in (channels, np.hstack([noise(1.0, SAMPLE_RATE), noise(1.0, SAMPLE_RATE, seed=2)])):
        recording = read_audio(with_soundfile(samples, SAMPLE_RATE, "WAV", "FLOAT"))
        np.testing.assert_allclose(recording.waveform, samples.mean(1), atol=1e-6)
        assert recording.notes == ()


# --- joined files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_joined_files_are_read_to_the_end(name):
    first, second = (FORMATS[name](samples, RATE) for samples in (tone(2.6, RATE), tone(3.0, RATE) / 4))
    assert part_bounds(first) == [(0, len(first))]
    recording = read_audio(first + second)
    assert recording.duration_s == pytest.approx(5.6, abs=JOINED_SLACK_S.get(name, 0.02))
    assert rms(recording, 3.0, 5.4) == pytest.approx(0.125 / np.sqrt(2), rel=0.1)
    assert recording.notes == ()


def test_a_pad_byte_that_a_header_does_not_count_belongs_to_its_file():
    odd = b"RIFF" + struct.pack("<I", 13) + b"WAVE" + bytes(9)
    assert part_bounds(odd + b"\0" + odd) == [(0, 22), (22, 43)]


def test_joined_mp3_files_with_tags(subtests):
    mp3 = FORMATS["mp3"](tone(1.0, RATE), RATE)
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 7, 0x68]) + bytes(1000)
    without_count = with_ffmpeg(
        tone(1.0, RATE), RATE, "mp3", "libmp3lame", container_options={"write_xing": "0", "id3v2_version": "0"}
    )
    for content, expected_s in {
        tag + mp3 + tag + mp3: 2.0,
        mp3 + without_count: 2.0,
        tag + mp3 + b"TAG" + bytes(125): 1.0,
        mp3 * 5: 5.0,
    }.items():
        with subtests.test(expected_s=expected_s):
            recording = read_audio(content)
            assert recording.duration_s == pytest.approx(expected_s, abs=0.06)
            assert recording.notes == ()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_an_mp3_whose_count_is_too_small_is_read_without_a_break(share):
    samples = noise(6.0, SAMPLE_RATE) * np.repeat(np.linspace(0, 1, 60), SAMPLE_RATE // 10)[:, None]
    content = bytearray(FORMATS["mp3"](samples.astype(np.float32), SAMPLE_RATE))
    expected = read_audio(bytes(content)).waveform
    mark = max(content.find(b"Xing"), content.find(b"Info"))
    n_frames, n_bytes = struct.unpack(">II", content[mark + 8 : mark + 16])
    content[mark + 8 : mark + 16] = struct.pack(">II", round(share * n_frames), round(share * n_bytes))
    recording = read_audio(bytes(content))
    assert recording.notes == () and recording.duration_s == pytest.approx(6.0, abs=0.1)
    found, n = recording.waveform, len(expected) - 2_000
    delay = int(np.argmax([np.dot(found[lag : lag + n], expected[:n]) for lag in range(2_000)]))
    np.testing.assert_allclose(found[delay : delay + n], expected[:n], atol=0.02)


def test_a_damaged_second_recording_is_noted():
    flac = FORMATS["flac"](tone(1.0, RATE), RATE)
    recording = read_audio(flac + flac[:60])
    assert recording.duration_s == 1.0
    assert "2" in recording.notes[0]


def test_the_limit_holds_over_joined_files():
    flac = FORMATS["flac"](tone(1.0, RATE), RATE)
    recording = read_audio(flac * 3, max_duration_s=1.5)
    assert recording.duration_s == pytest.approx(1.5)
    assert recording.notes == ("Only the first 1.5 s were read.",)  # the length of one is not that of the file


# --- declared lengths ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_declared", [0, 2**36 - 1])
def test_a_flac_of_unknown_length_is_complete(n_declared):
    content = bytearray(FORMATS["flac"](tone(1.0, RATE), RATE))
    content[21:26] = bytes([content[21] & 0xF0 | n_declared >> 32]) + struct.pack(">I", n_declared & 0xFFFFFFFF)
    recording = read_audio(bytes(content))
    assert recording.duration_s == 1.0 and recording.notes == ()


def test_samples_behind_the_declared_end_of_a_wav_are_noted():
    content = bytearray(with_soundfile(noise(2.0, SAMPLE_RATE), SAMPLE_RATE, "WAV", "PCM_16"))
    content[40:44] = struct.pack("<I", SAMPLE_RATE * 2)
    recording = read_audio(bytes(content))
    assert recording.duration_s == 1.0 and "1.0 s" in recording.notes[0]
    whole = with_soundfile(noise(1.0, SAMPLE_RATE), SAMPLE_RATE, "WAV", "PCM_16")
    chunk = b"LIST" + struct.pack("<I", 40_000) + bytes(40_000)
    for rest in (b"", chunk, bytes(100)):
        assert read_audio(whole + rest).notes == ()


def wav_of(samples: bytes, n_declared: int, before: bytes = b"", after: bytes = b"") -> bytes:
    """8 bit, 16 kHz; the length of the samples as the header declares it, and further chunks."""
    layout = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, SAMPLE_RATE, SAMPLE_RATE, 1, 8)
    content = b"WAVE" + layout + before + b"data" + struct.pack("<I", n_declared) + samples + after
    return b"RIFF" + struct.pack("<I", len(content)) + content


def test_chunks_of_odd_length_have_a_pad_byte():
    samples = np.random.default_rng(0).integers(100, 156, 2 * SAMPLE_RATE + 1, np.uint8).tobytes()
    odd = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    cut_off = read_audio(wav_of(samples[:SAMPLE_RATE], 2 * SAMPLE_RATE, before=odd))
    assert cut_off.notes == ("The file ends early: 1.0 s of the 2.0 s declared by its header could be read.",)
    long_chunk = b"LIST" + struct.pack("<I", SAMPLE_RATE) + bytes(SAMPLE_RATE)
    assert read_audio(wav_of(samples, len(samples), after=b"\0" + long_chunk)).notes == ()


def test_chunks_behind_the_samples_are_no_sound():
    chunk = b"LIST" + struct.pack("<I", SAMPLE_RATE) + bytes(SAMPLE_RATE)
    samples = np.random.default_rng(0).integers(100, 156, 2 * SAMPLE_RATE, np.uint8).tobytes()
    content = wav_of(samples, len(samples), after=chunk)
    assert read_audio(content, max_duration_s=1.0).notes[0] == "Only the first 1 s of 2 s were read."


def test_jittery_time_stamps_add_no_silence():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream("libopus", rate=RATE, layout="mono")
        mux(output, stream, tone(4.0, RATE)[:, 0], 0.0, jitter_s=0.08)
    recording = read_audio(buffer.getvalue())
    assert recording.duration_s == pytest.approx(4.0, abs=0.12)


def test_rounded_time_stamps_add_no_silence():
    source, block = DecodedStream(), np.ones((RATE, 1), np.float32)
    timeline = Timeline(source, 0.0, None)
    placed = [piece for at_s in (0.0, 1.02, 1.99, 3.04) for piece in timeline.place(block, at_s, RATE)]
    assert len(placed) == 4 and source.gaps_s == source.ignored_jump_s == 0


# --- time stamps ---------------------------------------------------------------------------------------------------


def test_sound_that_begins_after_the_picture_keeps_its_time():
    recording = read_audio(with_tracks([tone(1.5, RATE)[:, 0]], starts_s=(3.0,)))
    assert recording.duration_s == pytest.approx(4.5, abs=0.02)
    assert rms(recording, 0.0, 2.95) == 0 and rms(recording, 3.1, 4.4) > 0.3
    assert "3.0 s" in recording.notes[0]


def test_time_stamps_that_do_not_begin_at_zero_add_no_silence():
    """As of a part that was cut out of a stream, sound and picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        video, audio = output.add_stream("mpeg4", rate=10), output.add_stream("libopus", rate=RATE, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        for number in range(20):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            picture.pts, picture.time_base = 1000 + number, Fraction(1, 10)
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        mux(output, audio, tone(2.0, RATE)[:, 0], start_s=100.0)
    recording = read_audio(buffer.getvalue())
    assert recording.duration_s == pytest.approx(2.0, abs=0.1) and recording.notes == ()


def test_the_lead_in_of_a_codec_is_no_silence():
    """A recording of Chrome as audio/mp4: the decoder drops 80 ms of Opus, and no edit list moves the time stamps."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"use_editlist": "0"}) as output:
        mux(output, output.add_stream("libopus", rate=RATE, layout="mono"), tone(2.0, RATE)[:, 0], 0.0)
    content = bytearray(buffer.getvalue())
    at = content.index(b"dOps") + 6
    content[at : at + 2] = (3840).to_bytes(2)  # samples that the decoder drops, at 48 kHz
    recording = read_audio(bytes(content))
    assert recording.duration_s == pytest.approx(1.93, abs=0.02)
    assert rms(recording, 0.0, 0.05) > 0.3 and recording.notes == ()


@pytest.mark.parametrize("container", ["webm", "matroska", "mp4", "mpegts"])
def test_missing_packets_leave_silence(container):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream("libopus", rate=RATE, layout="mono")
        mux(output, stream, tone(6.0, RATE)[:, 0], 0.0, left_out=(2.0, 4.0))
    recording = read_audio(buffer.getvalue())
    assert recording.duration_s == pytest.approx(6.0, abs=0.03)
    assert rms(recording, 2.1, 3.9) < 1e-3 and rms(recording, 4.1, 5.9) > 0.3
    assert "2.0 s" in recording.notes[0]


def test_each_short_gap_keeps_its_time_and_all_are_counted():
    source, second = DecodedStream(), np.ones((RATE, 1), np.float32)
    timeline = Timeline(source, 0.0, None)
    placed = np.concatenate([piece for at_s in (0.0, 1.3, 2.8) for piece in timeline.place(second, at_s, RATE)])
    at_s = np.flatnonzero(np.diff(placed[:, 0])) / RATE
    np.testing.assert_allclose(at_s, [1.0, 1.3, 2.3, 2.8], atol=1e-3)
    assert source.gaps_s == pytest.approx(0.8)


def test_a_flac_file_with_a_damaged_frame_is_read_to_its_end():
    """libsndfile stops there, after the first block."""
    content = bytearray(with_soundfile(noise(40.0, SAMPLE_RATE), SAMPLE_RATE, "FLAC", "PCM_16"))
    at = len(content) * 3 // 4
    content[at : at + 200] = bytes(200)
    recording = read_audio(bytes(content))
    assert recording.duration_s == pytest.approx(40.0, abs=0.1) and rms(recording, 35.0, 39.0) > 0.01
    assert "missing" in recording.notes[0]


@pytest.mark.parametrize("name", ["opus", "ogg vorbis"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_lost_pages_of_an_ogg_file_keep_the_time_or_are_noted(name, share):
    content = FORMATS[name](noise(20.0, RATE), RATE)
    pages = [match.start() for match in re.finditer(b"OggS", content)]
    lost = round(share * len(pages))
    recording = read_audio(content[: pages[lost]] + content[pages[lost + 2] :])
    assert recording.duration_s == pytest.approx(20.0, abs=0.05) or recording.notes


def test_what_was_cut_out_of_a_longer_vorbis_stream_lacks_nothing():
    """Its time stamps are those of the stream."""
    content = FORMATS["ogg vorbis"](noise(30.0, RATE), RATE)
    pages = [b"OggS" + page for page in content.split(b"OggS")[1:]]
    ends_s = [int.from_bytes(page[6:14], "little") / RATE for page in pages]
    cut = read_audio(b"".join(page for page, end_s in zip(pages, ends_s, strict=True) if end_s == 0 or end_s > 15))
    assert 13 < cut.duration_s < 16 and not any("ends early" in note for note in cut.notes)


def test_a_damaged_time_stamp_does_not_add_hours():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        stream = output.add_stream("libopus", rate=RATE, layout="mono")
        mux(output, stream, tone(2.0, RATE)[:, 0], 0.0, jump_s=5_000)
    recording = read_audio(buffer.getvalue())
    assert recording.duration_s == pytest.approx(2.0, abs=0.03)
    assert "5000 s" in recording.notes[0]


def test_a_time_stamp_after_the_declared_end_adds_no_silence():
    source, second = DecodedStream(), np.ones((RATE, 1), np.float32)
    timeline = Timeline(source, 0.0, declared_s=3.0)
    placed = [piece for at_s in (0.0, 301.0, 302.0) for piece in timeline.place(second, at_s, RATE)]
    assert sum(map(len, placed)) == 3 * RATE
    assert source.ignored_jump_s == 300 and source.gaps_s == 0


def test_a_gap_after_an_ignored_jump_keeps_its_time():
    source, second = DecodedStream(), np.ones((RATE, 1), np.float32)
    timeline = Timeline(source, 0.0, None)
    placed = [piece for at_s in (0.0, 5001.0, 5002.5) for piece in timeline.place(second, at_s, RATE)]
    assert sum(map(len, placed)) == 3.5 * RATE and source.gaps_s == pytest.approx(0.5)


def test_the_pauses_of_a_telephone_codec_keep_their_time():
    if "libopencore_amrnb" not in av.codecs_available:
        pytest.skip("needs an AMR encoder")
    samples = np.concatenate([tone(1.0, 8_000), np.zeros((24_000, 1), np.float32), tone(1.0, 8_000)])
    content = with_ffmpeg(samples, 8_000, "amr", "libopencore_amrnb", dtx="1")
    recording = read_audio(content)
    assert recording.duration_s == pytest.approx(5.0, abs=0.1)
    assert rms(recording, 2.0, 3.9) < 0.01 and rms(recording, 4.2, 4.9) > 0.1
    assert not any("amaged" in note for note in recording.notes)


# --- tracks --------------------------------------------------------------------------------------------------------


def test_the_default_track_is_read_and_the_others_are_noted():
    tracks = [tone(2.0, RATE)[:, 0], tone(2.0, RATE)[:, 0] / 4]
    for default, level in ((0, 0.5), (1, 0.125)):
        recording = read_audio(with_tracks(tracks, default=default))
        assert rms(recording, 0.5, 1.5) == pytest.approx(level / np.sqrt(2), rel=0.1)
        assert f"{default + 1} of the 2" in recording.notes[0]


@pytest.mark.parametrize(("sounding", "default"), [(1, 0), (2, 0), (0, 2)])
def test_a_silent_track_gives_way_to_one_with_sound(sounding, default):
    tracks = [tone(2.0, RATE)[:, 0] * (number == sounding) for number in range(3)]
    recording = read_audio(with_tracks(tracks, default=default))
    assert rms(recording, 0.5, 1.5) > 0.3
    assert f"{sounding + 1} of the 3" in recording.notes[0]


@pytest.mark.parametrize("opposite_track", [0, 1])
def test_a_track_whose_channels_cancel_each_other_is_not_silent(opposite_track):
    opposite, quiet = tone(2.0, RATE, channels=2) * np.array([1, -1], np.float32), np.zeros(2 * RATE, np.float32)
    tracks = [opposite, tone(2.0, RATE)[:, 0] / 10] if opposite_track == 0 else [quiet, opposite]
    recording = read_audio(with_tracks(tracks, default=0))
    assert rms(recording, 0.5, 1.5) > 0.3
    assert f"{opposite_track + 1} of the 2" in recording.notes[0] and "cancelled" in recording.notes[1]


# --- level ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peak", [1.05, 1.5, 1.95, 2.1])
@pytest.mark.parametrize("rate", [SAMPLE_RATE, RATE])
def test_float_samples_above_full_scale_are_scaled(peak, rate):
    recording = read_audio(with_soundfile(2 * peak * tone(1.0, rate), rate, "WAV", "FLOAT"))
    np.testing.assert_allclose(recording.waveform[800:-800], 2 * tone(1.0, SAMPLE_RATE)[800:-800, 0], atol=0.02, rtol=0)
    assert "full scale" in recording.notes[0]


def test_float_samples_in_other_containers_are_scaled_and_overshoots_cut():
    loud = 3.0 * tone(1.0, RATE)
    scaled = read_audio(with_ffmpeg(loud, RATE, "matroska", "pcm_f32le"))
    assert "reduced to fit" in scaled.notes[0] and rms(scaled, 0.2, 0.8) == pytest.approx(np.sqrt(0.5), rel=0.01)
    cut = read_audio(with_ffmpeg(2.1 * tone(1.0, RATE), RATE, "matroska", "libopus"))
    assert cut.notes == () and rms(cut, 0.2, 0.8) > 1.02 * np.sqrt(0.5)


@pytest.mark.parametrize("name", ["m4a", "webm", "opus"])
def test_loud_mixes_are_scaled_after_a_lossy_codec_too(name):
    recording = read_audio(FORMATS[name](3.2 * tone(1.0, RATE), RATE))
    if recording.notes:  # an encoder may clip
        assert np.mean(np.abs(recording.waveform) > 0.999) < 0.01


@pytest.mark.parametrize("rate", [SAMPLE_RATE, 44_100])
@pytest.mark.parametrize("height", [1e5, -1e30])
def test_a_spike_is_cut_and_the_rest_keeps_its_level(rate, height):
    samples = tone(2.0, rate)
    expected = read_audio(with_soundfile(samples, rate, "WAV", "FLOAT")).waveform
    samples[rate // 2] = height
    recording = read_audio(with_soundfile(samples, rate, "WAV", "FLOAT"))
    assert np.quantile(np.abs(recording.waveform - expected), 0.99) < 0.01
    assert "1 samples" in recording.notes[0]
