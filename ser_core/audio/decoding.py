"""Decoders of `ser_core.audio.io`: libsndfile and FFmpeg, both from memory, block by block.

A decoder is a generator of float32 blocks, shape = (n_samples, n_channels), that fills in a `DecodedStream` while it
runs, so that its caller can stop it at any block: hours of compressed audio are never decoded in full.
"""

import io
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import av
import numpy as np
import soundfile

from ser_core.audio.repairs.joined import id3_bytes

DECODER_ERRORS = (soundfile.SoundFileError, av.FFmpegError)

BLOCK_SAMPLES = 1 << 18  # decoded at once, over all channels: 1 MiB, whatever the header declares

# FFmpeg opens only these formats: a playlist could make the server read other files or addresses.
DEMUXERS = "aac,aiff,amr,ape,asf,au,avi,caf,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpegts,ogg,w64,wav,wv"

ESTIMATED_DURATION_FORMATS = (
    "aac",
    "mp3",
)  # FFmpeg divides the file size by a bit rate

AMR_PAUSE_BYTES = 7  # a packet of at most this size describes a pause (DTX), which FFmpeg does not decode

MIN_GAP_S = 0.05  # between time stamps; a smaller one is their rounding
MAX_FIRST_PAGE_S = 10.0  # of an Ogg file; pages hold about a second
MIN_JUMP_BACK_S = 1.0  # between joined streams; a smaller one is an overlap
MAX_GAP_S = 600.0  # a greater one comes from a damaged time stamp

MAX_DECLARED_S = 86_400.0  # a longer duration in a header is a placeholder, as in files written to a pipe

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
    unread_s: float = 0.0  # behind the end that a WAV header declares
    track: int | None = None  # the audio track to decode
    n_tracks: int = 1
    start_gap_s: float = 0.0  # silence before the sound, which begins after the picture
    gaps_s: float = 0.0  # silence in the place of missing packets
    ignored_jump_s: float = 0.0  # of time stamps that cannot be true
    is_float: bool = False  # samples that were never coded as integers or lossily: they may lie beyond full scale


class Timeline:
    """Places blocks at their time stamps, with silence in the gaps."""

    def __init__(self, source: DecodedStream, start_s: float | None, declared_s: float | None):
        """
        Args:
            source: gets the gaps, to report them.
            start_s: time stamp of the start; None for a format without time stamps.
            declared_s: duration of the file, if known; a later time stamp is wrong.
        """
        self._source, self._origin_s = source, start_s
        self._latest_s = declared_s or np.inf
        self._n_samples = 0

    def place(self, block: np.ndarray, at_s: float | None, rate: int) -> Iterator[np.ndarray]:
        """The silence up to the time stamp, in pieces, and the block."""
        n_missing = self._missing(at_s, rate)
        for start in range(0, n_missing, BLOCK_SAMPLES):
            yield np.zeros((min(BLOCK_SAMPLES, n_missing - start), block.shape[1]), np.float32)
        self._n_samples += n_missing + len(block)
        yield block

    def _missing(self, at_s: float | None, rate: int) -> int:
        """Samples between the end of the last block and a time stamp."""
        if at_s is None or self._origin_s is None:
            return 0
        due_s = at_s - self._origin_s
        gap_s = due_s - self._n_samples / rate
        if MIN_GAP_S < gap_s <= MAX_GAP_S and due_s < self._latest_s + MIN_GAP_S:
            if self._n_samples:
                self._source.gaps_s += gap_s
            else:
                self._source.start_gap_s = gap_s
            return round(gap_s * rate)
        if gap_s > MIN_GAP_S or gap_s < -MIN_JUMP_BACK_S:  # to a time that cannot be
            self._source.ignored_jump_s = max(self._source.ignored_jump_s, gap_s)
            self._origin_s += gap_s
        return 0


