"""Speech segments of recordings, from the probabilities of Silero VAD.

Silero misses shouts and sobs. Played slower, at a lower pitch, most are found, and few other sounds are: what is loud
and not speech at first is looked at once more, slower. The figures: "Shouts and sobs" in docs/results.md.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
import soxr

from ser_core.audio.io import SAMPLE_RATE, check_waveform
from ser_core.audio.silero import (
    MAX_STRETCHES,
    SILERO_CHUNK,
    STEPS_AT_ONCE,
    probabilities_of_short,
    speech_probabilities,
)
from ser_core.audio.windows import (
    LEVEL_FRAME,
    SpeechSegments,
    frame_levels,
    has_knock,
    loudest_and_lasting_level,
)
from ser_core.progress import Progress, no_progress

VAD_ONSET, VAD_OFFSET = 0.5, 0.35  # probabilities; defaults of Silero, as are the durations
VAD_MIN_SEGMENT_S = 0.25
VAD_MIN_SILENCE_S = 0.1
VAD_PAD_S = 0.03
VAD_TARGET_RMS = 0.1  # -20 dBFS, the level that Silero expects: 40 dB lower it misses nine clips of ten
FULL_SCALE = 1.0
VAD_MAX_GAIN = 100.0  # 40 dB; below that there is only converter noise
SLOWED = 1.5  # times as long: a voice is seven semitones lower
MIN_SLOWED_S = 0.5  # of a segment that is found slower alone: in less, dogs and coughs pass for speech
LOUD_RATIO = 0.1  # 20 dB below the loudest frame


def speech_segments(waveform: np.ndarray, progress: Progress = no_progress) -> SpeechSegments:
    """Speech segments of a recording, by Silero VAD.

    Args:
        waveform: mono at 16 kHz in [-1, 1], shape = (n_samples,); 10 minutes take well under a second.
        progress: called with the share that is done, in (0, 1].

    Returns:
        (start_s, end_s) of each speech segment, in seconds, ordered and disjoint; a segment is longer than 0.25 s.

    Raises:
        AudioError: a waveform as check_waveform refuses it; one without samples has no speech.
    """
    check_waveform(waveform, may_be_empty=True)
    if len(waveform) <= VAD_MIN_SEGMENT_S * SAMPLE_RATE:
        return ()
    return _complete(waveform, _segments(len(waveform), _probabilities_at_speech_level(waveform, progress)))


def speech_segments_of_each(waveforms: Sequence[np.ndarray]) -> list[SpeechSegments]:
    """speech_segments of many recordings: short ones of similar length run at once, which takes half the time."""
    found: list[SpeechSegments] = [()] * len(waveforms)
    short = []
    for i, waveform in enumerate(waveforms):
        if VAD_MIN_SEGMENT_S * SAMPLE_RATE < len(waveform) <= STEPS_AT_ONCE * SILERO_CHUNK and not has_knock(waveform):
            short.append(i)
        else:
            found[i] = speech_segments(waveform)
    short.sort(key=lambda i: len(waveforms[i]))
    for first in range(0, len(short), MAX_STRETCHES):
        group = short[first : first + MAX_STRETCHES]
        gains = [_gain(loudest_and_lasting_level(waveforms[i])[0]) for i in group]
        for i, probabilities in zip(group, probabilities_of_short([waveforms[i] for i in group], gains), strict=True):
            found[i] = _complete(waveforms[i], _segments(len(waveforms[i]), probabilities))
    return found


def _segments(n_samples: int, probabilities: np.ndarray) -> SpeechSegments:
    """Segments of a recording from the probability of each chunk, shape = (n_chunks,)."""
    pad = round(VAD_PAD_S * SAMPLE_RATE)
    segments = []
    for first, end in _speech_runs(probabilities):
        start, stop = first * SILERO_CHUNK, min(end * SILERO_CHUNK, n_samples)
        if stop - start > VAD_MIN_SEGMENT_S * SAMPLE_RATE:
            segments.append((max(start - pad, 0) / SAMPLE_RATE, min(stop + pad, n_samples) / SAMPLE_RATE))
    return tuple(segments)


def _complete(waveform: np.ndarray, segments: SpeechSegments) -> SpeechSegments:
    """The segments, with those that are found in the loud gaps between them when these are played slower."""
    edges = [0.0, *(edge_s for segment in segments for edge_s in segment), len(waveform) / SAMPLE_RATE]
    gaps = [(start_s, end_s) for start_s, end_s in list(pairwise(edges))[::2] if end_s - start_s >= MIN_SLOWED_S]
    if not gaps:
        return segments
    level = _voice_level(waveform)
    is_loud = frame_levels(waveform) > LOUD_RATIO * level
    found = [
        _segments_slowed(waveform, gap, _gain(level)) for gap in gaps if _seconds_within(is_loud, gap) >= MIN_SLOWED_S
    ]
    return tuple(sorted(chain(segments, *found)))


def _segments_slowed(waveform: np.ndarray, gap: tuple[float, float], gain: float) -> Iterator[tuple[float, float]]:
    """The segments of at least MIN_SLOWED_S that are found in a gap when it is played slower."""
    start_s, end_s = gap
    slowed = soxr.resample(
        waveform[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)], SAMPLE_RATE, SLOWED * SAMPLE_RATE
    )
    for first_s, last_s in _segments(len(slowed), speech_probabilities(slowed, gain=gain, peak=FULL_SCALE)):
        segment = (start_s + first_s / SLOWED, min(start_s + last_s / SLOWED, end_s))
        if segment[1] - segment[0] >= MIN_SLOWED_S:
            yield segment


def _seconds_within(is_loud: np.ndarray, gap: tuple[float, float]) -> float:
    """Seconds of the loud frames between two times, in seconds."""
    first, end = (round(edge_s * SAMPLE_RATE / LEVEL_FRAME) for edge_s in gap)
    return int(is_loud[first:end].sum()) * LEVEL_FRAME / SAMPLE_RATE


def _voice_level(waveform: np.ndarray) -> float:
    """The level of the loudest frame, without a knock."""
    loudest, lasting = loudest_and_lasting_level(waveform)
    return lasting if has_knock(waveform) else loudest


def _probabilities_at_speech_level(waveform: np.ndarray, progress: Progress) -> np.ndarray:
    """The probability of speech for each chunk, with the loudest chunk at the level of speech, shape = (n_chunks,).

    Quiet recordings are detected too. After a knock, speech is as quiet as silence: then the higher of two
    probabilities counts, with and without the knock.
    """
    loudest, lasting = loudest_and_lasting_level(waveform)
    if not has_knock(waveform):
        return speech_probabilities(waveform, progress, _gain(loudest))
    knocked = speech_probabilities(waveform, lambda share: progress(share / 2), _gain(loudest))
    cut = speech_probabilities(waveform, lambda share: progress(0.5 + share / 2), _gain(lasting), FULL_SCALE)
    return np.maximum(knocked, cut)


def _gain(level: float) -> float:
    return min(VAD_TARGET_RMS / max(level, 1e-9), VAD_MAX_GAIN)


def _speech_runs(probabilities: np.ndarray) -> list[tuple[int, int]]:
    """(first, end) chunks of runs from VAD_ONSET on, up to a silence (below VAD_OFFSET) of VAD_MIN_SILENCE_S."""
    runs, first, silent_from = [], None, None
    for chunk, probability in enumerate(probabilities.tolist()):
        if probability >= VAD_ONSET:
            first, silent_from = chunk if first is None else first, None
        elif probability < VAD_OFFSET and first is not None:
            silent_from = chunk if silent_from is None else silent_from
            if (chunk - silent_from) * SILERO_CHUNK >= VAD_MIN_SILENCE_S * SAMPLE_RATE:
                runs.append((first, silent_from))
                first, silent_from = None, None
    return runs if first is None else [*runs, (first, len(probabilities))]
