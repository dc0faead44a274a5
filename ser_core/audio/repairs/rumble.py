"""Inaudible sound below the band of speech: a constant offset, and rumble.

Where it is stronger than all the rest, the detector of speech, the level and the models see little else.
"""

import numpy as np
import soxr

RUMBLE_HZ = 50.0  # below the voice, and below the lowest mel band of the models
RUMBLE_FRAME_S = 0.005  # of the means from which rumble is measured
MAX_RUMBLE = 4.0  # power relative to the rest; 2.8 at most in the clips of the corpora
MAX_OFFSET = 0.1  # relative to the RMS of the rest; 0.02 at most there
NOTED_OFFSET = 16 / 32_768  # of full scale, -66 dBFS: 16-bit recorders give a few steps of their own, inaudible
RUMBLE_EDGE_S = 1.0  # mirrored at both ends, so that the filter does not ring there
MIN_RUMBLE_DURATION_S = 0.1


def remove_rumble(waveform: np.ndarray, sample_rate: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """A waveform without offset and rumble where these hide the rest; otherwise the waveform itself.

    Args:
        waveform: float32 in [-1, 1], shape = (n_samples,).
        sample_rate: in Hz.

    Returns:
        The waveform, shape = (n_samples,), and a sentence if more was removed than the offset that a recorder has.
    """
    if len(waveform) < MIN_RUMBLE_DURATION_S * sample_rate:
        return waveform, ()
    offset, rumble, rest = _powers(waveform, sample_rate)
    hides, rumbles = offset > MAX_OFFSET**2 * rest and rest + rumble > 0, rumble > MAX_RUMBLE * rest
    if not (hides or rumbles):
        return waveform, ()
    mean, notes = waveform.mean(dtype=np.float64), []
    if hides and abs(mean) > NOTED_OFFSET:
        notes.append(f"A constant offset of {mean:+.2g} of full scale was removed, with all below 50 Hz.")
    elif rumbles:
        notes.append(f"Rumble below {RUMBLE_HZ:.0f} Hz, stronger than the rest, was removed.")
    centred = waveform - mean.astype(np.float32)
    return np.clip(centred - _below_speech(centred, sample_rate), -1, 1), tuple(notes)


def _powers(waveform: np.ndarray, sample_rate: int) -> tuple[float, float, float]:
    """Mean power of the offset, of the rumble and of the rest."""
    frame = round(RUMBLE_FRAME_S * sample_rate)
    means = waveform[: len(waveform) // frame * frame].reshape(-1, frame).mean(1, dtype=np.float64)
    spectrum = np.abs(np.fft.rfft(means - means.mean())) ** 2 * 2 / len(means) ** 2
    rumble = float(spectrum[np.fft.rfftfreq(len(means), frame / sample_rate) < RUMBLE_HZ].sum())
    offset = float(waveform.mean(dtype=np.float64) ** 2)
    total = float(np.dot(waveform, waveform)) / len(waveform)
    return offset, rumble, max(total - offset - rumble, 0.0)


def _below_speech(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """The part below RUMBLE_HZ, in phase; shape = (n_samples,)."""
    edge = min(round(RUMBLE_EDGE_S * sample_rate), len(waveform) - 1)
    before, after = 2 * waveform[0] - waveform[edge:0:-1], 2 * waveform[-1] - waveform[-2 : -edge - 2 : -1]
    rate = 2.2 * RUMBLE_HZ  # the resampler keeps what lies below 10/11 of half of it
    slow = soxr.resample(np.concatenate([before, waveform, after]), sample_rate, rate, quality="HQ")
    again = soxr.resample(slow, rate, sample_rate, quality="HQ")[edge : edge + len(waveform)]
    return np.pad(again, (0, len(waveform) - len(again)))
