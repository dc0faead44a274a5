"""Windows of a waveform: trimming, positions, padding to a batch, seconds of speech."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from ser_core.audio.io import SAMPLE_RATE

LEVEL_FRAME = 512  # samples, 32 ms: a step of the detector of speech
SILENCE_DB = 35.0  # below the loudest frame
SOUND_MARGIN_S = 0.1  # of what trim_silence keeps around the audible frames
KNOCK_S = 0.2  # a longer sound is no knock
KNOCK_RATIO = 15.0  # 23.5 dB above what lasts longer: no clip of the corpora of at least a second reaches it
KNOCK_PART_S = 10.0  # with one knock
KNOCK_MIN_DURATION_S = 1.0  # the loudest part of a shorter recording may be all of a word
SPEECH_MARGIN_S = 0.1  # around speech, where a knock is louder than all else


def trim_silence(waveform: np.ndarray) -> tuple[int, int]:
    """Bounds of a 16 kHz waveform without the silence at its ends.

    A frame (32 ms, hop 16 ms) counts as audible if its level is at most SILENCE_DB below that of the loudest frame;
    SOUND_MARGIN_S before the first and after the last one are kept.

    Args:
        waveform: shape = (n_samples,).

    Returns:
        (start, end) in samples; the full range for silence.
    """
    frame, hop = SAMPLE_RATE * 32 // 1000, SAMPLE_RATE * 16 // 1000
    starts = window_starts(len(waveform), frame, hop)
    frames = sliding_window_view(waveform, min(frame, len(waveform)))
    energy = np.concatenate([np.vecdot(part, part) for part in (frames[:-1:hop], frames[-1:])])
    if not energy.max() > 0:
        return 0, len(waveform)
    (sound,) = np.nonzero(energy >= energy.max() * 10 ** (-SILENCE_DB / 10))
    margin = round(SOUND_MARGIN_S * SAMPLE_RATE)
    end = min(int(starts[sound[-1]]) + frame, len(waveform))
    return max(0, int(starts[sound[0]]) - margin), min(len(waveform), end + margin)


def window_starts(n_samples: int, window: int, hop: int) -> np.ndarray:
    """Start samples of the windows over a waveform: all samples are covered, the last window ends with the waveform.

    Args:
        n_samples: length of the waveform.
        window: length of a window, in samples.
        hop: from one start to the next, in samples; only the last step may be shorter.

    Returns:
        Start samples, shape = (n_windows,); a single 0 for a waveform no longer than a window.

    Raises:
        ValueError: a hop longer than the window.
    """
    if not 0 < hop <= window:
        raise ValueError(f"hop = {hop} must be in 1..{window} (the window), or samples would be left out")
    if n_samples <= window:
        return np.zeros(1, dtype=np.int64)
    return np.append(np.arange(0, n_samples - window, hop), n_samples - window)


WINDOW_OVERLAP = 0.5

SpeechSegments = Sequence[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows over a 16 kHz recording, in order."""

    starts: np.ndarray  # in samples, (n_windows,)
    ends: np.ndarray  # in samples, (n_windows,)
    window_s: float
    hop_s: float

    @property
    def start_s(self) -> np.ndarray:
        """Shape = (n_windows,)."""
        return self.starts / SAMPLE_RATE

    @property
    def end_s(self) -> np.ndarray:
        """Shape = (n_windows,)."""
        return self.ends / SAMPLE_RATE

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """(start, end) of each window, in samples."""
        return list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))

    def cut(self, waveform: np.ndarray) -> list[np.ndarray]:
        """The windows of the recording, shape = (n_samples,)."""
        return [waveform[start:end] for start, end in self.bounds]

    def speech_s(self, speech: SpeechSegments) -> np.ndarray:
        """Seconds of speech in each window, shape = (n_windows,)."""
        return speech_overlap_s(speech, self.start_s, self.end_s)


def windows_between(first: int, last: int, window_s: float, hop_s: float) -> Windows:
    """The windows that cover a recording between two samples, see window_starts."""
    window = round(window_s * SAMPLE_RATE)
    starts = first + window_starts(last - first, window, round(hop_s * SAMPLE_RATE))
    return Windows(starts, np.minimum(starts + window, last), window_s, hop_s)


