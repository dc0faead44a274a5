"""From waveform to prediction: the one path of the app, the command line and the evaluation."""

from collections.abc import Sequence

import numpy as np

from ser_core.audio import (
    SAMPLE_RATE,
    WINDOW_OVERLAP,
    AudioError,
    SpeechSegments,
    analysed_bounds,
    speech_overlap_s,
    speech_segments,
    speech_segments_of_each,
    window_starts,
)
from ser_core.inference.forward import WindowOutputs, calibrated_probabilities, run_windows
from ser_core.inference.reference import Reference
from ser_core.inference.results import (
    MIN_SPEECH_TO_PREDICT_S,
    Prediction,
    Trajectory,
    arousal_and_valence,
    is_hardly_speech,
)
from ser_core.models import SERModel
from ser_core.progress import Progress, no_progress

MAX_NOVELTY_PERCENTILE = 100.0  # of an input further from the training data than all unseen speech


def predict(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments | None = None,
    reference: Reference | None = None,
) -> Prediction:
    """The prediction for a recording: the mean of the logits of its windows, each weighted by its seconds of speech.

    Args:
        model: from load_model.
        waveform: mono at 16 kHz in [-1, 1], shape = (n_samples,).
        speech: speech_segments(waveform), if already computed.
        reference: of the speaker, from speaker_reference or recording_reference; None: predicts without.

    Raises:
        AudioError: no samples, or samples that are not finite.
        SpeakerReferenceError: a reference of another model, or a model that takes none.
    """
    return predict_with_windows(model, waveform, speech, reference=reference)[0]


def predict_windows(
    model: SERModel,
    waveform: np.ndarray,
    window_s: float | None = None,
    hop_s: float | None = None,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
    reference: Reference | None = None,
) -> Trajectory:
    """The prediction for each window of a recording; the last window ends with it.

    Args:
        model, waveform, speech, reference: as for predict.
        window_s: length of a window, by default that of the training; a shorter recording is one window.
        hop_s: from one window to the next, by default half a window.
        progress: called after each batch.

    Raises:
        AudioError, SpeakerReferenceError: as for predict.
        ValueError: window or hop not positive, or a hop longer than the window.
    """
    check_waveform(waveform)
    speech = speech_segments(waveform) if speech is None else speech
    return _run_recording(model, waveform, window_s, hop_s, speech, progress, reference)[1]


def predict_with_windows(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
    reference: Reference | None = None,
) -> tuple[Prediction, Trajectory]:
    """predict and predict_windows (with its default windows) in one pass. Arguments and errors as there."""
    return predict_with_outputs(model, waveform, speech, progress, reference)[:2]


def predict_with_outputs(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
    reference: Reference | None = None,
) -> tuple[Prediction, Trajectory, WindowOutputs]:
    """predict_with_windows, and the outputs of the windows."""
    check_waveform(waveform)
    speech = speech_segments(waveform) if speech is None else speech
    outputs, trajectory = _run_recording(model, waveform, None, None, speech, progress, reference)
    duration_s = len(waveform) / SAMPLE_RATE
    return _aggregate_windows(model, duration_s, speech, outputs, trajectory, reference), trajectory, outputs


def predict_batch(
    model: SERModel,
    waveforms: Sequence[np.ndarray],
    speech: Sequence[SpeechSegments] | None = None,
    reference: Reference | None = None,
) -> list[Prediction]:
    """predict for many recordings, with the windows of all of them in common batches: faster for short ones.

    Args:
        waveforms: each mono at 16 kHz in [-1, 1], shape = (n_samples,).
        speech: speech_segments of each, if already computed.
        reference: of the one speaker of all recordings; None: predicts without.

    Raises:
        AudioError: a waveform without samples, or with samples that are not finite.
        SpeakerReferenceError: as for predict.
    """
    for waveform in waveforms:
        check_waveform(waveform)
    if not len(waveforms):
        return []
    speech = speech_segments_of_each(waveforms) if speech is None else speech
    window_s = model.config.window_s
    hop_s = window_s * (1 - WINDOW_OVERLAP)
    bounds = [window_bounds(w, window_s, hop_s, s) for w, s in zip(waveforms, speech, strict=True)]
    windows = [w[a:b] for w, pair in zip(waveforms, bounds, strict=True) for a, b in zip(*pair, strict=True)]
    outputs = run_windows(model, windows, reference=reference).split([len(starts) for starts, _ in bounds])
    predictions = []
    for waveform, segments, (starts, ends), own in zip(waveforms, speech, bounds, outputs, strict=True):
        trajectory = _build_trajectory(model, starts, ends, window_s, hop_s, segments, own.logits, reference)
        duration_s = len(waveform) / SAMPLE_RATE
        predictions.append(_aggregate_windows(model, duration_s, segments, own, trajectory, reference))
    return predictions


