"""Reading of audio files of any format as mono waveforms, and writing of WAV.

Every file takes the same path: decoded block by block, averaged to mono and resampled, until the file or the allowed
duration ends. A file that cannot be used raises `AudioError`; parts of a readable file that were skipped or repaired
are listed in `Recording.notes`.
"""

import io
import warnings
import wave
from collections.abc import Callable, Generator, Iterator
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
from ser_core.audio.isolation.decoder_pool import decoder_job, decoder_pool
from ser_core.audio.repairs.joined import part_bounds
from ser_core.audio.repairs.rumble import remove_rumble
from ser_core.audio.repairs.signal import NO_REPAIR, Repair, SignalStatistics

SAMPLE_RATE = 16_000
"""Sample rate of every waveform in the program, in Hz."""

AudioFile = str | Path | bytes | BinaryIO
Decoder = Callable[[bytes, DecodedStream], Generator[np.ndarray, None, None]]

MAX_AUDIO_DURATION_S = 3600.0
MAX_AUDIO_BYTES = 200_000_000
MIN_SOURCE_RATE = 2_000  # in Hz; below it no speech band is left: such a rate comes from a damaged header
MAX_SOURCE_RATE = 768_000  # in Hz; that of the fastest converters on the market
TRUNCATION_TOLERANCE_S = 0.1  # codecs pad and cut up to a few thousand samples at the end: no audio is lost
MAX_OVERSHOOT_PEAK = 1.7  # of lossy codecs: 1.64 in all clips of the corpora; beyond, the sound itself is too loud
NOTED_OVERSHOOT_PEAK = 1.25  # of what is cut
WRITTEN_AT_ONCE = 1 << 20  # samples: an hour must not be in memory several times
SILENT_PEAK = 1e-4  # -80 dBFS: a track without sound
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
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        for first in range(0, len(waveform), WRITTEN_AT_ONCE):
            wav.writeframes(_as_int16(waveform[first : first + WRITTEN_AT_ONCE]).tobytes())
    return file.getvalue()


def _as_int16(waveform: np.ndarray) -> np.ndarray:
    if waveform.dtype != np.int16:
        waveform = np.round(np.clip(waveform, -1, 1) * 32767)
    return waveform.astype("<i2")


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
    check: Callable[[], None] = lambda: None,
) -> Recording:
    """Read an audio file: wav, flac, mp3, ogg, opus, m4a, aac, webm, mp4 and the other formats of FFmpeg.

    The format is detected from the content; the file name is ignored. A child process decodes, with a limit of memory
    and time (`decoder_pool`): no file can stop this process.

    Args:
        file: path, content, or open binary file, which is read from its beginning where it can seek.
        sample_rate: of the result, in Hz.
        max_duration_s: decoding stops after this many seconds, and a note is added.
        max_bytes: a larger file is refused before it is read.
        check: called often while the file is decoded; what it raises stops that.

    Raises:
        AudioError: the file does not exist, is too large, empty, not audio, without an audio track, unreadable or
            without samples, has samples that are not finite or an implausible sample rate, or takes more memory or
            time than recordings do.
    """
    data = read_bytes(file, max_bytes)
    reply, waveform = decoder_pool.decode(data, decoder_job(len(data), sample_rate, max_duration_s), check)
    if "error" in reply:
        raise AudioError(reply["error"])
    properties = reply["recording"]
    return Recording(waveform=waveform, **properties | {"notes": tuple(properties["notes"])})


def decode_recording(data: bytes, sample_rate: int, max_duration_s: float) -> Recording:
    """Decode the content of an audio file in this process, without limits; for trusted files.

    Raises:
        AudioError: as `read_audio`.
    """
    parts, notes = _decode_joined(data, sample_rate, max_duration_s)
    if n_not_finite := sum(part.n_not_finite for part in parts):
        raise AudioError(
            f"{n_not_finite} of {sum(part.n_read for part in parts)} samples of this file are not finite (NaN or "
            "infinite). Export the recording again, as 16-bit WAV."
        )
    if not any(len(part.waveform) for part in parts):
        raise AudioError(
            "This file has a header but no samples: it is empty or was cut off. Record or export it again."
        )
    waveforms = []
    for part in parts:
        notes += _decoding_notes(part, max_duration_s, is_alone=len(parts) == 1)
        waveform, level_notes = _limit_to_full_scale(part)
        waveform, rumble_notes = remove_rumble(waveform, sample_rate)
        waveforms.append(waveform)
        notes += level_notes + rumble_notes
    waveform = waveforms[0] if len(parts) == 1 else np.concatenate(waveforms)
    return Recording(
        waveform=waveform,
        sample_rate=sample_rate,
        duration_s=len(waveform) / sample_rate,
        source_rate=parts[0].source.rate,
        source_channels=parts[0].source.channels,
        codec=parts[0].source.codec,
        notes=tuple(dict.fromkeys(notes)),
    )