def speech_duration_s(speech: SpeechSegments) -> float:
    """Seconds of speech in disjoint segments."""
    return sum(end_s - start_s for start_s, end_s in speech)


def analysed_bounds(waveform: np.ndarray, speech: SpeechSegments) -> tuple[int, int]:
    """(start, end) in samples of the analysed part: the recording without silence at its ends, all speech included.

    Level alone is not enough: relative to a knock on the table, a voice is as quiet as silence. A knock before or after
    the speech is left out.

    Raises:
        ValueError: speech that is not of this recording.
    """
    _check_speech(speech, len(waveform))
    if not len(speech):
        return trim_silence(waveform)
    if has_knock(waveform):
        start_s, end_s = speech[0][0] - SPEECH_MARGIN_S, speech[-1][1] + SPEECH_MARGIN_S
        return max(0, round(start_s * SAMPLE_RATE)), min(len(waveform), round(end_s * SAMPLE_RATE))
    first, last = trim_silence(waveform)
    return min(first, int(speech[0][0] * SAMPLE_RATE)), max(last, round(speech[-1][1] * SAMPLE_RATE))


def _check_speech(speech: SpeechSegments, n_samples: int) -> None:
    try:
        bounds = np.asarray(speech, float).reshape(-1, 2).ravel()
    except (TypeError, ValueError):  # such as a reference in its place
        bounds = np.full(2, np.nan)
    if not (np.diff(bounds, prepend=0.0, append=(n_samples + 1) / SAMPLE_RATE) >= 0).all():
        raise ValueError(
            "speech is the (start_s, end_s) of each speech segment of this recording, in order: give "
            "speech_segments(waveform), or nothing."
        )


def has_knock(waveform: np.ndarray) -> bool:
    """Whether a 16 kHz waveform, shape = (n_samples,), has a short sound far louder than all that lasts longer."""
    if len(waveform) < KNOCK_MIN_DURATION_S * SAMPLE_RATE:
        return False
    loudest, lasting = loudest_and_lasting_level(waveform)
    return loudest > KNOCK_RATIO * lasting


def loudest_and_lasting_level(waveform: np.ndarray) -> tuple[float, float]:
    """The highest level (RMS) of a frame, and the highest one that lasts longer than a knock."""
    levels = frame_levels(waveform)
    part, n_knock = round(KNOCK_PART_S * SAMPLE_RATE / LEVEL_FRAME), round(KNOCK_S * SAMPLE_RATE / LEVEL_FRAME)
    parts = np.pad(levels, (0, -len(levels) % part)).reshape(-1, part)
    return float(levels.max()), float(np.sort(parts, axis=1)[:, -n_knock - 1].max())


def frame_levels(waveform: np.ndarray) -> np.ndarray:
    """The level (RMS) of each frame of LEVEL_FRAME samples, the last one up to the end, shape = (n_frames,)."""
    n_full = len(waveform) // LEVEL_FRAME * LEVEL_FRAME
    rows = (waveform[:n_full].reshape(-1, LEVEL_FRAME), waveform[None, n_full:])
    return np.sqrt(np.concatenate([np.vecdot(frames, frames) for frames in rows]) / LEVEL_FRAME)


def speech_overlap_s(speech: SpeechSegments, start_s: np.ndarray, end_s: np.ndarray) -> np.ndarray:
    """Seconds of speech in each window, shape = (n_windows,)."""
    total = np.zeros(len(start_s))
    for speech_start_s, speech_end_s in speech:
        total += np.maximum(0, np.minimum(end_s, speech_end_s) - np.maximum(start_s, speech_start_s))
    return total


def pad_batch(waveforms: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Zero-pads to one batch: shape = (B, longest), and the true lengths, shape = (B,)."""
    n_samples = [len(w) for w in waveforms]
    batch = np.zeros((len(waveforms), max(n_samples)), np.float32)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform  # by numpy: torch warns of read-only arrays, as from np.frombuffer
    return torch.from_numpy(batch), torch.tensor(n_samples)
