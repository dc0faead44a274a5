"""How good a recording is for emotion recognition: where there is speech, how loud, how clean, and what to do better.

Everything here takes waveforms as `ser_core.audio.io` makes them: mono float32 at 16 kHz, shape = (n_samples,).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ser_core.audio.io import SAMPLE_RATE
from ser_core.audio.vad import speech_segments

SegmentTimes = tuple[tuple[float, float], ...]

PAUSE_GUARD_S = 0.1  # breath and room echo around speech are neither speech nor noise
MIN_PAUSE_S = 0.1  # less tells nothing about the noise
NOISE_FRAME = 160  # samples, 10 ms

QUALITY_FLOOR_DBFS = -120.0  # digital silence, so that a report holds numbers only
SIXTEEN_BIT_STEP = 1 / 32_768

FLAT_TOP = 0.95  # of the peak: a flat top that was resampled ripples by less than this
FLAT_MIN_SAMPLES = 3  # a shorter top is any peak
FLAT_MIN_STEEPNESS = 0.5  # that of a sine is 0.2 at FLAT_TOP, and up to 0.4 when sampled coarsely
FLAT_MIN_PEAK = 0.1  # below it, the steps of an 8-bit recording make flat tops of their own

SHORT_SPEECH_S = 0.8  # 19 of 20 clips of the corpora hold more
QUIET_DBFS = -45.0  # nearly all speech of CREMA-D and TESS, which were recorded as a laptop is used, is louder
CLIPPED_PERCENT = 0.1  # speech driven 3 dB into the limit
LOW_SNR_DB = 10.0  # the models are trained with noise at 10 to 30 dB
HIGH_DC_OFFSET = 0.01  # -40 dBFS: as strong as soft speech


@dataclass(frozen=True)
class Quality:
    """What can be said about a recording before any model hears it."""

    duration_s: float
    speech_segments: SegmentTimes  # (start_s, end_s)
    speech_s: float
    level_lufs: float | None  # integrated loudness (ITU-R BS.1770); None under 0.4 s and for silence
    level_dbfs: float  # RMS of the speech, of everything where there is none; at least -120
    peak_dbfs: float  # at least -120
    clipped_percent: float  # of all samples
    snr_db: float | None  # speech against pauses; None where one of them is missing
    dc_offset: float  # mean, in [-1, 1]
    advice: tuple[str, ...]  # a sentence for each bad value, for a person at a microphone


def measure_quality(waveform: np.ndarray) -> Quality:
    """Measure a recording.

    Args:
        waveform: 16 kHz, shape = (n_samples,).
    """
    segments = speech_segments(waveform)
    speech = waveform[_segment_mask(len(waveform), segments)]
    measured = Quality(
        duration_s=len(waveform) / SAMPLE_RATE,
        speech_segments=segments,
        speech_s=sum(end_s - start_s for start_s, end_s in segments),
        level_lufs=_loudness_lufs(waveform),
        level_dbfs=_dbfs(_mean_power(speech if segments else waveform) ** 0.5),
        peak_dbfs=_dbfs(float(np.abs(waveform).max(initial=0.0))),
        clipped_percent=_clipped_percent(waveform),
        snr_db=_snr_db(speech, _pause_samples(waveform, segments)),
        dc_offset=float(waveform.mean(dtype=np.float64)) if len(waveform) else 0.0,
        advice=(),
    )
    return replace(measured, advice=tuple(_advice(measured)))


def reduce_noise(waveform: np.ndarray) -> np.ndarray:
    """Lower steady noise by spectral gating, with the noise measured in the pauses of the speech.

    Args:
        waveform: 16 kHz, shape = (n_samples,).

    Returns:
        float32, same shape; unchanged where there is no speech, or no pause of 0.1 s to measure the noise in.
    """
    segments = speech_segments(waveform)
    noise = _pause_samples(waveform, segments)
    if not segments or len(noise) < MIN_PAUSE_S * SAMPLE_RATE:
        return waveform
    import noisereduce  # slow to import, and rarely asked for

    return noisereduce.reduce_noise(
        y=waveform, sr=SAMPLE_RATE, y_noise=noise, stationary=True, n_std_thresh_stationary=1.0, freq_mask_smooth_hz=200
    ).astype(np.float32)


def _clipped_percent(waveform: np.ndarray) -> float:
    """How many percent of the samples lie on tops that were cut off, also where the file was resampled since.

    A run near the peak of the clip was cut if it is long for how steeply the wave enters or leaves it: run length times
    step, which for a sine of any frequency is the same small number.

    Args:
        waveform: shape = (n_samples,).
    """
    peak = np.abs(waveform).max(initial=0.0)
    if peak < FLAT_MIN_PEAK:
        return 0.0
    top = (waveform >= FLAT_TOP * peak).astype(np.int8) - (waveform <= -FLAT_TOP * peak)
    starts = np.flatnonzero(np.diff(top, prepend=2))
    n_samples = np.diff(starts, append=len(waveform))
    steps = np.append(np.abs(waveform[starts] - waveform[starts - 1]), 0.0)
    steps[0] = 0.0
    steepness = n_samples * np.maximum(steps[:-1], steps[1:]) / peak
    cut = (top[starts] != 0) & (n_samples >= FLAT_MIN_SAMPLES) & (steepness > FLAT_MIN_STEEPNESS)
    return 100.0 * float(n_samples[cut].sum()) / len(waveform)


def _pause_samples(waveform: np.ndarray, segments: SegmentTimes) -> np.ndarray:
    return waveform[~_segment_mask(len(waveform), segments, margin_s=PAUSE_GUARD_S)]


def _segment_mask(n_samples: int, segments: SegmentTimes, margin_s: float = 0.0) -> np.ndarray:
    """Mask of the samples in the segments, shape = (n_samples,)."""
    mask = np.zeros(n_samples, dtype=bool)
    for start_s, end_s in segments:
        mask[max(0, round((start_s - margin_s) * SAMPLE_RATE)) : round((end_s + margin_s) * SAMPLE_RATE)] = True
    return mask


def _mean_power(waveform: np.ndarray) -> float:
    return float(np.dot(waveform, waveform)) / max(len(waveform), 1)


def _dbfs(amplitude: float) -> float:
    return max(QUALITY_FLOOR_DBFS, 20 * float(np.log10(max(amplitude, 1e-12))))


def _loudness_lufs(waveform: np.ndarray) -> float | None:
    from pyloudnorm import Meter  # slow to import

    meter = Meter(SAMPLE_RATE)
    if len(waveform) < meter.block_size * SAMPLE_RATE:
        return None
    loudness = float(meter.integrated_loudness(waveform))
    return loudness if np.isfinite(loudness) else None


def _snr_db(speech: np.ndarray, pauses: np.ndarray) -> float | None:
    """Power of the speech without its noise against the noise in the pauses; the median keeps clicks out of it."""
    if not len(speech) or len(pauses) < MIN_PAUSE_S * SAMPLE_RATE:
        return None
    frames = pauses[: len(pauses) // NOISE_FRAME * NOISE_FRAME].reshape(-1, NOISE_FRAME)
    noise = max(float(np.median(np.mean(np.square(frames, dtype=np.float64), axis=1))), SIXTEEN_BIT_STEP**2 / 12)
    return 10 * float(np.log10(max(_mean_power(speech) - noise, noise / 100) / noise))


def _advice(measured: Quality) -> Iterator[str]:
    if measured.peak_dbfs <= QUALITY_FLOOR_DBFS:
        yield "Silence: choose the right microphone and check that it is not muted."
        return
    if not measured.speech_segments:
        yield "No speech was found: speak towards the microphone, or choose another recording."
    elif measured.speech_s < SHORT_SPEECH_S:
        yield f"Only {measured.speech_s:.1f} s of speech: say a whole sentence."
    if measured.level_dbfs < QUIET_DBFS:
        yield f"Very quiet ({measured.level_dbfs:.0f} dBFS): move closer or raise the input level."
    if measured.clipped_percent > CLIPPED_PERCENT:
        yield f"Clipped ({measured.clipped_percent:.1f} % is cut off): move away or lower the input level."
    if measured.snr_db is not None and measured.snr_db < LOW_SNR_DB:
        yield f"Noisy (speech {measured.snr_db:.0f} dB above the background): move closer or find a quieter place."
    if abs(measured.dc_offset) > HIGH_DC_OFFSET:
        yield f"Off the zero line (by {measured.dc_offset:+.2f} of full scale): try another microphone or input."
