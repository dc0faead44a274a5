"""Segments of a recording: the speech, cut at pauses and where the label changes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter

import numpy as np

from ser_core.audio import SpeechSegments, speech_overlap_s
from ser_core.inference.results import Trajectory
from ser_core.inference.smoothing import NO_SPEECH, NOT_SURE, speech_mask, window_edges_s, window_labels

_START, _END = itemgetter(0), itemgetter(1)  # of a segment of speech
NOT_ANALYSED = "not analysed"
MIN_PAUSE_S = 0.3  # a shorter one belongs to the phrase around it
MAX_PHRASE_S = 5.0  # with one label: in a longer phrase it may change
OVERLAP_POWER = (
    4  # of a window's overlap with a phrase in the vote on its label; like the others chosen on joined clips
)
MIN_SEGMENT_SPEECH_S = 0.3  # in less nobody can tell an emotion


@dataclass(frozen=True)
class Segment:
    """A part of a recording with one label."""

    start_s: float
    end_s: float
    label: str  # an emotion, "not sure", "no speech" or "not analysed"
    speech_s: float = 0.0  # seconds of speech in it
    emotion: str = ""  # the most probable one, also when not sure
    confidence: float | None = None  # its probability, mean over the windows; None without an emotion
    probabilities: tuple[float, ...] = ()  # mean over the windows


def label_segments(
    trajectory: Trajectory,
    label_indices: np.ndarray,
    speech: SpeechSegments,
    duration_s: float,
    min_confidence: float = 0.0,
    complete: bool = True,
) -> tuple[Segment, ...]:
    """Segments of a recording, without gaps from 0 to duration_s.

    A phrase, which is speech between pauses, has one label up to MAX_PHRASE_S: its windows vote, by how much of each is
    in the phrase. A longer one is cut where the label changes, in the longest pause between the middles of the two
    windows if there is one; a part with less than MIN_SEGMENT_SPEECH_S of speech joins its neighbour in the phrase.
    Between phrases, and in phrases with less speech than that, the label is "no speech".

    Args:
        label_indices: of the label of each window, shape = (n_windows,).
        speech: (start_s, end_s) of the speech in the recording.
        min_confidence: below it the label is "not sure".
        complete: the rest after the last window is "no speech"; otherwise it is "not analysed".
    """
    labels = window_labels(trajectory, label_indices, min_confidence)
    known_s = duration_s if complete else min(float(trajectory.end_s[-1]), duration_s)
    changes = np.flatnonzero(labels[1:] != labels[:-1])
    cuts = [0.0, *(_cut_s(trajectory, int(window), speech) for window in changes), known_s]
    runs = list(zip(pairwise(cuts), labels[[0, *(changes + 1)]].tolist(), strict=True))
    segments: list[Segment] = []
    for phrase in _phrases(speech, known_s):
        if phrase[1] - phrase[0] <= MAX_PHRASE_S:
            segments += _voted(trajectory, label_indices, phrase, speech, min_confidence)
            continue
        pieces = _join_short(_pieces(phrase, runs, speech))
        segments += [_build_segment(trajectory, piece) for piece in pieces if piece.label != NO_SPEECH]
    if not complete and known_s < duration_s:
        segments.append(Segment(known_s, duration_s, NOT_ANALYSED))
    return tuple(fill_gaps(segments, duration_s))


def _cut_s(trajectory: Trajectory, window: int, speech: SpeechSegments) -> float:
    """Where the label changes after a window: in a pause, else halfway between the middles of the two windows."""
    middle_s = (trajectory.start_s[window : window + 2] + trajectory.end_s[window : window + 2]) / 2
    first_s, last_s = float(middle_s[0]), float(middle_s[1])
    before = max(bisect_right(speech, first_s, key=_START) - 1, 0)  # an hour has a thousand segments of speech
    pauses = [
        (min(last_s, start_s) - max(first_s, end_s), max(first_s, end_s), min(last_s, start_s))
        for (_, end_s), (start_s, _) in pairwise(speech[before : bisect_left(speech, last_s, key=_END) + 1])
    ]
    _, from_s, to_s = max(pauses, default=(0.0, first_s, last_s))
    return (from_s + to_s) / 2


def _phrases(speech: SpeechSegments, known_s: float) -> list[tuple[float, float]]:
    """Speech with the short pauses inside, up to known_s."""
    phrases: list[tuple[float, float]] = []
    for start_s, end_s in speech:
        if phrases and start_s - phrases[-1][1] < MIN_PAUSE_S:
            start_s = phrases.pop()[0]
        phrases.append((start_s, end_s))
    return [(start_s, min(end_s, known_s)) for start_s, end_s in phrases if start_s < known_s]


def _voted(
    trajectory: Trajectory,
    label_indices: np.ndarray,
    phrase: tuple[float, float],
    speech: SpeechSegments,
    min_confidence: float,
) -> Iterator[Segment]:
    """The segment of a phrase with one label; none with too little speech."""
    (speech_s,) = speech_overlap_s(_speech_within(speech, phrase), *(np.array([edge_s]) for edge_s in phrase)).tolist()
    if speech_s < MIN_SEGMENT_SPEECH_S:
        return
    first, end = _windows_that_reach_into(trajectory, phrase)
    windows = slice(first, end)
    overlap_s = np.minimum(trajectory.end_s[windows], phrase[1]) - np.maximum(trajectory.start_s[windows], phrase[0])
    weight = np.maximum(overlap_s, 0) ** OVERLAP_POWER * speech_mask(trajectory)[windows]
    if not weight.any():
        return
    mean = np.average(trajectory.probabilities[windows], axis=0, weights=weight)
    lead = int(np.bincount(label_indices[windows], weight, len(mean)).argmax())
    emotion, confidence = trajectory.labels[lead], float(mean[lead])
    label = emotion if confidence >= min_confidence else NOT_SURE
    yield Segment(*phrase, label, speech_s, emotion, confidence, tuple(mean.tolist()))


def _windows_that_reach_into(trajectory: Trajectory, phrase: tuple[float, float]) -> tuple[int, int]:
    """(first, end) of the windows that overlap a phrase; an hour has thousands."""
    return (
        int(np.searchsorted(trajectory.end_s, phrase[0], "right")),
        int(np.searchsorted(trajectory.start_s, phrase[1])),
    )


def _speech_within(speech: SpeechSegments, phrase: tuple[float, float]) -> SpeechSegments:
    return speech[bisect_right(speech, phrase[0], key=_END) : bisect_left(speech, phrase[1], key=_START)]


def _pieces(
    phrase: tuple[float, float], runs: Sequence[tuple[tuple[float, float], str]], speech: SpeechSegments
) -> list[Segment]:
    """A phrase, cut between runs of windows with the same label."""
    bounds = [
        (max(phrase[0], start_s), min(phrase[1], end_s), label)
        for (start_s, end_s), label in runs
        if start_s < phrase[1] and end_s > phrase[0]
    ]
    if not bounds:
        return []
    start_s, end_s, labels = zip(*bounds, strict=True)
    amounts = speech_overlap_s(_speech_within(speech, phrase), np.array(start_s), np.array(end_s)).tolist()
    return [Segment(*piece) for piece in zip(start_s, end_s, labels, amounts, strict=True)]


def _join_short(pieces: list[Segment]) -> list[Segment]:
    """Pieces with enough speech, each with its short neighbours; neighbours of the same label become one."""
    while len(pieces) > 1:
        short = [n for n, piece in enumerate(pieces) if _is_short(piece)]
        same = [n for n, (one, other) in enumerate(pairwise(pieces)) if one.label == other.label]
        if not short and not same:
            break
        number = same[0] if same else max(0, min(short, key=lambda n: pieces[n].speech_s) - 1)
        pieces[number : number + 2] = [_join(*pieces[number : number + 2])]
    return [replace(piece, label=NO_SPEECH) if piece.speech_s < MIN_SEGMENT_SPEECH_S else piece for piece in pieces]


def _is_short(piece: Segment) -> bool:
    return piece.label == NO_SPEECH or piece.speech_s < MIN_SEGMENT_SPEECH_S


def _join(one: Segment, other: Segment) -> Segment:
    """With the label of the one that is an answer, else of the one with more speech."""
    label = max((one, other), key=lambda piece: (piece.label != NO_SPEECH, piece.speech_s)).label
    return Segment(one.start_s, other.end_s, label, one.speech_s + other.speech_s)


def _build_segment(trajectory: Trajectory, piece: Segment) -> Segment:
    """The segment with the mean over its windows: those that reach into it halfway to their neighbours."""
    edges_s = window_edges_s(trajectory)
    first = int(np.clip(np.searchsorted(edges_s, piece.start_s, "right") - 1, 0, len(edges_s) - 2))
    end = max(first + 1, int(np.searchsorted(edges_s, piece.end_s)))
    mean = trajectory.probabilities[first:end].mean(0)
    emotion = trajectory.labels[mean.argmax()] if piece.label == NOT_SURE else piece.label
    confidence = float(mean[trajectory.labels.index(emotion)])
    return Segment(piece.start_s, piece.end_s, piece.label, piece.speech_s, emotion, confidence, tuple(mean.tolist()))


def fill_gaps(segments: Sequence[Segment], duration_s: float) -> Iterator[Segment]:
    """The segments, with "no speech" between them."""
    end_s = 0.0
    for segment in [*segments, Segment(duration_s, duration_s, NO_SPEECH)]:
        if segment.start_s > end_s:
            yield Segment(end_s, segment.start_s, NO_SPEECH)
        end_s = segment.end_s
        if segment.start_s < end_s:
            yield segment
