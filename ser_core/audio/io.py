"""Reading of audio files of any format as mono waveforms, and writing of WAV.

Every file takes the same path: decoded block by block, averaged to mono and resampled, until the file or the allowed
duration ends. A file that cannot be used raises `AudioError`; parts of a readable file that were skipped or repaired
are listed in `Recording.notes`.
"""

import io
import warnings
import wave
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr

from ser_core.audio.decoding import (
    DECODER_ERRORS,
    AudioError,
    DecodedStream,
    ffmpeg_blocks,
    soundfile_blocks,
    unreadable_message,
)

SAMPLE_RATE = 16_000
"""Sample rate of every waveform in the program, in Hz."""

AudioFile = str | Path | bytes | BinaryIO

MAX_AUDIO_DURATION_S = 3600.0
MAX_AUDIO_BYTES = 200_000_000
MIN_SOURCE_RATE = 2_000  # in Hz; below it no speech band is left: such a rate comes from a damaged header
MAX_SOURCE_RATE = 768_000  # in Hz; that of the fastest converters on the market
TRUNCATION_TOLERANCE_S = 0.1  # codecs pad and cut up to a few thousand samples at the end: no audio is lost
MAX_OVERSHOOT_PEAK = 2.0  # lossy codecs overshoot full scale by less than 6 dB; beyond, samples have another unit
FLOOR_DBFS = -120.0  # level of digital silence, so that every level is finite


@dataclass(frozen=True, eq=False)
class Recording:
    """Decoded audio file."""

    waveform: np.ndarray  # mono float32 in [-1, 1], shape = (n_samples,)
    sample_rate: int  # of the waveform, in Hz
    duration_s: float
    source_rate: int  # of the file, in Hz
    source_channels: int
    codec: str  # container and codec, e.g. "WAV PCM_24" or "matroska opus"
    notes: tuple[str, ...]  # one sentence for each part that was skipped or repaired


def encode_wav(waveform: np.ndarray) -> bytes:
    """Content of a WAV file, 16 bit, mono, 16 kHz, without normalisation of the level.

    Args:
        waveform: 16 kHz, floats in [-1, 1] (clipped beyond) or 16-bit integers, shape = (n_samples,).
    """
    if waveform.dtype != np.int16:
        waveform = np.round(np.clip(waveform, -1, 1) * 32767)
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(waveform.astype("<i2").tobytes())
    return file.getvalue()


