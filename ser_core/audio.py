"""Sound files of any kind to mono waveforms, and where the windows of a waveform lie.

Every file goes the same way: its bytes are decoded block by block (libsndfile first, FFmpeg for what it cannot read),
averaged to mono and resampled, until the file or the allowed duration ends. A file that cannot be used raises
`AudioError`; what was left out of a readable one is told in `Recording.notes`.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16_000
"""Sample rate of every waveform in the program, in Hz."""

AudioFile = str | Path | bytes | BinaryIO

MAX_DURATION_S = 3600.0
MAX_BYTES = 200_000_000
LOWEST_SOURCE_RATE = 2_000  # below it there is no speech band left; such rates come from damaged headers
HIGHEST_SOURCE_RATE = 768_000  # the fastest converters sold; more is a damaged header and would ask for absurd filters
BLOCK_SAMPLES = 1 << 18  # samples over all channels decoded at once: 1 MiB, whatever the file claims to be

ENDING_SLACK_S = 0.1  # codecs pad and trim up to a few thousand samples; less missing than this is no lost sound
HIGHEST_PEAK = 2.0  # lossy codecs overshoot full scale by less than 6 dB; more means the samples are in another unit

# FFmpeg opens only these. Playlist formats would let a file name other files or addresses to be read.
DEMUXERS = "aac,aiff,amr,ape,asf,au,avi,caf,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpegts,ogg,w64,wav,wv"

CONTENT_SIGNATURES = (  # (offset, bytes, name, could hold sound)
    (8, b"WAVE", "a WAV file", True),
    (0, b"fLaC", "a FLAC file", True),
    (0, b"OggS", "an Ogg file", True),
    (0, b"ID3", "an MP3 file", True),
    (4, b"ftyp", "an MP4 or M4A file", True),
    (0, b"\x1a\x45\xdf\xa3", "a WebM file", True),
    (0, b"\xff\xd8\xff", "a JPEG picture", False),
    (0, b"\x89PNG", "a PNG picture", False),
    (0, b"%PDF", "a PDF document", False),
    (0, b"PK\x03\x04", "a ZIP archive", False),
)


class AudioError(ValueError):
    """A sound file that cannot be used. The message names the cause and the cure, for the person who chose the file."""


@dataclass(frozen=True)
class Recording:
    """A decoded sound file."""

    waveform: np.ndarray
    """Mono float32 in [-1, 1], shape = (n_samples,)."""
    sample_rate: int
    """In Hz."""
    duration_s: float
    source_rate: int
    """Sample rate of the file, in Hz."""
    source_channels: int
    codec: str
    """Container and codec, e.g. `WAV PCM_24` or `webm opus`."""
    notes: tuple[str, ...] = ()
    """One sentence for each thing that was left out or repaired."""


def load_audio(file: AudioFile, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read a sound file as a waveform; `read_audio` tells more about it.

    Args:
        file: path, content as bytes, or open binary file.
        sample_rate: of the result, in Hz.

    Returns:
        Mono float32 in [-1, 1], shape = (n_samples,). What was left out is told by `warnings.warn`.

    Raises:
        AudioError: the file cannot be used; the message says why and what to do.
    """
    recording = read_audio(file, sample_rate)
    for note in recording.notes:
        warnings.warn(note, stacklevel=2)
    return recording.waveform


