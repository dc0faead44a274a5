"""Samples of a microphone as the waveform of a model: mono, 16 kHz, chunk by chunk."""

import numpy as np
import soxr

from ser_core.audio import MAX_SOURCE_RATE, MIN_SOURCE_RATE, SAMPLE_RATE, AudioError


def to_mono(samples: np.ndarray) -> np.ndarray:
    """The mean over the channels as float32 in [-1, 1], shape = (n_samples,).

    Raises:
        AudioError: samples of another type or shape, or not finite.
    """
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "if" or samples.dtype.itemsize < 2:
        raise AudioError(
            f"Audio of type {samples.dtype} with shape {samples.shape} is not supported. "
            "Send int16, int32 or float samples, as (n_samples,) or (n_samples, n_channels)."
        )
    full_scale = 1.0 if samples.dtype.kind == "f" else -float(np.iinfo(samples.dtype).min)
    mono = samples.astype(np.float32) / np.float32(full_scale)
    mono = mono.mean(axis=1) if mono.ndim == 2 and mono.shape[1] else mono.reshape(-1)
    if not np.isfinite(mono).all():
        raise AudioError("The microphone sends samples that are not finite. Choose another device, or start it again.")
    return np.clip(mono, -1, 1)


class Resampler:
    """Resampling to 16 kHz, chunk by chunk without discontinuities; a change of the sample rate restarts it."""

    def __init__(self):
        self._rate, self._stream = float(SAMPLE_RATE), None

    def __call__(self, mono: np.ndarray, sample_rate: float) -> np.ndarray:
        rest = np.empty(0, np.float32)
        if sample_rate != self._rate:
            stream = _resample_stream(sample_rate)
            rest = self._stream.resample_chunk(rest, last=True) if self._stream else rest
            self._rate, self._stream = sample_rate, stream
        return np.concatenate([rest, self._stream.resample_chunk(mono) if self._stream else mono])


def _resample_stream(sample_rate: float) -> soxr.ResampleStream | None:
    """None for audio already at 16 kHz."""
    if not MIN_SOURCE_RATE <= sample_rate <= MAX_SOURCE_RATE:
        raise AudioError(
            f"The microphone claims a sample rate of {sample_rate} Hz, outside {MIN_SOURCE_RATE}-"
            f"{MAX_SOURCE_RATE} Hz. Choose another device."
        )
    if sample_rate == SAMPLE_RATE:
        return None
    return soxr.ResampleStream(sample_rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
