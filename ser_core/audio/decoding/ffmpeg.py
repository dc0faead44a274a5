"""Decoder of m4a, aac, webm, mp4 and the other formats of FFmpeg, block by block, from memory."""

import io
from collections.abc import Generator, Iterator

import av
import numpy as np

from ser_core.audio.decoding.stream import AudioError, DecodedStream, plausible_duration_s
from ser_core.audio.decoding.timeline import Timeline

# FFmpeg opens only these formats: a playlist could make the server read other files or addresses.
DEMUXERS = "aac,aiff,amr,ape,asf,au,avi,caf,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpegts,ogg,w64,wav,wv"

ESTIMATED_DURATION_FORMATS = ("aac", "mp3")  # FFmpeg divides the file size by a bit rate

AMR_PAUSE_BYTES = 7  # a packet of at most this size describes a pause (DTX), which FFmpeg does not decode


def ffmpeg_blocks(data: bytes, source: DecodedStream) -> Generator[np.ndarray, None, None]:
    """Decode an audio track of m4a, aac, webm, mp4 and the other formats of DEMUXERS with FFmpeg.

    The track is `source.track`, or that marked as default, or the first one. Time stamps count as in a player: sound
    that begins after the picture, and packets that are missing, leave silence.

    Yields:
        float32, shape = (n_samples, n_channels), at `source.rate`.

    Raises:
        AudioError: the file has no audio track.
        av.FFmpegError: FFmpeg cannot read the file.
    """
    limits = {"format_whitelist": DEMUXERS, "protocol_whitelist": ""}
    with av.open(io.BytesIO(data), "r", container_options=limits, metadata_errors="ignore") as container:
        stream = _choose_track(container, source)
        source.codec = f"{container.format.name.split(',')[0]} {stream.codec_context.name}"
        declared_s = source.header_duration_s or _ffmpeg_header_duration_s(container, stream)
        source.header_duration_s = plausible_duration_s(declared_s)
        source.is_float = stream.codec_context.codec.lossless and _is_float_format(stream.codec_context.format)
        timeline = _timeline(container, source)
        for frame, at_s in _interleave_frames(_decoded_frames(container, stream, source), source):
            source.rate = source.rate or frame.sample_rate
            source.channels = source.channels or frame.layout.nb_channels
            if frame.sample_rate == source.rate:
                block = frame.to_ndarray().reshape(-1, frame.layout.nb_channels)
                yield from timeline.place(block, at_s, source.rate)
            else:
                source.damaged_packets += 1


def _choose_track(container: av.container.InputContainer, source: DecodedStream) -> av.AudioStream:
    tracks = container.streams.audio
    if not tracks:
        raise AudioError("This file has no audio track. Choose a recording with sound, or record again.")
    source.n_tracks = len(tracks)
    if source.track is None:
        marked = [n for n, track in enumerate(tracks) if track.disposition & av.stream.Disposition.default]
        source.track = marked[0] if marked else 0
    stream = tracks[source.track]
    if stream.codec_context is None:
        raise AudioError("The audio codec of this file is unknown. Export it again, as WAV or mp3.")
    return stream


def _is_float_format(audio_format: av.AudioFormat | None) -> bool:
    return audio_format is not None and audio_format.name.rstrip("p") in ("flt", "dbl")


def _timeline(container: av.container.InputContainer, source: DecodedStream) -> Timeline:
    """The time stamps of a file, from the start of its first track, also of pictures."""
    has_stamps = container.format.name not in ESTIMATED_DURATION_FORMATS
    declared_s = plausible_duration_s((container.duration or 0) / av.time_base) or source.header_duration_s
    start_s = (container.start_time or 0) / av.time_base if has_stamps else None
    return Timeline(source, start_s, declared_s, has_picture=bool(container.streams.video))


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
        except (av.FFmpegError, IndexError):  # the latter: a damaged packet of a track that did not exist before
            source.truncated = True
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            is_pause = stream.codec_context.name.startswith("amr") and packet.size <= AMR_PAUSE_BYTES
            source.damaged_packets += not is_pause


def _interleave_frames(
    frames: Iterator[av.AudioFrame], source: DecodedStream
) -> Iterator[tuple[av.AudioFrame, float | None]]:
    """Frames of any sample format as interleaved float32, each with its time in seconds.

    Planar frames must not be read from Python: with eight channels or more PyAV reads past the end of its plane list.
    """
    resampler = av.AudioResampler(format="flt")
    for frame in frames:
        at_s = frame.time
        try:
            converted = resampler.resample(frame)
        except (ValueError, av.FFmpegError):  # the format has changed or is invalid
            converted = []
            resampler = av.AudioResampler(format="flt")
        usable = [frame for frame in converted if frame.format.name == "flt"]
        source.damaged_packets += not usable
        yield from ((frame, at_s) for frame in usable)