def read_audio(
    file: AudioFile,
    sample_rate: int = SAMPLE_RATE,
    max_duration_s: float = MAX_DURATION_S,
    max_bytes: int = MAX_BYTES,
) -> Recording:
    """Read a sound file: wav, flac, mp3, ogg, opus, m4a, aac, webm, the sound of mp4, and what else FFmpeg reads.

    The format is found from the content; names and endings are ignored.

    Args:
        file: path, content as bytes, or open binary file (read from its beginning).
        sample_rate: of the result, in Hz.
        max_duration_s: decoding stops here, in seconds; a note says so.
        max_bytes: a larger file is refused before it is read.

    Raises:
        AudioError: not a file, too large, empty, not sound, damaged beyond reading, without samples, with samples
            that are no numbers, or at an absurd sample rate.
    """
    data = _read_bytes(file, max_bytes)
    decoded = _decode(data, sample_rate, max_duration_s)
    if decoded.n_not_finite:
        raise AudioError(
            f"{decoded.n_not_finite} samples of this file are no numbers (NaN or infinite). "
            "Export the recording again, as 16-bit WAV."
        )
    if not len(decoded.waveform):
        raise AudioError("This file holds no sound: it has a header but no samples. Record or export it again.")
    waveform, level_notes = _within_full_scale(decoded.waveform)
    source = decoded.source
    return Recording(
        waveform,
        sample_rate,
        len(waveform) / sample_rate,
        source.rate,
        source.channels,
        source.codec,
        (*decoded.notes(max_duration_s), *level_notes),
    )


def trim_silence(waveform: np.ndarray, top_db: float = 35.0, margin_s: float = 0.1) -> tuple[int, int]:
    """Find the part of a 16 kHz waveform that is not silence at its ends.

    A frame (32 ms, hop 16 ms) belongs to the sound if its level is within `top_db` dB of the loudest frame's.

    Args:
        waveform: shape = (n_samples,).
        top_db: how far below the loudest frame the sound may fall, in dB.
        margin_s: kept before the first and after the last such frame, in seconds.

    Returns:
        (start, end) in samples; the whole range for silence.
    """
    frame, hop = SAMPLE_RATE * 32 // 1000, SAMPLE_RATE * 16 // 1000
    starts = np.arange(0, max(len(waveform) - frame, 0) + hop, hop)
    ends = np.minimum(starts + frame, len(waveform))
    energy_until = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])
    power = (energy_until[ends] - energy_until[starts]) / np.maximum(ends - starts, 1)
    if not power.max() > 0:
        return 0, len(waveform)
    (loud,) = np.nonzero(power >= power.max() * 10 ** (-top_db / 10))
    margin = round(margin_s * SAMPLE_RATE)
    return max(0, int(starts[loud[0]]) - margin), min(len(waveform), int(ends[loud[-1]]) + margin)


def window_starts(n_samples: int, window: int, hop: int) -> np.ndarray:
    """Where the windows over a waveform begin: every sample is covered and the last window ends with the waveform.

    Args:
        n_samples, window, hop: in samples, 0 < hop <= window.

    Returns:
        Start samples, shape = (n_windows,); a single 0 for a waveform no longer than a window.

    Raises:
        ValueError: a hop that would leave samples out.
    """
    if not 0 < hop <= window:
        raise ValueError(f"hop = {hop} must lie in 1..window = {window}, or samples would be left out")
    if n_samples <= window:
        return np.zeros(1, dtype=np.int64)
    return np.append(np.arange(0, n_samples - window, hop), n_samples - window)


# --- bytes ---------------------------------------------------------------------------------------------------------


def _read_bytes(file: AudioFile, max_bytes: int) -> bytes:
    """The content of a file, never more of it than `max_bytes`."""
    if isinstance(file, str | Path):
        return _read_path(Path(file), max_bytes)
    if not isinstance(file, bytes | bytearray | memoryview):
        if file.seekable():
            file.seek(0)
        file = file.read(max_bytes + 1)
    _check_size(len(file), max_bytes)
    return bytes(file)


def _read_path(path: Path, max_bytes: int) -> bytes:
    try:
        if not path.exists():
            raise AudioError(f"There is no file {path.name!r}. Check the path.")
        if not path.is_file():
            raise AudioError(f"{path.name!r} is not a file but a folder or a device. Choose a sound file.")
        _check_size(path.stat().st_size, max_bytes)
        return path.read_bytes()
    except OSError as error:
        raise AudioError(
            f"{path.name[:80]!r} cannot be opened: {error.strerror}. Check the path and the rights."
        ) from None


