"""Prosody: pitch and level over time."""

from dataclasses import dataclass

import librosa
import numpy as np

from ser_core.audio.io import FLOOR_DBFS, SAMPLE_RATE

PROSODY_FRAME, PROSODY_HOP = 1024, 256  # samples: 64 ms contain four periods of the lowest pitch
ACTIVE_FRAME_RANGE_DB = 35.0  # as in trim_silence
PITCH_RANGE_HZ = (65.0, 600.0)
VOICED_CORRELATION = 0.7
OCTAVE_ERROR_SEMITONES = 11.0  # from the clip's median: a pitch farther away is half or twice the true one


@dataclass(frozen=True, eq=False)
class Prosody:
    """Contours with one value per PROSODY_HOP samples, each of shape (1 + n_samples // PROSODY_HOP,)."""

    time_s: np.ndarray  # centre of the frame
    pitch_hz: np.ndarray  # NaN in unvoiced frames
    level_dbfs: np.ndarray  # RMS

    @property
    def active(self) -> np.ndarray:
        """True for frames at most ACTIVE_FRAME_RANGE_DB below the loudest one."""
        return self.level_dbfs >= self.level_dbfs.max() - ACTIVE_FRAME_RANGE_DB

    @property
    def voiced_hz(self) -> np.ndarray:
        """Pitch of the voiced frames, shape = (n_voiced,)."""
        return self.pitch_hz[~np.isnan(self.pitch_hz)]


def measure_prosody(waveform: np.ndarray) -> Prosody:
    """Pitch and level contours of a recording.

    Args:
        waveform: 16 kHz in [-1, 1], shape = (n_samples,), n_samples >= 1.
    """
    frames = centred_frames(waveform)
    level_dbfs = power_to_dbfs(np.mean(np.square(frames), axis=1))
    prosody = Prosody(np.arange(len(frames)) * PROSODY_HOP / SAMPLE_RATE, np.full(len(frames), np.nan), level_dbfs)
    _estimate_pitch(prosody, waveform, frames)
    return prosody


def centred_frames(waveform: np.ndarray) -> np.ndarray:
    """Centred frames, as in librosa, shape = (1 + n_samples // PROSODY_HOP, PROSODY_FRAME)."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(waveform, PROSODY_FRAME // 2), PROSODY_FRAME)[::PROSODY_HOP]


def power_to_dbfs(power: np.ndarray) -> np.ndarray:
    """Level in dBFS, at least FLOOR_DBFS."""
    return 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DBFS / 10)))


def _estimate_pitch(prosody: Prosody, waveform: np.ndarray, frames: np.ndarray) -> None:
    """Fill in the pitch of voiced frames by YIN (de Cheveigne and Kawahara 2002).

    YIN yields a pitch for every frame, also for noise. A frame counts as voiced only if its normalised
    cross-correlation with the signal one period later is high (as in RAPT, Talkin 1995). Compared with librosa.pyin,
    which takes 25 times as long, the mean of a clip differs by 0.4 semitones and so does its standard deviation (49
    clips of all corpora).
    """
    low, high = PITCH_RANGE_HZ
    active = prosody.active
    pitch_hz = librosa.yin(
        waveform, fmin=low, fmax=high, sr=SAMPLE_RATE, frame_length=PROSODY_FRAME, hop_length=PROSODY_HOP
    )[active]
    period = np.rint(SAMPLE_RATE / pitch_hz).astype(int)[:, None]
    width = PROSODY_FRAME // 2  # leaves room for the longest period
    now, later = frames[active, :width], np.take_along_axis(frames[active], np.arange(width) + period, axis=1)
    power = np.sqrt(np.square(now).sum(1) * np.square(later).sum(1))
    voiced = (now * later).sum(1) / np.maximum(power, 1e-12) >= VOICED_CORRELATION
    median_hz = np.median(pitch_hz[voiced]) if voiced.any() else 1.0
    voiced &= np.abs(12 * np.log2(pitch_hz / median_hz)) <= OCTAVE_ERROR_SEMITONES
    prosody.pitch_hz[active] = np.where(voiced, pitch_hz, np.nan)
