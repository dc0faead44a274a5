"""From waveform to prediction: the one path of the app, the command line and the evaluation."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ser_core.audio import (
    SAMPLE_RATE,
    SpeechSegments,
    check_waveform,
    check_waveforms,
    speech_segments,
    speech_segments_of_each,
)
from ser_core.inference.forward import WindowOutputs, calibrated_probabilities, run_windows
from ser_core.inference.prediction.abstention import abstain_reason, familiarity
from ser_core.inference.prediction.trajectory import build_trajectory, recording_windows, run_recording
from ser_core.inference.reference import Reference, reference_fields
from ser_core.inference.results import (
    MIN_SPEECH_TO_PREDICT_S,
    NO_OTHER_CLIP_NOTE,
    Prediction,
    Trajectory,
    answer_fields,
    arousal_and_valence,
)
from ser_core.models import SERModel, check_model
from ser_core.progress import Progress, no_progress


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
        reference: of the speaker, from speaker_reference or recording_reference; None: predicts without. A recording
            that is one of its clips is compared with the others alone.

    Raises:
        AudioError: a waveform as check_waveform refuses it.
        SpeakerReferenceError: a reference of another model, or a model that takes none.
        TypeError, ValueError: no model, such as its name; or speech that is not of this recording.
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
        window_s: length of a window, by default that of the model over time; a shorter recording is one window.
        hop_s: from one window to the next, by default half a window.
        progress: called after each batch.

    Raises:
        AudioError, SpeakerReferenceError: as for predict.
        ValueError: a window that is not finite or longer than an encoder takes (Whisper: 30 s), or a hop below a
            sample or longer than the window.
    """
    check_model(model)
    check_waveform(waveform)
    speech = speech_segments(waveform) if speech is None else speech
    window_s = model.trajectory_window_s if window_s is None else window_s
    windows = recording_windows(model, waveform, speech, window_s, hop_s)
    return run_recording(model, waveform, windows, speech, progress, reference)[1]


def predict_with_windows(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
    reference: Reference | None = None,
) -> tuple[Prediction, Trajectory]:
    """predict, and the trajectory of the windows that it pools, in one pass. Arguments and errors as there."""
    return predict_with_outputs(model, waveform, speech, progress, reference)[:2]


def predict_with_outputs(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
    reference: Reference | None = None,
) -> tuple[Prediction, Trajectory, WindowOutputs]:
    """predict_with_windows, and the outputs of the windows."""
    check_model(model)
    check_waveform(waveform)
    speech = speech_segments(waveform) if speech is None else speech
    windows = recording_windows(model, waveform, speech)
    outputs, trajectory, used = run_recording(model, waveform, windows, speech, progress, reference)
    return _aggregate_windows(model, waveform, speech, outputs, trajectory, reference, used), trajectory, outputs


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
    check_model(model)
    check_waveforms(waveforms)
    if not len(waveforms):
        return []
    speech = speech_segments_of_each(waveforms) if speech is None else speech
    windows = [recording_windows(model, *pair) for pair in zip(waveforms, speech, strict=True)]
    cut = [part.cut(waveform) for part, waveform in zip(windows, waveforms, strict=True)]
    outputs = run_windows(model, [one for own in cut for one in own], reference=reference).split([*map(len, cut)])
    predictions = []
    for waveform, segments, own_windows, all_outputs in zip(waveforms, speech, windows, outputs, strict=True):
        own, trajectory, used = build_trajectory(model, waveform, own_windows, all_outputs, segments, reference)
        predictions.append(_aggregate_windows(model, waveform, segments, own, trajectory, reference, used))
    return predictions


def _aggregate_windows(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments,
    outputs: WindowOutputs,
    trajectory: Trajectory,
    given: Reference | None,
    used: Reference | None,
) -> Prediction:
    """The prediction for a recording from the outputs of its windows, relative to what is used of the reference."""
    probabilities, novelty = _pool_windows(model, outputs, trajectory.speech_s)
    by_emotion = dict(zip(model.config.labels, probabilities.tolist(), strict=True))
    answer = answer_fields(by_emotion, model.possible_emotions)
    speech_s = sum((end_s - start_s for start_s, end_s in speech), start=0.0)
    reason = abstain_reason(model, answer["confidence"], speech_s, novelty, used is not None)
    return Prediction(
        model=model.name,
        version=model.version,
        abstain=bool(reason),
        reason=reason,
        duration_s=len(waveform) / SAMPLE_RATE,
        speech_s=speech_s,
        start_s=float(trajectory.start_s[0]),
        end_s=float(trajectory.end_s[-1]),
        novelty=novelty,
        reference_note=_reference_note(given, used, outputs.embeddings, trajectory.speech_s),
        **answer,
        **reference_fields(used),
        **(_fields_of_speech(model, probabilities, novelty) if speech_s >= MIN_SPEECH_TO_PREDICT_S else {}),
    )


def _fields_of_speech(model: SERModel, probabilities: np.ndarray, novelty: float | None) -> dict[str, Any]:
    """What a prediction says of speech only."""
    arousal, valence = arousal_and_valence(model.config.labels, probabilities).tolist()
    return {"familiarity": familiarity(model, novelty), "arousal": arousal, "valence": valence}


def _reference_note(
    given: Reference | None, used: Reference | None, embeddings: np.ndarray, speech_s: np.ndarray
) -> str:
    """What is doubtful about the reference of a recording, from its windows.

    Args:
        embeddings: shape = (n_windows, embedding_dim).
        speech_s: seconds of speech, shape = (n_windows,).
    """
    if used is None:
        return NO_OTHER_CLIP_NOTE if given else ""
    return used.note_for(np.average(embeddings, axis=0, weights=speech_s)) if speech_s.any() else used.note


def _pool_windows(model: SERModel, outputs: WindowOutputs, speech_s: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Probabilities, shape = (n_classes,), and novelty in percent: of means over the windows, weighted by speech."""
    weight = speech_s if speech_s.any() else np.ones(len(speech_s))
    probabilities = calibrated_probabilities(model, (outputs.logits * weight[:, None]).sum(0) / weight.sum())
    if outputs.distances is None or model.novelty is None:
        return probabilities, None
    return probabilities, model.novelty.percentile((outputs.distances * weight).sum() / weight.sum())