def _check_size(n_bytes: int, max_bytes: int) -> None:
    if n_bytes == 0:
        raise AudioError("This file is empty (0 bytes). Record or export it again.")
    if n_bytes > max_bytes:
        raise AudioError(
            f"This file is larger than {max_bytes / 1e6:g} MB, the most that is read. "
            "Cut it, or save it in a smaller format such as opus or mp3."
        )


# --- decoding ------------------------------------------------------------------------------------------------------


@dataclass
class _Source:
    """What a decoder finds out about the file while it runs."""

    codec: str = ""
    rate: int = 0
    channels: int = 0
    promised_s: float | None = None
    damaged_packets: int = 0
    broken_off: bool = False  # the decoder gave up before the end


@dataclass
class _Decoded:
    source: _Source
    waveform: np.ndarray
    read_s: float
    n_not_finite: int
    capped: bool

    @property
    def complete(self) -> bool:
        missing_s = (self.source.promised_s or 0.0) - self.read_s
        return self.capped or not (self.source.broken_off or missing_s > ENDING_SLACK_S)

    def notes(self, max_duration_s: float) -> tuple[str, ...]:
        notes, promised_s = [], self.source.promised_s
        if self.capped:
            whole = f" of {_clock(promised_s)}" if promised_s else ""
            notes.append(f"Only the first {_clock(max_duration_s)}{whole} were read.")
        elif not self.complete:
            promise = f" of the {promised_s:.1f} s its header promises" if promised_s else ""
            notes.append(f"The file ends early: {self.read_s:.1f} s{promise} could be read.")
        if self.source.damaged_packets:
            notes.append(f"{self.source.damaged_packets} damaged packets were left out.")
        return tuple(notes)


def _clock(duration_s: float) -> str:
    return f"{duration_s / 60:.3g} min" if duration_s >= 60 else f"{duration_s:.3g} s"


def _decode(data: bytes, sample_rate: int, max_duration_s: float) -> _Decoded:
    """Decode with libsndfile; where it fails or stops early, with FFmpeg, and keep the longer result."""
    results = []
    for decoder in (_soundfile_blocks, _ffmpeg_blocks):
        source = _Source()
        try:
            results.append(_collect(decoder(data, source), source, sample_rate, max_duration_s))
        except (soundfile.SoundFileError, av.FFmpegError):
            continue
        if results[-1].complete and len(results[-1].waveform):
            break
    if not results:
        raise AudioError(_why_unreadable(data))
    return max(results, key=lambda decoded: decoded.read_s)


def _collect(blocks: Iterator[np.ndarray], source: _Source, sample_rate: int, max_duration_s: float) -> _Decoded:
    """Resample mono blocks until they or the allowed duration end."""
    chunks, resampler, n_read, n_not_finite, capped = [], None, 0, 0, False
    with closing(blocks):
        for block in blocks:
            if resampler is None:
                _check_rate(source.rate)
                resampler = _resampler(source.rate, sample_rate)
            room = round(max_duration_s * source.rate) - n_read
            capped = len(block) > room
            block = block[:room]
            n_read += len(block)
            n_not_finite += int(np.count_nonzero(~np.isfinite(block)))
            chunks.append(resampler(block, False))
            if capped:
                break
    if resampler is not None:
        chunks.append(resampler(np.empty(0, np.float32), True))
    waveform = np.concatenate(chunks) if chunks else np.empty(0, np.float32)
    return _Decoded(source, waveform, n_read / max(source.rate, 1), n_not_finite, capped)


def _check_rate(rate: int) -> None:
    if not LOWEST_SOURCE_RATE <= rate <= HIGHEST_SOURCE_RATE:
        raise AudioError(
            f"This file claims a sample rate of {rate} Hz, outside {LOWEST_SOURCE_RATE}-{HIGHEST_SOURCE_RATE} Hz: "
            "its header is damaged. Export the recording again."
        )


