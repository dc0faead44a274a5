"""Decoders of `ser_core.audio.io`: libsndfile and FFmpeg, both from memory, block by block, to mono.

A decoder is a generator of mono float32 blocks that fills in a `DecodedStream` while it runs, so that its caller can
stop it at any block: hours of compressed audio are never decoded in full.
"""

import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import av
import numpy as np
import soundfile

DECODER_ERRORS = (soundfile.SoundFileError, av.FFmpegError)

BLOCK_SAMPLES = 1 << 18  # decoded at once, over all channels: 1 MiB, whatever the header declares

# FFmpeg opens only these formats: a playlist could make the server read other files or addresses.
DEMUXERS = "aac,aiff,amr,ape,asf,au,avi,caf,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpegts,ogg,w64,wav,wv"

ESTIMATED_DURATION_FORMATS = (
    "aac",
    "mp3",
)  # FFmpeg divides the file size by a bit rate

STREAMED_WAV_SIZE = 0x7FFF_0000  # a writer that cannot seek back writes a size of at least this

FILE_SIGNATURES = (  # (offset, bytes, name, may contain audio)
    (8, b"WAVE", "a WAV file", True),
    (0, b"fLaC", "a FLAC file", True),
    (0, b"OggS", "an Ogg file", True),
    (0, b"ID3", "an MP3 file", True),
    (0, b"\xff\xfb", "an MP3 file", True),
    (4, b"ftyp", "an MP4 or M4A file", True),
    (0, b"\x1a\x45\xdf\xa3", "a WebM file", True),
    (0, b"\xff\xd8\xff", "a JPEG image", False),
    (0, b"\x89PNG", "a PNG image", False),
    (0, b"%PDF", "a PDF document", False),
    (0, b"PK\x03\x04", "a ZIP archive", False),
)


class AudioError(ValueError):
    """Audio file that cannot be used. The message names the cause and the cure, for the person who chose the file."""


@dataclass
class DecodedStream:
    """Properties of a file, filled in by its decoder."""

    codec: str = ""
    rate: int = 0
    channels: int = 0
    header_duration_s: float | None = None  # duration declared by the header, if any
    damaged_packets: int = 0
    truncated: bool = False  # the file ends before the end that its format declares