def plausible_duration_s(duration_s: float | None) -> float | None:
    """The duration that a header declares; None for a placeholder."""
    return duration_s if duration_s is not None and 0 <= duration_s <= MAX_DECLARED_S else None


def soundfile_blocks(data: bytes, source: DecodedStream) -> Generator[np.ndarray, None, None]:
    """Decode wav, flac, mp3, ogg and opus with libsndfile.

    Yields:
        float32, shape = (n_samples, n_channels), at `source.rate`.

    Raises:
        soundfile.SoundFileError: libsndfile cannot read the file.
    """
    with soundfile.SoundFile(io.BytesIO(data)) as sound:
        source.codec, source.rate, source.channels = f"{sound.format} {sound.subtype}", sound.samplerate, sound.channels
        source.header_duration_s = plausible_duration_s(sound.frames * _wav_header_ratio(data) / sound.samplerate)
        source.is_float = sound.subtype in ("FLOAT", "DOUBLE")
        source.unread_s = sound.frames / sound.samplerate * _wav_unread_ratio(data)
        source.truncated = sound.format == "OGG" and not _ogg_is_complete(data)
        if sound.subtype == "VORBIS":  # libsndfile counts the samples that are there, not those of lost pages
            source.header_duration_s = _vorbis_duration_s(data, sound.samplerate) or source.header_duration_s
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
            yield block


def _wav_samples(data: bytes) -> tuple[int, int] | None:
    """First byte and declared size of the samples of a WAV file; None for other formats."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at = 12
    while at + 8 < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return at + 8, size
        at += 8 + size + size % 2
    return None


def _wav_header_ratio(data: bytes) -> float:
    """Declared by actual size of the samples of a WAV file, which libsndfile does not report; 1 for other formats."""
    start, size = _wav_samples(data) or (0, 0)
    if not start or size >= STREAMED_WAV_SIZE:
        return 1.0
    return max(1.0, size / (len(data) - start))


def _wav_unread_ratio(data: bytes) -> float:
    """What follows the samples of a WAV file and is no further chunk, as a share of their size; 0 for other formats."""
    start, size = _wav_samples(data) or (0, 0)
    rest = start + size + size % 2
    if not size or rest >= len(data):
        return 0.0
    is_chunk = all(32 <= byte < 127 for byte in data[rest : rest + 4])
    return 0.0 if is_chunk else (len(data) - rest) / size


def _mp3_has_length_header(data: bytes) -> bool:
    """Whether the first frame after the ID3 tag contains the number of frames."""
    start = id3_bytes(data[:10])
    return any(mark in data[start : start + 200] for mark in (b"Xing", b"Info"))


def _ogg_is_complete(data: bytes) -> bool:
    """Whether the last Ogg page is complete and has the end-of-stream flag (RFC 3533, section 6)."""
    page = data[data.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    n_segments = page[26]
    return bool(page[5] & 4) and len(page) >= 27 + n_segments + sum(page[27 : 27 + n_segments])


def _vorbis_duration_s(data: bytes, rate: int) -> float | None:
    """Time stamp of the last page of an Ogg Vorbis file; None for one that was cut out of a longer stream."""
    last = data.rfind(b"OggS")
    first = next((page for page in _ogg_pages(data) if _page_samples(data, page) > 0), last)
    if _page_samples(data, first) > MAX_FIRST_PAGE_S * rate:
        return None
    return plausible_duration_s(_page_samples(data, last) / rate)


def _ogg_pages(data: bytes) -> Iterator[int]:
    """The first byte of each page."""
    at = data.find(b"OggS")
    while at >= 0:
        yield at
        at = data.find(b"OggS", at + 4)


def _page_samples(data: bytes, page: int) -> int:
    """The position of an Ogg page, in samples."""
    return int.from_bytes(data[page + 6 : page + 14], "little", signed=True)


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
    return Timeline(source, (container.start_time or 0) / av.time_base if has_stamps else None, declared_s)


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
