"""Predictions for the user's own segments, and their means by speaker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.audio import SAMPLE_RATE, SpeechSegments
from ser_core.inference.annotation.annotations import Annotation, alone_s
from ser_core.inference.forward import CPU_BATCH_SIZE
from ser_core.inference.prediction.predict import predict_batch
from ser_core.inference.reference import Reference
from ser_core.inference.results import Prediction, arousal_and_valence
from ser_core.inference.segments import Segment, fill_gaps
from ser_core.inference.smoothing import NO_SPEECH, prediction_label
from ser_core.models import SERModel


@dataclass(frozen=True)
class SpeakerMean:
    """The predictions for all segments of one speaker, weighted by the speech in which nobody else is annotated."""

    speaker: str
    n_segments: int
    speech_s: float  # of the speaker alone
    emotion: str  # the most probable one on average; "" without speech
    probabilities: Mapping[str, float]  # mean; empty without speech
    arousal: float | None  # of the mean, in [-1, 1]
    valence: float | None


def predict_annotations(
    model: SERModel,
    waveform: np.ndarray,
    annotations: Sequence[Annotation],
    speech: SpeechSegments,
    reference: Reference | None = None,
) -> Iterator[Segment]:
    """The prediction for each annotation, as for a recording of its own; one after the other, in batches.

    Args:
        waveform: of the recording, mono at 16 kHz, shape = (n_samples,).
        annotations: within the recording.
        speech: speech_segments(waveform).
        reference: of the one speaker of all annotations.

    Raises:
        SpeakerReferenceError: as for predict.
    """
    for first in range(0, len(annotations), CPU_BATCH_SIZE):
        batch = annotations[first : first + CPU_BATCH_SIZE]
        sounds = [_sound(waveform, one) for one in batch]
        inside = [_speech_inside(speech, one) for one in batch]
        predictions = predict_batch(model, sounds, inside, reference)
        yield from (_segment(one, made) for one, made in zip(batch, predictions, strict=True))


def _sound(waveform: np.ndarray, annotation: Annotation) -> np.ndarray:
    """Its samples, one at least."""
    first = min(int(annotation.start_s * SAMPLE_RATE), len(waveform) - 1)
    return waveform[first : max(round(annotation.end_s * SAMPLE_RATE), first + 1)]


def _speech_inside(speech: SpeechSegments, annotation: Annotation) -> SpeechSegments:
    """The speech in an annotation, in seconds from its start."""
    cut = [(max(a, annotation.start_s), min(b, annotation.end_s)) for a, b in speech]
    return [(a - annotation.start_s, b - annotation.start_s) for a, b in cut if a < b]


def _segment(annotation: Annotation, prediction: Prediction) -> Segment:
    span = annotation.start_s, annotation.end_s
    if (label := prediction_label(prediction)) == NO_SPEECH:
        return Segment(*span, NO_SPEECH, prediction.speech_s)
    values = tuple(prediction.probabilities.values())
    return Segment(*span, label, prediction.speech_s, prediction.emotion, prediction.confidence, values)


def annotation_tiers(
    annotations: Sequence[Annotation], segments: Sequence[Segment], duration_s: float
) -> dict[str, tuple[Segment, ...]]:
    """Tiers without overlaps and gaps, from 0 to duration_s: one for each speaker, and more where their own overlap.

    Args:
        segments: predict_annotations of the first len(segments) annotations.
    """
    tiers: dict[str, list[Segment]] = {}
    for annotation, segment in zip(annotations, segments, strict=False):
        speaker, number = annotation.speaker or "yours", 1
        name = speaker
        while name in tiers and tiers[name][-1].end_s > segment.start_s:
            number += 1
            name = f"{speaker} {number}"
        tiers.setdefault(name, []).append(segment)
    return {name: tuple(fill_gaps(own, duration_s)) for name, own in tiers.items()}


def speaker_means(
    annotations: Sequence[Annotation], segments: Sequence[Segment], labels: Sequence[str]
) -> tuple[SpeakerMean, ...]:
    """The mean prediction of each speaker, in the order of their first segments; empty where none is named.

    Args:
        segments: predict_annotations of the first len(segments) annotations.
        labels: the emotions, in the order of the probabilities.
    """
    known = list(zip(annotations, segments, strict=False))
    speakers = dict.fromkeys(one.speaker for one, _ in known if one.speaker)
    return tuple(
        _mean(name, [pair for pair in known if pair[0].speaker == name], annotations, labels) for name in speakers
    )


def _mean(
    speaker: str,
    own: Sequence[tuple[Annotation, Segment]],
    everybody: Sequence[Annotation],
    labels: Sequence[str],
) -> SpeakerMean:
    others = [one for one in everybody if one.speaker != speaker]
    spoken = [(one, segment) for one, segment in own if segment.probabilities]
    alone = [segment.speech_s * alone_s(one, others) / (one.end_s - one.start_s) for one, segment in spoken]
    speech_s = float(sum(alone))
    if not speech_s:
        return SpeakerMean(speaker, len(own), 0.0, "", {}, None, None)
    mean = np.average([segment.probabilities for _, segment in spoken], axis=0, weights=alone)
    arousal, valence = arousal_and_valence(labels, mean).tolist()
    probabilities = dict(zip(labels, mean.tolist(), strict=True))
    return SpeakerMean(speaker, len(own), speech_s, labels[int(mean.argmax())], probabilities, arousal, valence)
