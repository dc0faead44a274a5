"""Reading of audio files of any format as mono waveforms, and writing of WAV.

Every file takes the same path: decoded block by block, averaged to mono and resampled, until the file or the allowed
duration ends. A file that cannot be used raises `AudioError`; parts of a readable file that were skipped or repaired
are listed in `Recording.notes`.
"""

import io
import math
import warnings
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ser_core.audio.decoding.decoders import decode_joined
from ser_core.audio.decoding.notes import decoding_notes
from ser_core.audio.decoding.resampling import MAX_SOURCE_RATE, MIN_SOURCE_RATE, DecodedAudio
from ser_core.audio.decoding.stream import AudioError
from ser_core.audio.isolation.child import decoder_job
from ser_core.audio.isolation.decoder_pool import decoder_pool
from ser_core.audio.repairs.rumble import remove_rumble
from ser_core.paths import STREAMS

SAMPLE_RATE = 16_000
"""Sample rate of every waveform in the program, in Hz."""

AudioFile = str | Path | bytes | BinaryIO

MAX_AUDIO_DURATION_S = 3600.0
MAX_AUDIO_BYTES = 200_000_000
MAX_OVERSHOOT_PEAK = 1.7  # of lossy codecs: 1.64 in all clips of the corpora; beyond, the sound itself is too loud
NOTED_OVERSHOOT_PEAK = 1.25  # of what is cut
WRITTEN_AT_ONCE = 1 << 20  # samples: an hour must not be in memory several times
MAX_PEAK = 100.0  # of a waveform from a caller: beyond it, the unit cannot be full scale
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

    Raises:
        AudioError: several channels, other integers, or samples that are not finite.
    """
    if waveform.ndim != 1 or not (waveform.dtype == np.int16 or np.issubdtype(waveform.dtype, np.floating)):
        raise AudioError(
            f"A WAV file is written from mono floats or 16-bit integers, not {waveform.dtype} of shape "
            f"{waveform.shape}. Average the channels, and divide by full scale."
        )
    if not np.isfinite(waveform).all():
        raise AudioError("A WAV file cannot hold samples that are not finite. Record it again.")
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
        Mono float32 in [-1, 1], shape = (n_samples,). Skipped or repaired parts are reported by `warnings.warn`,
            with the path, where one is given.

    Raises:
        AudioError: the file cannot be used; the message names the cause and the cure.
        ValueError: a sample rate that no recording has.
    """
    recording = read_audio(file, sample_rate)
    name = f"{file}: " if isinstance(file, str | Path) else ""  # Python shows equal warnings once
    for note in recording.notes:
        warnings.warn(name + note, stacklevel=2)
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
        ValueError: a sample rate that no recording has, or a duration without a sample.
        TypeError: neither a path, nor content, nor an open file.
    """
    _check_request(sample_rate, max_duration_s)
    sample_rate, max_duration_s = int(sample_rate), float(max_duration_s)  # of NumPy's numbers, as of a table
    data = read_bytes(file, max_bytes)
    reply, waveform = decoder_pool.decode(data, decoder_job(len(data), sample_rate, max_duration_s), check)
    if "error" in reply:
        raise AudioError(reply["error"])
    properties = reply["recording"]
    return Recording(waveform=waveform, **properties | {"notes": tuple(properties["notes"])})


def _check_request(sample_rate: int, max_duration_s: float) -> None:
    """Checks what is asked for: decoding would fail on it, and the message would blame the file."""
    if not MIN_SOURCE_RATE <= sample_rate <= MAX_SOURCE_RATE or sample_rate != int(sample_rate):
        limits = f"{MIN_SOURCE_RATE} to {MAX_SOURCE_RATE}"
        raise ValueError(f"sample_rate = {sample_rate}: give a whole number, {limits}, in Hz.")
    if not 1 / sample_rate <= max_duration_s < math.inf:
        raise ValueError(f"max_duration_s = {max_duration_s}: give a finite number above 0, in seconds.")


def decode_recording(data: bytes, sample_rate: int, max_duration_s: float) -> Recording:
    """Decode the content of an audio file in this process, without limits; for trusted files.

    Raises:
        AudioError: as `read_audio`.
    """
    parts, notes = decode_joined(data, sample_rate, max_duration_s)
    _check_samples(parts)
    waveforms = []
    for part in parts:
        waveform, level_notes = _limit_to_full_scale(part)
        waveform, rumble_notes = remove_rumble(waveform, sample_rate)
        waveforms.append(waveform)
        notes += decoding_notes(part, max_duration_s, is_alone=len(parts) == 1) + level_notes + rumble_notes
    waveform = waveforms[0] if len(parts) == 1 else np.concatenate(waveforms)
    source = parts[0].source
    return Recording(
        waveform=waveform,
        sample_rate=sample_rate,
        duration_s=len(waveform) / sample_rate,
        source_rate=source.rate,
        source_channels=source.channels,
        codec=source.codec,
        notes=tuple(dict.fromkeys(notes)),
    )


def _check_samples(parts: list[DecodedAudio]) -> None:
    if n_not_finite := sum(part.n_not_finite for part in parts):
        raise AudioError(
            f"{n_not_finite} of {sum(part.n_read for part in parts)} samples of this file are not finite (NaN or "
            "infinite). Export the recording again, as 16-bit WAV."
        )
    if not any(len(part.waveform) for part in parts):
        raise AudioError(
            "This file has a header but no samples: it is empty or was cut off. Record or export it again."
        )


def read_bytes(file: AudioFile, max_bytes: int = MAX_AUDIO_BYTES) -> bytes:
    """Content of a file.

    Args:
        file: as for read_audio.
        max_bytes: a larger file is refused before it is read.

    Raises:
        AudioError: the file does not exist, cannot be opened, is empty or too large.
        TypeError: neither a path, nor content, nor an open file.
    """
    if isinstance(file, bytes | bytearray | memoryview):
        _check_size(len(file), max_bytes)
        return bytes(file)
    if isinstance(file, str | Path):
        return _read_path(Path(file), max_bytes)
    if not hasattr(file, "read"):
        raise TypeError(f"An audio file is a path, bytes or an open binary file, not of type {type(file).__name__}.")
    if file.seekable():
        _check_size(file.seek(0, io.SEEK_END), max_bytes)
        file.seek(0)
    content = file.read(max_bytes + 1)
    if isinstance(content, str):
        raise AudioError("This file is open as text. Open it in binary mode: open(path, 'rb').")
    return read_bytes(content, max_bytes)


def check_waveforms(waveforms: Sequence[np.ndarray]) -> None:
    """Checks what a caller gives as the waveforms of several recordings.

    Raises:
        AudioError: no list (an array could be one recording or many), or a waveform as check_waveform refuses it.
    """
    if not isinstance(waveforms, Sequence) or isinstance(waveforms, str | bytes):
        kind = type(waveforms).__name__
        raise AudioError(f"Waveforms are a list of arrays, not of type {kind}. Put a single recording into a list.")
    for waveform in waveforms:
        check_waveform(waveform)


def check_waveform(waveform: np.ndarray, may_be_empty: bool = False) -> None:
    """Checks what a caller gives as a waveform.

    Raises:
        AudioError: no array of floats, not mono, empty, not finite, or far beyond [-1, 1].
    """
    what = "A waveform is a NumPy array of floats in [-1, 1], not of type"
    if not isinstance(waveform, np.ndarray) or isinstance(waveform, np.ma.MaskedArray):
        cure = "Read a file with load_audio; numpy.asarray(..., numpy.float32) makes an array of a list or a tensor."
        raise AudioError(f"{what} {type(waveform).__name__}. {cure}")
    if not np.issubdtype(waveform.dtype, np.floating):
        raise AudioError(f"{what} {waveform.dtype}. Divide 16-bit integers by 32768.")
    if waveform.ndim != 1:
        raise AudioError(f"A waveform is mono, of shape (n_samples,), not {waveform.shape}. Average its channels.")
    if not (len(waveform) or may_be_empty) or not np.isfinite(waveform).all():
        raise AudioError("A waveform must have at least one sample, and all samples finite. Record it again.")
    if (peak := max(float(waveform.max(initial=0)), -float(waveform.min(initial=0)))) > MAX_PEAK:
        raise AudioError(f"A waveform lies in [-1, 1], this one reaches {peak:.3g}. Divide it by its full scale.")


def _read_path(path: Path, max_bytes: int) -> bytes:
    name = path.name[:80] or str(path)  # "." has no name
    try:
        if not path.exists():
            raise AudioError(f"File not found: {name!r}. Check the path.")
        is_piped = path.parent in STREAMS and path.is_fifo()  # a pipe with a name in a folder may have no writer
        if not path.is_file() and not is_piped:
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


def _limit_to_full_scale(decoded: DecodedAudio) -> tuple[np.ndarray, tuple[str, ...]]:
    """Clip the overshoots of codec and resampler; rescale samples in another unit, such as int16 values as floats."""
    waveform = decoded.waveform
    peak = float(np.abs(waveform).max(initial=0.0))
    is_loud = decoded.signal.peak > 1.0 if decoded.source.is_float else peak > MAX_OVERSHOOT_PEAK
    if is_loud and peak > 1.0:
        return waveform / peak, (f"The samples reached {peak:.3g} times full scale; the level was reduced to fit.",)
    note = f"The samples reached {peak:.3g} times full scale and were cut: export it at a lower level."
    return np.clip(waveform, -1, 1), (note,) if peak > NOTED_OVERSHOOT_PEAK else ()