def _aggregate_windows(
    model: SERModel,
    duration_s: float,
    speech: SpeechSegments,
    outputs: WindowOutputs,
    trajectory: Trajectory,
    reference: Reference | None,
) -> Prediction:
    """The prediction for a recording from the outputs of its windows."""
    weight = trajectory.speech_s if trajectory.speech_s.any() else np.ones(len(outputs.logits))
    probabilities = calibrated_probabilities(model, (outputs.logits * weight[:, None]).sum(0) / weight.sum())
    novelty = _weighted_novelty(model, outputs.distances, weight)
    labels = model.config.labels
    ranked = sorted(zip(labels, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
    speech_s = sum((end_s - start_s for start_s, end_s in speech), start=0.0)
    reason = _abstain_reason(model, ranked[0][1], speech_s, novelty)
    spoken = speech_s >= MIN_SPEECH_TO_PREDICT_S
    dimensions = arousal_and_valence(labels, probabilities).tolist() if spoken else None
    return Prediction(
        model=model.name,
        emotion=ranked[0][0],
        confidence=ranked[0][1],
        probabilities=dict(zip(labels, probabilities.tolist(), strict=True)),
        top3=tuple(ranked[:3]),
        abstain=bool(reason),
        reason=reason,
        duration_s=duration_s,
        speech_s=speech_s,
        start_s=float(trajectory.start_s[0]),
        end_s=float(trajectory.end_s[-1]),
        version=model.version,
        novelty=novelty,
        familiarity=_familiarity(model, novelty) if spoken else None,
        reference_clips=trajectory.reference_clips,
        reference_source=trajectory.reference_source,
        reference_note=_reference_note(reference, outputs.embeddings, trajectory.speech_s),
        arousal=dimensions and dimensions[0],
        valence=dimensions and dimensions[1],
    )


def _reference_note(reference: Reference | None, embeddings: np.ndarray, speech_s: np.ndarray) -> str:
    """What is doubtful about the reference of a recording, from its windows.

    Args:
        embeddings: shape = (n_windows, embedding_dim).
        speech_s: seconds of speech, shape = (n_windows,).
    """
    if reference is None:
        return ""
    return reference.note_for(np.average(embeddings, axis=0, weights=speech_s)) if speech_s.any() else reference.note


def _weighted_novelty(model: SERModel, distances: np.ndarray | None, weight: np.ndarray) -> float | None:
    """Novelty in percent of a recording from the distances and the weights of its windows, each (n_windows,)."""
    if distances is None or model.novelty is None:
        return None
    return model.novelty.percentile((distances * weight).sum() / weight.sum())


def _familiarity(model: SERModel, novelty: float | None) -> str | None:
    """The word for a novelty in percent; None where it ranks nothing reliably."""
    return None if novelty is None or model.novelty is None else model.novelty.familiarity(novelty)


def check_waveform(waveform: np.ndarray) -> None:
    if waveform.ndim != 1 or not len(waveform) or not np.isfinite(waveform).all():
        raise AudioError("A waveform must be mono, with at least one sample, and all samples finite. Record it again.")


def _run_recording(
    model: SERModel,
    waveform: np.ndarray,
    window_s: float | None,
    hop_s: float | None,
    speech: SpeechSegments,
    progress: Progress,
    reference: Reference | None,
) -> tuple[WindowOutputs, Trajectory]:
    """The outputs of a recording's windows, and the trajectory they make."""
    window_s = model.config.window_s if window_s is None else window_s
    hop_s = window_s * (1 - WINDOW_OVERLAP) if hop_s is None else hop_s
    starts, ends = window_bounds(waveform, window_s, hop_s, speech)
    outputs = run_windows(model, [waveform[a:b] for a, b in zip(starts, ends, strict=True)], progress, reference)
    return outputs, _build_trajectory(model, starts, ends, window_s, hop_s, speech, outputs.logits, reference)


def window_bounds(
    waveform: np.ndarray, window_s: float, hop_s: float, speech: SpeechSegments
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the windows of a recording, in samples, each of shape (n_windows,)."""
    window, hop = round(window_s * SAMPLE_RATE), round(hop_s * SAMPLE_RATE)
    first, last = analysed_bounds(waveform, speech)
    starts = first + window_starts(last - first, window, hop)
    return starts, np.minimum(starts + window, last)


def _build_trajectory(
    model: SERModel,
    starts: np.ndarray,
    ends: np.ndarray,
    window_s: float,
    hop_s: float,
    speech: SpeechSegments,
    logits: np.ndarray,
    reference: Reference | None,
) -> Trajectory:
    """The trajectory of windows with given bounds in samples, (n_windows,), and logits (n_windows, n_classes)."""
    start_s, end_s = starts / SAMPLE_RATE, ends / SAMPLE_RATE
    return Trajectory(
        model=model.name,
        labels=model.config.labels,
        start_s=start_s,
        end_s=end_s,
        probabilities=calibrated_probabilities(model, logits),
        speech_s=speech_overlap_s(speech, start_s, end_s),
        window_s=window_s,
        hop_s=hop_s,
        reference_clips=reference.n_clips if reference else 0,
        reference_source=reference.source if reference else "",
    )


def _abstain_reason(model: SERModel, confidence: float, speech_s: float, novelty: float | None) -> str:
    """Why the prediction should not be relied on; empty when it can be."""
    if speech_s < MIN_SPEECH_TO_PREDICT_S:
        return f"No speech was found ({speech_s:.1f} s)."
    if model.novelty and novelty == MAX_NOVELTY_PERCENTILE:
        return (
            "This is out of distribution: its embedding is further from the training data than every one of "
            f"{len(model.novelty.unseen)} recordings of unseen speech."
        )
    if is_hardly_speech(speech_s, _familiarity(model, novelty)):
        return f"Only {speech_s:.1f} s were detected as speech, unlike the training data: it may be a noise."
    if confidence < model.calibration.min_confidence:
        return (
            f"The most likely emotion has a probability of {confidence:.0%}; predictions below "
            f"{model.calibration.min_confidence:.0%} are wrong too often."
        )
    return ""
