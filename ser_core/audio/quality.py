"""Recording quality: speech segments, level, clipping, signal-to-noise ratio, DC offset, with advice to the speaker.

Waveforms are those of `ser_core.audio.io`: mono float32 at 16 kHz, shape = (n_samples,).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ser_core.audio.io import FLOOR_DBFS, SAMPLE_RATE, check_waveform
from ser_core.audio.loudness import integrated_loudness
from ser_core.audio.noise_reduction import gate_spectrum
from ser_core.audio.vad import speech_segments
from ser_core.audio.windows import SpeechSegments, speech_duration_s
from ser_core.labels import format_number

PAUSE_GUARD_S = 0.1  # breath and room echo around speech are neither speech nor noise
MIN_PAUSE_S = 0.1  # too little to estimate the noise from below that
NOISE_FRAME = 160  # samples, 10 ms

SIXTEEN_BIT_STEP = 1 / 32_768

FLAT_TOP = 0.95  # share of the peak: the ripple of a flat top after resampling is smaller
FLAT_MIN_SAMPLES = 3  # a shorter run is an ordinary peak
FLAT_MIN_STEEPNESS = 0.5  # that of a sine is 0.2 at FLAT_TOP, and up to 0.4 when sampled coarsely
FLAT_MIN_PEAK = 0.1  # below it, the quantisation steps of an 8-bit recording look like flat tops

SHORT_RECORDING_S = 0.5  # less is hardly a word: the detector of speech needs some before it is sure
SHORT_SPEECH_S = 0.8  # 19 of 20 clips of the corpora contain more
QUIET_DBFS = -45.0  # nearly all speech of CREMA-D and TESS, recorded at the distance of a laptop, is louder
CLIPPED_PERCENT = 0.1  # that of speech driven 3 dB over full scale
LOW_SNR_DB = 10.0  # the models are trained with noise at 10 to 30 dB
HIGH_DC_OFFSET = 0.01  # -40 dBFS: the level of soft speech


@dataclass(frozen=True)
class Quality:
    """Recording quality, measured without a model."""

    duration_s: float
    speech_segments: SpeechSegments  # (start_s, end_s)
    speech_s: float
    level_lufs: float | None  # integrated loudness (ITU-R BS.1770); None under 0.4 s and for silence
    level_dbfs: float  # RMS of the speech, or of the full recording without speech; at least -120
    peak_dbfs: float  # at least -120
    clipped_percent: float  # of all samples
    snr_db: float | None  # speech to pauses; None if one of them is missing
    dc_offset: float  # mean, in [-1, 1]
    advice: tuple[str, ...]  # a sentence for each bad value, addressed to the speaker


def measure_quality(waveform: np.ndarray, segments: SpeechSegments | None = None) -> Quality:
    """Quality of a recording.

    Args:
        waveform: mono at 16 kHz in [-1, 1], shape = (n_samples,).
        segments: speech_segments(waveform), if already computed: that takes most of the time.

    Raises:
        AudioError: a waveform as check_waveform refuses it; one without samples counts as silence.
    """
    check_waveform(waveform, may_be_empty=True)
    segments = speech_segments(waveform) if segments is None else segments
    speech_power = _mean_power(waveform[_segment_mask(len(waveform), segments)]) if segments else None
    quality = Quality(
        duration_s=len(waveform) / SAMPLE_RATE,
        speech_segments=segments,
        speech_s=speech_duration_s(segments),
        level_lufs=integrated_loudness(waveform),
        level_dbfs=_dbfs((_mean_power(waveform) if speech_power is None else speech_power) ** 0.5),
        peak_dbfs=_dbfs(_peak(waveform)),
        clipped_percent=_clipped_percent(waveform),
        snr_db=_snr_db(speech_power, _pause_samples(waveform, segments)),
        dc_offset=float(waveform.mean(dtype=np.float64)) if len(waveform) else 0.0,
        advice=(),
    )
    return replace(quality, advice=tuple(_advice(quality)))


def reduce_noise(waveform: np.ndarray, segments: SpeechSegments | None = None) -> np.ndarray:
    """Reduce stationary noise by spectral gating, with the noise estimated from the pauses.

    Args:
        waveform: 16 kHz, shape = (n_samples,).
        segments: speech_segments(waveform), if already computed.

    Returns:
        float32, same shape; unchanged if there is no speech, or no pause of 0.1 s to estimate the noise from.

    Raises:
        AudioError: as for measure_quality.
    """
    check_waveform(waveform, may_be_empty=True)
    segments = speech_segments(waveform) if segments is None else segments
    noise = _pause_samples(waveform, segments)
    if not segments or len(noise) < MIN_PAUSE_S * SAMPLE_RATE:
        return waveform
    return gate_spectrum(waveform, noise)


def _clipped_percent(waveform: np.ndarray) -> float:
    """Percentage of clipped samples, also in recordings that were resampled since.

    A run of samples near the peak is clipped if it is long for the slope at its ends: run length times step size, a
    small constant for a sine of any frequency.

    Args:
        waveform: shape = (n_samples,).
    """
    peak = np.float32(_peak(waveform))
    if peak < FLAT_MIN_PEAK:
        return 0.0
    (top,) = np.nonzero((waveform >= FLAT_TOP * peak) | (waveform <= -FLAT_TOP * peak))
    is_first = (np.diff(top, prepend=-2) > 1) | (np.diff(np.sign(waveform[top]), prepend=0) != 0)
    first, last = top[is_first], top[np.append(is_first[1:], True)]
    n_samples = last - first + 1
    before = np.abs(waveform[first] - waveform[np.maximum(first - 1, 0)])
    after = np.abs(waveform[last] - waveform[np.minimum(last + 1, len(waveform) - 1)])
    steepness = n_samples * np.maximum(before, after) / peak
    clipped = (n_samples >= FLAT_MIN_SAMPLES) & (steepness > FLAT_MIN_STEEPNESS)
    return 100.0 * float(n_samples[clipped].sum()) / len(waveform)


def _peak(waveform: np.ndarray) -> float:
    return max(float(waveform.max(initial=0.0)), -float(waveform.min(initial=0.0)))


def _pause_samples(waveform: np.ndarray, segments: SpeechSegments) -> np.ndarray:
    return waveform[~_segment_mask(len(waveform), segments, margin_s=PAUSE_GUARD_S)]


def _segment_mask(n_samples: int, segments: SpeechSegments, margin_s: float = 0.0) -> np.ndarray:
    """True for samples in the segments, widened by a margin, shape = (n_samples,)."""
    mask = np.zeros(n_samples, dtype=bool)
    for start_s, end_s in segments:
        mask[max(0, round((start_s - margin_s) * SAMPLE_RATE)) : round((end_s + margin_s) * SAMPLE_RATE)] = True
    return mask


def _mean_power(waveform: np.ndarray) -> float:
    return float(np.dot(waveform, waveform)) / max(len(waveform), 1)


def _dbfs(amplitude: float) -> float:
    return max(FLOOR_DBFS, 20 * float(np.log10(max(amplitude, 1e-12))))


def _snr_db(speech_power: float | None, pauses: np.ndarray) -> float | None:
    """Power of the speech minus noise, to noise in the pauses; the median is robust to clicks."""
    if speech_power is None or len(pauses) < MIN_PAUSE_S * SAMPLE_RATE:
        return None
    frames = pauses[: len(pauses) // NOISE_FRAME * NOISE_FRAME].reshape(-1, NOISE_FRAME)
    noise = max(float(np.median(np.vecdot(frames, frames))) / NOISE_FRAME, SIXTEEN_BIT_STEP**2 / 12)
    return 10 * float(np.log10(max(speech_power - noise, noise / 100) / noise))


def _advice(quality: Quality) -> Iterator[str]:
    if quality.peak_dbfs <= FLOOR_DBFS:
        yield "Silence: check that the right microphone is chosen and not muted, or take another recording."
        return
    if not quality.speech_segments and quality.duration_s < SHORT_RECORDING_S:
        yield f"The recording has {quality.duration_s:.1g} s: say a full sentence."
    elif not quality.speech_segments:
        yield "No speech was found: speak towards the microphone, or choose another recording."
    elif quality.speech_s < SHORT_SPEECH_S:
        yield f"Only {quality.speech_s:.1f} s of speech: say a full sentence."
    if quality.level_dbfs < QUIET_DBFS:
        yield f"Very quiet ({format_number(quality.level_dbfs, '.0f')} dBFS): move closer or raise the input level."
    if quality.clipped_percent > CLIPPED_PERCENT:
        yield f"Clipped ({quality.clipped_percent:.1f}% of the samples): move away or lower the input level."
    if quality.snr_db is not None and quality.snr_db < LOW_SNR_DB:
        snr_db = format_number(quality.snr_db, "z.0f")
        yield f"Noisy (speech {snr_db} dB above the background): move closer or find a quieter place."
    if abs(quality.dc_offset) > HIGH_DC_OFFSET:
        yield f"DC offset ({format_number(quality.dc_offset, '+.2f')} of full scale): try another microphone or input."