def soundfile_blocks(data: bytes, source: DecodedStream) -> Generator[np.ndarray, None, None]:
    """Decode wav, flac, mp3, ogg and opus with libsndfile.

    Yields:
        Mono float32, shape = (n_samples,), at `source.rate`.

    Raises:
        soundfile.SoundFileError: libsndfile cannot read the file.
    """
    with soundfile.SoundFile(io.BytesIO(data)) as sound:
        source.codec, source.rate, source.channels = f"{sound.format} {sound.subtype}", sound.samplerate, sound.channels
        source.header_duration_s = sound.frames * _wav_header_ratio(data) / sound.samplerate
        source.truncated = sound.format == "OGG" and not _ogg_is_complete(data)
        if sound.format == "MP3" and not _mp3_has_length_header(data):
            raise soundfile.SoundFileError("libsndfile estimates the length of this MP3 and stops there")
        n_frames = max(1, BLOCK_SAMPLES // sound.channels)
        while True:
            try:
                block = sound.read(n_frames, dtype="float32", always_2d=True)
            except soundfile.SoundFileError:
                source.truncated = True
                return
            if not len(block):
                return
            yield _downmix(block)


def _wav_header_ratio(data: bytes) -> float:
    """Declared by actual size of the samples of a WAV file, which libsndfile does not report; 1 for other formats."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 1.0
    at = 12
    while at + 8 < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return 1.0 if size >= STREAMED_WAV_SIZE else max(1.0, size / (len(data) - at - 8))
        at += 8 + size + size % 2
    return 1.0


def _mp3_has_length_header(data: bytes) -> bool:
    """Whether the first frame after the ID3 tag contains the number of frames."""
    start = 0
    if data.startswith(b"ID3"):
        start = 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))
    return any(mark in data[start : start + 200] for mark in (b"Xing", b"Info"))


def _ogg_is_complete(data: bytes) -> bool:
    """Whether the last Ogg page is complete and has the end-of-stream flag (RFC 3533, section 6)."""
    page = data[data.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    n_segments = page[26]
    return bool(page[5] & 4) and len(page) >= 27 + n_segments + sum(page[27 : 27 + n_segments])


def ffmpeg_blocks(data: bytes, source: DecodedStream) -> Generator[np.ndarray, None, None]:
    """Decode the first audio track of m4a, aac, webm, mp4 and the other formats of DEMUXERS with FFmpeg.

    Yields:
        Mono float32, shape = (n_samples,), at `source.rate`.

    Raises:
        AudioError: the file has no audio track.
        av.FFmpegError: FFmpeg cannot read the file.
    """
    limits = {"format_whitelist": DEMUXERS, "protocol_whitelist": ""}
    with av.open(io.BytesIO(data), "r", container_options=limits, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise AudioError("This file has no audio track. Choose a recording with sound, or record again.")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise AudioError("The audio codec of this file is unknown. Export it again, as WAV or mp3.")
        source.codec = f"{container.format.name.split(',')[0]} {stream.codec_context.name}"
        source.header_duration_s = source.header_duration_s or _ffmpeg_header_duration_s(container, stream)
        for frame in _interleave_frames(_decoded_frames(container, stream, source), source):
            source.rate = source.rate or frame.sample_rate
            source.channels = source.channels or frame.layout.nb_channels
            if frame.sample_rate == source.rate:
                yield _downmix(frame.to_ndarray().reshape(-1, frame.layout.nb_channels))
            else:
                source.damaged_packets += 1


def _ffmpeg_header_duration_s(container: av.container.InputContainer, stream: av.AudioStream) -> float | None:
    if container.format.name in ESTIMATED_DURATION_FORMATS:
        return None
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and not container.streams.video:  # a video track may be longer than the audio
        return container.duration / av.time_base
    return None


def _decoded_frames(
    container: av.container.InputContainer, stream: av.AudioStream, source: DecodedStream
) -> Iterator[av.AudioFrame]:
    """Decoded frames; a packet that cannot be decoded is counted and skipped."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            source.truncated = True
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            source.damaged_packets += 1


def _interleave_frames(frames: Iterator[av.AudioFrame], source: DecodedStream) -> Iterator[av.AudioFrame]:
    """Frames of any sample format as interleaved float32.

    Planar frames must not be read from Python: with eight channels or more PyAV reads past the end of its plane list.
    """
    resampler = av.AudioResampler(format="flt")
    for frame in frames:
        try:
            converted = resampler.resample(frame)
        except (ValueError, av.FFmpegError):  # the format has changed or is invalid
            converted = []
            resampler = av.AudioResampler(format="flt")
        usable = [frame for frame in converted if frame.format.name == "flt"]
        source.damaged_packets += not usable
        yield from usable


def _downmix(samples: np.ndarray) -> np.ndarray:
    """Mean over the channels, shape = (n_samples, n_channels) -> (n_samples,)."""
    n_channels = samples.shape[1]
    if n_channels == 1:
        return samples[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):  # samples that are not finite are counted by the caller
        return samples @ np.full(n_channels, 1 / n_channels, np.float32)


def unreadable_message(data: bytes) -> str:
    """Error message for a file that no decoder reads: the likely type of its content, and the cure."""
    for offset, signature, kind, may_contain_audio in FILE_SIGNATURES:
        if data[offset:].startswith(signature):
            if may_contain_audio:
                return f"This is {kind}, but it is damaged or cut off and cannot be read. Record or export it again."
            return f"This is {kind}, not audio. Choose an audio file."
    kind = "text" if _is_text(data[:1000]) else "no known audio format"
    return f"This file contains {kind}. Choose a recording as wav, flac, mp3, ogg, opus, m4a, aac, webm or mp4."


def _is_text(data: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in data)