def _resampler(source_rate: int, sample_rate: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    if source_rate == sample_rate:
        return lambda block, last: block
    return soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality="HQ").resample_chunk


def _soundfile_blocks(data: bytes, source: _Source) -> Iterator[np.ndarray]:
    with soundfile.SoundFile(io.BytesIO(data)) as sound:
        source.codec, source.rate, source.channels = f"{sound.format} {sound.subtype}", sound.samplerate, sound.channels
        source.promised_s = sound.frames * _wav_promise(data) / max(sound.samplerate, 1)
        n_frames = max(1, BLOCK_SAMPLES // sound.channels)
        while True:
            try:
                block = sound.read(n_frames, dtype="float32", always_2d=True)
            except soundfile.SoundFileError:
                source.broken_off = True
                return
            if not len(block):
                return
            yield _mono(block.T)


def _wav_promise(data: bytes) -> float:
    """How many times more sound a WAV header promises than the file holds; 1 for every other format."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 1.0
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            held = len(data) - at - 8
            written_to_a_pipe = size >= 0x7FFF_0000  # such writers do not know the length and fill in a huge one
            return 1.0 if written_to_a_pipe or not held else max(1.0, size / held)
        at += 8 + size + size % 2
    return 1.0


def _ffmpeg_blocks(data: bytes, source: _Source) -> Iterator[np.ndarray]:
    limits = {"format_whitelist": DEMUXERS, "protocol_whitelist": ""}
    with av.open(io.BytesIO(data), container_options=limits, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise AudioError("This file has no sound track. Choose a recording with sound, or record again.")
        stream = container.streams.audio[0]
        source.codec = f"{container.format.name.split(',')[0]} {stream.codec_context.name}"
        if stream.duration and stream.time_base:
            source.promised_s = float(stream.duration * stream.time_base)
        for frame in chain.from_iterable(_frames(container, stream, source)):
            samples = _samples(frame)
            if not source.rate:
                source.rate, source.channels = frame.sample_rate, len(samples)
            if frame.sample_rate != source.rate:
                source.damaged_packets += 1
            else:
                yield _mono(samples)


def _frames(container, stream, source: _Source) -> Iterator[list]:
    """Lists of decoded frames; a packet that cannot be decoded is counted and left out."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            source.broken_off = True
            return
        try:
            yield packet.decode()
        except av.FFmpegError:
            source.damaged_packets += 1


def _samples(frame: av.AudioFrame) -> np.ndarray:
    """Samples of an FFmpeg frame as float32 in [-1, 1], shape = (n_channels, n_samples)."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if np.issubdtype(samples.dtype, np.integer):
        return samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    return samples.astype(np.float32)


def _mono(samples: np.ndarray) -> np.ndarray:
    """Mean over the channels of (n_channels, n_samples)."""
    if len(samples) == 1:
        return np.ascontiguousarray(samples[0])
    return np.full(len(samples), 1 / len(samples), np.float32) @ samples


def _within_full_scale(waveform: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Cut overshoots of codec and resampler; scale down samples in another unit, such as 16-bit numbers as floats."""
    peak = float(np.abs(waveform).max())
    if peak <= HIGHEST_PEAK:
        return np.clip(waveform, -1, 1), ()
    return waveform / peak, (f"The samples reached {peak:.3g} times full scale; the level was reduced to fit.",)


def _why_unreadable(data: bytes) -> str:
    for offset, signature, name, could_hold_sound in CONTENT_SIGNATURES:
        if data[offset : offset + len(signature)] == signature:
            if could_hold_sound:
                return f"This is {name}, but it is damaged or cut off and cannot be read. Record or export it again."
            return f"This is {name}, not sound. Choose a sound file."
    kind = "text" if _is_text(data[:1000]) else "no sound format that is known"
    return f"This file holds {kind}. Choose a recording as wav, flac, mp3, ogg, opus, m4a, aac, webm or mp4."


def _is_text(data: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in data)