def read_bytes(file: AudioFile, max_bytes: int = MAX_AUDIO_BYTES) -> bytes:
    """Content of a file.

    Args:
        file: as for read_audio.
        max_bytes: a larger file is refused before it is read.

    Raises:
        AudioError: the file does not exist, cannot be opened, is empty or too large.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        _check_size(len(file), max_bytes)
        return bytes(file)
    if isinstance(file, str | Path):
        return _read_path(Path(file), max_bytes)
    if file.seekable():
        _check_size(file.seek(0, io.SEEK_END), max_bytes)
        file.seek(0)
    return read_bytes(file.read(max_bytes + 1), max_bytes)


def _read_path(path: Path, max_bytes: int) -> bytes:
    name = path.name[:80]
    try:
        if not path.exists():
            raise AudioError(f"File not found: {name!r}. Check the path.")
        if not path.is_file():
            raise AudioError(f"{name!r} is a folder or a device, not a file. Choose an audio file.")
        with path.open("rb") as file:
            return read_bytes(file, max_bytes)
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
    signal: SignalStatistics
    repair: Repair

    @property
    def decoded_s(self) -> float:
        return self.n_read / max(self.source.rate, 1)

    @property
    def is_truncated(self) -> bool:
        missing_s = (self.source.header_duration_s or 0.0) - self.decoded_s - self.source.ignored_jump_s
        return not self.capped and (self.source.truncated or missing_s > TRUNCATION_TOLERANCE_S)

    @property
    def is_silent(self) -> bool:
        return self.signal.peak < SILENT_PEAK


@dataclass(frozen=True)
class _Job:
    """A recording to decode, and how."""

    data: bytes
    sample_rate: int
    max_duration_s: float

    def run(self, decoder: Decoder, source: DecodedStream, repair: Repair = NO_REPAIR) -> _DecodedAudio | None:
        """None if the decoder cannot read it."""
        try:
            blocks = decoder(self.data, source)
            return _resample_blocks(blocks, source, self.sample_rate, self.max_duration_s, repair)
        except DECODER_ERRORS:
            return None


def _decode_joined(data: bytes, sample_rate: int, max_duration_s: float) -> tuple[list[_DecodedAudio], tuple[str, ...]]:
    """All recordings of a file, and a note for each that cannot be read."""
    bounds = part_bounds(data)
    if len(bounds) == 1:
        return [_decode(_Job(data[slice(*bounds[0])], sample_rate, max_duration_s))], ()
    decoded: list[_DecodedAudio] = []
    notes = []
    for number, (start, end) in enumerate(bounds, 1):
        left_s = max_duration_s - sum(part.decoded_s for part in decoded)
        try:
            decoded.append(_decode(_Job(data[start:end], sample_rate, left_s)))
        except AudioError as error:
            notes.append(f"Part {number} of the {len(bounds)} joined in this file was left out. {error}")
        if decoded and decoded[-1].capped:
            break
    if not decoded:
        raise AudioError(unreadable_message(data))
    return decoded, tuple(notes)


def _decode(job: _Job) -> _DecodedAudio:
    """Decode with libsndfile; if it fails or ends early, also with FFmpeg, and keep the longer result."""
    best, decoder = job.run(soundfile_blocks, DecodedStream()), soundfile_blocks
    if best is None or not best.n_read or best.is_truncated:
        declared_s = best.source.header_duration_s if best else None
        other = job.run(ffmpeg_blocks, DecodedStream(header_duration_s=declared_s))
        if other and (best is None or other.n_read > best.n_read):
            best, decoder = _first_audible_track(job, other), ffmpeg_blocks
    if best is None:
        raise AudioError(unreadable_message(job.data))
    repair = best.signal.repair(best.source.rate)
    if repair is None:
        return best
    source = DecodedStream(header_duration_s=best.source.header_duration_s, track=best.source.track)
    return job.run(decoder, source, repair) or best


def _first_audible_track(job: _Job, chosen: _DecodedAudio) -> _DecodedAudio:
    """The chosen track of a file; if it is silent, the first one that is not."""
    if not chosen.is_silent:
        return chosen
    for track in range(chosen.source.n_tracks):
        other = job.run(ffmpeg_blocks, DecodedStream(track=track)) if track != chosen.source.track else None
        if other and not other.is_silent:
            return other
    return chosen


def _resample_blocks(
    blocks: Generator[np.ndarray, None, None],
    source: DecodedStream,
    sample_rate: int,
    max_duration_s: float,
    repair: Repair,
) -> _DecodedAudio:
    """Downmix and resample blocks until the last one or the allowed duration."""
    chunks, n_read, n_not_finite, capped = [np.empty(0, np.float32)], 0, 0, False
    signal = SignalStatistics()
    with closing(blocks):
        for block in blocks:
            if n_read == 0:
                resample = _resampler(source.rate, sample_rate)
            room = round(max_duration_s * source.rate) - n_read
            capped = len(block) > room
            block = block[:room]
            mono = repair.downmix(block, n_read, source.rate)
            signal.add(block, mono, n_read, source.rate)
            n_read += len(mono)
            n_not_finite += int(np.count_nonzero(~np.isfinite(mono)))
            chunks.append(resample(mono, False))
            if capped:
                break
    if n_read:
        n_padding = max(0, source.rate // sample_rate - n_read)  # a single sample at 48 kHz would yield none at 16 kHz
        chunks.append(resample(np.zeros(n_padding, np.float32), True))
    waveform = np.concatenate(chunks)
    n_not_finite = n_not_finite or int(np.count_nonzero(~np.isfinite(waveform)))
    return _DecodedAudio(source, waveform, n_read, n_not_finite, capped, signal, repair)


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


def _limit_to_full_scale(decoded: _DecodedAudio) -> tuple[np.ndarray, tuple[str, ...]]:
    """Clip the overshoots of codec and resampler; rescale samples in another unit, such as int16 values as floats."""
    waveform = decoded.waveform
    peak = float(np.abs(waveform).max(initial=0.0))
    is_loud = decoded.signal.peak > 1.0 if decoded.source.is_float else peak > MAX_OVERSHOOT_PEAK
    if is_loud and peak > 1.0:
        return waveform / peak, (f"The samples reached {peak:.3g} times full scale; the level was reduced to fit.",)
    note = f"The samples reached {peak:.3g} times full scale and were cut: export it at a lower level."
    return np.clip(waveform, -1, 1), (note,) if peak > NOTED_OVERSHOOT_PEAK else ()


def _decoding_notes(decoded: _DecodedAudio, max_duration_s: float, is_alone: bool) -> tuple[str, ...]:
    """What was not read, or is not in the file.

    Args:
        decoded: the recording.
        max_duration_s: that could be read.
        is_alone: in its file, so that its duration is that of the file.
    """
    source, notes = decoded.source, []
    if decoded.capped:
        total = f" of {_format_duration(source.header_duration_s)}" if source.header_duration_s and is_alone else ""
        notes.append(f"Only the first {_format_duration(max_duration_s)}{total} were read.")
    if decoded.is_truncated:
        known = source.header_duration_s and source.header_duration_s - decoded.decoded_s > TRUNCATION_TOLERANCE_S
        total = f" of the {source.header_duration_s:.1f} s declared by its header" if known else ""
        notes.append(f"The file ends early: {decoded.decoded_s:.1f} s{total} could be read.")
    if source.unread_s > TRUNCATION_TOLERANCE_S:
        notes.append(
            f"Its header ends before the file: {source.unread_s:.1f} s after the end it declares were not read."
        )
    if source.damaged_packets:
        notes.append(f"Damaged packets skipped: {source.damaged_packets}.")
    return (*notes, *_timing_notes(source), *decoded.repair.notes())


def _timing_notes(source: DecodedStream) -> Iterator[str]:
    if source.n_tracks > 1:
        yield f"Only track {(source.track or 0) + 1} of the {source.n_tracks} audio tracks of this file was read."
    if source.start_gap_s:
        yield f"The sound begins {source.start_gap_s:.1f} s after the picture: silence was put before it."
    if source.gaps_s:
        yield f"Silence was put in the place of {source.gaps_s:.1f} s of missing packets."
    if source.ignored_jump_s > 0:
        yield f"A jump of the time stamps by {source.ignored_jump_s:.0f} s was ignored: later times are without it."


def _format_duration(duration_s: float) -> str:
    return f"{duration_s / 60:.3g} min" if duration_s >= 60 else f"{duration_s:.3g} s"