def load_audio(file: AudioFile, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read an audio file as a waveform. `read_audio` also returns its properties and takes limits.

    Args:
        file: path, content, or open binary file.
        sample_rate: of the result, in Hz.

    Returns:
        Mono float32 in [-1, 1], shape = (n_samples,). Skipped or repaired parts are reported by `warnings.warn`.

    Raises:
        AudioError: the file cannot be used; the message names the cause and the cure.
    """
    recording = read_audio(file, sample_rate)
    for note in recording.notes:
        warnings.warn(note, stacklevel=2)
    return recording.waveform


def read_audio(
    file: AudioFile,
    sample_rate: int = SAMPLE_RATE,
    max_duration_s: float = MAX_AUDIO_DURATION_S,
    max_bytes: int = MAX_AUDIO_BYTES,
) -> Recording:
    """Read an audio file: wav, flac, mp3, ogg, opus, m4a, aac, webm, mp4 and the other formats of FFmpeg.

    The format is detected from the content; the file name is ignored.

    Args:
        file: path, content, or open binary file, which is read from its beginning where it can seek.
        sample_rate: of the result, in Hz.
        max_duration_s: decoding stops after this many seconds, and a note is added.
        max_bytes: a larger file is refused before it is read.

    Raises:
        AudioError: the file does not exist, is too large, empty, not audio, without an audio track, unreadable or
            without samples, has samples that are not finite or an implausible sample rate.
    """
    data = _read_bytes(file, max_bytes)
    decoded = _decode(data, sample_rate, max_duration_s)
    if decoded.n_not_finite:
        raise AudioError(
            f"{decoded.n_not_finite} of {decoded.n_read} samples of this file are not finite (NaN or infinite). "
            "Export the recording again, as 16-bit WAV."
        )
    if not len(decoded.waveform):
        raise AudioError(
            "This file has a header but no samples: it is empty or was cut off. Record or export it again."
        )
    waveform, level_notes = _limit_to_full_scale(decoded.waveform)
    return Recording(
        waveform=waveform,
        sample_rate=sample_rate,
        duration_s=len(waveform) / sample_rate,
        source_rate=decoded.source.rate,
        source_channels=decoded.source.channels,
        codec=decoded.source.codec,
        notes=_decoding_notes(decoded, max_duration_s) + level_notes,
    )


def _read_bytes(file: AudioFile, max_bytes: int) -> bytes:
    """Content of a file, at most `max_bytes`."""
    if isinstance(file, bytes | bytearray | memoryview):
        _check_size(len(file), max_bytes)
        return bytes(file)
    if isinstance(file, str | Path):
        return _read_path(Path(file), max_bytes)
    if file.seekable():
        _check_size(file.seek(0, io.SEEK_END), max_bytes)
        file.seek(0)
    return _read_bytes(file.read(max_bytes + 1), max_bytes)


def _read_path(path: Path, max_bytes: int) -> bytes:
    name = path.name[:80]
    try:
        if not path.exists():
            raise AudioError(f"File not found: {name!r}. Check the path.")
        if not path.is_file():
            raise AudioError(f"{name!r} is a folder or a device, not a file. Choose an audio file.")
        with path.open("rb") as file:
            return _read_bytes(file, max_bytes)
    except OSError as error:
        raise AudioError(f"{name!r} cannot be opened: {error.strerror}. Check the path and its permissions.") from None


def _check_size(n_bytes: int, max_bytes: int) -> None:
    if n_bytes == 0:
        raise AudioError("This file is empty (0 bytes). Record or export it again.")
    if n_bytes > max_bytes:
        raise AudioError(
            f"This file is larger than {max_bytes / 1e6:g} MB, the limit. "
            "Cut it, or save it in a smaller format such as opus or mp3."
        )


@dataclass(frozen=True, eq=False)
class _DecodedAudio:
    source: DecodedStream
    waveform: np.ndarray  # at the requested sample rate
    n_read: int  # samples at the rate of the source
    n_not_finite: int
    capped: bool  # the file is longer than allowed

    @property
    def decoded_s(self) -> float:
        return self.n_read / max(self.source.rate, 1)

    @property
    def is_truncated(self) -> bool:
        missing_s = (self.source.header_duration_s or 0.0) - self.decoded_s
        return not self.capped and (self.source.truncated or missing_s > TRUNCATION_TOLERANCE_S)


def _decode(data: bytes, sample_rate: int, max_duration_s: float) -> _DecodedAudio:
    """Decode with libsndfile; if it fails or ends early, also with FFmpeg, and keep the longer result."""
    attempts: list[_DecodedAudio] = []
    for decoder in (soundfile_blocks, ffmpeg_blocks):
        source = DecodedStream(header_duration_s=attempts[0].source.header_duration_s if attempts else None)
        try:
            attempts.append(_resample_blocks(decoder(data, source), source, sample_rate, max_duration_s))
        except DECODER_ERRORS:
            continue
        if attempts[-1].n_read and not attempts[-1].is_truncated:
            break
    if not attempts:
        raise AudioError(unreadable_message(data))
    return max(attempts, key=lambda attempt: attempt.n_read)


def _resample_blocks(
    blocks: Generator[np.ndarray, None, None], source: DecodedStream, sample_rate: int, max_duration_s: float
) -> _DecodedAudio:
    """Resample mono blocks until the last one or the allowed duration."""
    chunks, n_read, n_not_finite, capped = [np.empty(0, np.float32)], 0, 0, False
    with closing(blocks):
        for block in blocks:
            if n_read == 0:
                resample = _resampler(source.rate, sample_rate)
            room = round(max_duration_s * source.rate) - n_read
            capped = len(block) > room
            block = block[:room]
            n_read += len(block)
            n_not_finite += int(np.count_nonzero(~np.isfinite(block)))
            chunks.append(resample(block, False))
            if capped:
                break
    if n_read:
        n_padding = max(0, source.rate // sample_rate - n_read)  # a single sample at 48 kHz would yield none at 16 kHz
        chunks.append(resample(np.zeros(n_padding, np.float32), True))
    waveform = np.concatenate(chunks)
    n_not_finite = n_not_finite or int(np.count_nonzero(~np.isfinite(waveform)))
    return _DecodedAudio(source, waveform, n_read, n_not_finite, capped)


def _resampler(source_rate: int, sample_rate: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """A function (block, is_last) -> resampled block."""
    if not MIN_SOURCE_RATE <= source_rate <= MAX_SOURCE_RATE:
        raise AudioError(
            f"This file declares a sample rate of {source_rate} Hz, outside {MIN_SOURCE_RATE}-{MAX_SOURCE_RATE} "
            "Hz: its header is damaged. Export the recording again."
        )
    if source_rate == sample_rate:
        return lambda block, is_last: block
    return soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality="HQ").resample_chunk


def _limit_to_full_scale(waveform: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Clip the overshoots of codec and resampler; rescale samples in another unit, such as int16 values as floats."""
    peak = float(np.abs(waveform).max())
    if peak <= MAX_OVERSHOOT_PEAK:
        return np.clip(waveform, -1, 1), ()
    return waveform / peak, (f"The samples reached {peak:.3g} times full scale; the level was reduced to fit.",)


def _decoding_notes(decoded: _DecodedAudio, max_duration_s: float) -> tuple[str, ...]:
    source, notes = decoded.source, []
    if decoded.capped:
        total = f" of {_format_duration(source.header_duration_s)}" if source.header_duration_s else ""
        notes.append(f"Only the first {_format_duration(max_duration_s)}{total} were read.")
    if decoded.is_truncated:
        known = source.header_duration_s and source.header_duration_s - decoded.decoded_s > TRUNCATION_TOLERANCE_S
        total = f" of the {source.header_duration_s:.1f} s declared by its header" if known else ""
        notes.append(f"The file ends early: {decoded.decoded_s:.1f} s{total} could be read.")
    if source.damaged_packets:
        notes.append(f"Damaged packets skipped: {source.damaged_packets}.")
    return tuple(notes)


def _format_duration(duration_s: float) -> str:
    return f"{duration_s / 60:.3g} min" if duration_s >= 60 else f"{duration_s:.3g} s"
