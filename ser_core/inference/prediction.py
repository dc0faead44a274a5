"""Waveform to answer: one path for the app, the command line and the evaluation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ser_core.audio import (
    SAMPLE_RATE,
    WINDOW_OVERLAP,
    AudioError,
    SpeechSegments,
    analysed_bounds,
    load_audio,
    pad_batch,
    speech_overlap_s,
    speech_segments,
    window_starts,
)
from ser_core.inference.queue import inference_queue
from ser_core.inference.results import Prediction, Trajectory
from ser_core.metrics import softmax
from ser_core.models import SERModel, load_model
from ser_core.progress import Progress, no_progress

CPU_BATCH_SIZE = 16  # stays in a core's cache
GPU_BATCH_SIZE = 256
MAX_NOVELTY_PERCENTILE = 100.0  # percent: novelty of what lies beyond all known speech
MIN_SPEECH_TO_PREDICT_S = 0.2  # less is no utterance: a click, a breath, a syllable cut off


def predict(model: SERModel, waveform: np.ndarray, speech: SpeechSegments | None = None) -> Prediction:
    """The model's answer for a whole recording: the mean over its windows, each weighted by its seconds of speech.

    Args:
        model: from load_model.
        waveform: mono at 16 kHz in [-1, 1], shape = (n_samples,).
        speech: speech_segments(waveform), where they are known already.

    Raises:
        AudioError: no samples, or samples that are not numbers.
    """
    return predict_with_windows(model, waveform, speech)[0]


def predict_windows(
    model: SERModel,
    waveform: np.ndarray,
    window_s: float | None = None,
    hop_s: float | None = None,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
) -> Trajectory:
    """The model's answer for each window; the tail of the recording is in the last one.

    Args:
        model, waveform, speech: as for predict.
        window_s: length of a window, by default what the model was trained on; a shorter recording is one window.
        hop_s: from one window to the next, by default half a window.
        progress: called with the share that is done, in (0, 1].

    Raises:
        AudioError: no samples, or samples that are not numbers.
        ValueError: window or hop not positive, or a hop that would leave samples out.
    """
    _check_waveform(waveform)
    speech = speech_segments(waveform) if speech is None else speech
    return _run_windows(model, waveform, window_s, hop_s, speech, progress)[2]


def predict_with_windows(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
) -> tuple[Prediction, Trajectory]:
    """predict and predict_windows (with its default windows) in one pass. Arguments and errors as there."""
    _check_waveform(waveform)
    speech = speech_segments(waveform) if speech is None else speech
    logits, distance, trajectory = _run_windows(model, waveform, None, None, speech, progress)
    return _aggregate_windows(model, len(waveform) / SAMPLE_RATE, speech, logits, distance, trajectory), trajectory


def predict_batch(
    model: SERModel, waveforms: Sequence[np.ndarray], speech: Sequence[SpeechSegments]
) -> list[Prediction]:
    """predict of many recordings, with the windows of all of them in common batches: the fast way for short ones.

    Args:
        waveforms: each mono at 16 kHz in [-1, 1], shape = (n_samples,).
        speech: speech_segments of each.

    Raises:
        AudioError: a waveform without samples, or with samples that are not numbers.
    """
    for waveform in waveforms:
        _check_waveform(waveform)
    window_s = model.config.window_s
    hop_s = window_s * (1 - WINDOW_OVERLAP)
    bounds = [_window_bounds(w, window_s, hop_s, s) for w, s in zip(waveforms, speech, strict=True)]
    windows = [w[a:b] for w, pair in zip(waveforms, bounds, strict=True) for a, b in zip(*pair, strict=True)]
    logits, distance = window_logits_and_distances(model, windows) if windows else (np.empty((0, 0)), None)
    found, first = [], 0
    for waveform, stretches, (starts, ends) in zip(waveforms, speech, bounds, strict=True):
        own = slice(first, first := first + len(starts))
        trajectory = _build_trajectory(model, starts, ends, window_s, hop_s, stretches, logits[own])
        far = None if distance is None else distance[own]
        found.append(_aggregate_windows(model, len(waveform) / SAMPLE_RATE, stretches, logits[own], far, trajectory))
    return found


def _aggregate_windows(
    model: SERModel,
    duration_s: float,
    speech: SpeechSegments,
    logits: np.ndarray,
    distance: np.ndarray | None,
    trajectory: Trajectory,
) -> Prediction:
    """The answer for a recording from those for its windows: logits (n_windows, n_classes), distance (n_windows,)."""
    weight = trajectory.speech_s if trajectory.speech_s.any() else np.ones(len(logits))
    probabilities = calibrated_probabilities(model, (logits * weight[:, None]).sum(0) / weight.sum())
    novelty = None if distance is None else model.novelty.percentile((distance * weight).sum() / weight.sum())
    labels = model.config.labels
    ranked = sorted(zip(labels, probabilities.tolist(), strict=True), key=lambda pair: -pair[1])
    speech_s = sum((end_s - start_s for start_s, end_s in speech), start=0.0)
    reason = _abstain_reason(model, ranked[0][1], speech_s, novelty)
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
    )


def predict_emotion(checkpoint: str | Path, file) -> tuple[str, float, tuple[tuple[str, float], ...]]:
    """From a checkpoint and a sound file to (emotion, confidence, top3), in one line.

    Raises:
        CheckpointError, AudioError: see load_model and load_audio.
    """
    prediction = predict(load_model(checkpoint), load_audio(file))
    return prediction.emotion, prediction.confidence, prediction.top3


def _check_waveform(waveform: np.ndarray) -> None:
    if waveform.ndim != 1 or not len(waveform) or not np.isfinite(waveform).all():
        raise AudioError("A waveform must be mono, hold at least one sample, and hold only numbers. Record it again.")


def _run_windows(
    model, waveform, window_s, hop_s, speech, progress
) -> tuple[np.ndarray, np.ndarray | None, Trajectory]:
    """Logits and distances as from window_answers, and the trajectory they make."""
    window_s = model.config.window_s if window_s is None else window_s
    hop_s = window_s * (1 - WINDOW_OVERLAP) if hop_s is None else hop_s
    starts, ends = _window_bounds(waveform, window_s, hop_s, speech)
    logits, distance = window_logits_and_distances(
        model, [waveform[a:b] for a, b in zip(starts, ends, strict=True)], progress
    )
    return logits, distance, _build_trajectory(model, starts, ends, window_s, hop_s, speech, logits)


def _window_bounds(
    waveform: np.ndarray, window_s: float, hop_s: float, speech: SpeechSegments
) -> tuple[np.ndarray, np.ndarray]:
    """Where the windows of a recording begin and end, in samples, each of shape (n_windows,)."""
    window, hop = round(window_s * SAMPLE_RATE), round(hop_s * SAMPLE_RATE)
    first, last = analysed_bounds(waveform, speech)
    starts = first + window_starts(last - first, window, hop)
    return starts, np.minimum(starts + window, last)


def _build_trajectory(model, starts, ends, window_s, hop_s, speech, logits) -> Trajectory:
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
    )


def calibrated_probabilities(model: SERModel, logits: np.ndarray) -> np.ndarray:
    """Probabilities from logits, both of shape (..., n_classes)."""
    return softmax(logits.astype(np.float64) / model.calibration.temperature)


def _abstain_reason(model: SERModel, confidence: float, speech_s: float, novelty: float | None) -> str:
    """Why the answer should not be relied on; empty when nothing speaks against it."""
    if speech_s < MIN_SPEECH_TO_PREDICT_S:
        return f"No speech was found ({speech_s:.1f} s)."
    if novelty == MAX_NOVELTY_PERCENTILE:
        return (
            "This is no speech as the model knows it: it lies further from what it learned from than any of "
            f"{len(model.novelty.unseen)} stretches of speech by people it has never heard."
        )
    if confidence < model.calibration.min_confidence:
        return (
            f"The most likely emotion reaches {confidence:.0%}, and answers below "
            f"{model.calibration.min_confidence:.0%} are wrong too often."
        )
    return ""


def window_logits(model: SERModel, windows: Sequence[np.ndarray], progress: Progress = no_progress) -> np.ndarray:
    """Logits of waveforms, shape = (n_windows, n_classes). Arguments as for window_answers."""
    return window_outputs(model, windows, progress)[1]


def window_logits_and_distances(
    model: SERModel, windows: Sequence[np.ndarray], progress: Progress = no_progress
) -> tuple[np.ndarray, np.ndarray | None]:
    """Logits of waveforms of any lengths, in batches of similar length.

    Args:
        windows: float32 waveforms, each of shape (n_samples,) with n_samples >= 1.
        progress: called with the share that is done.

    Returns:
        (logits, distances), in the order of `windows`: shape = (n_windows, n_classes), and how far each lies from what
        the model learned from, shape = (n_windows,); None where the checkpoint does not know.
    """
    embeddings, logits = window_outputs(model, windows, progress)
    return logits, model.novelty.distance(embeddings) if model.novelty else None


def window_embeddings(model: SERModel, windows: Sequence[np.ndarray], progress: Progress = no_progress) -> np.ndarray:
    """Embeddings of waveforms, shape = (n_windows, embedding_dim). Arguments as for window_answers."""
    return window_outputs(model, windows, progress)[0]


@torch.inference_mode()
def window_outputs(
    model: SERModel, windows: Sequence[np.ndarray], progress: Progress = no_progress
) -> tuple[np.ndarray, np.ndarray]:
    """(embeddings, logits), of shapes (n_windows, embedding_dim) and (n_windows, n_classes). As window_answers."""
    order = np.argsort([len(w) for w in windows], kind="stable")
    found: list[tuple[np.ndarray, np.ndarray]] = [()] * len(order)
    batch_size = CPU_BATCH_SIZE if model.device.type == "cpu" else GPU_BATCH_SIZE
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        waveform, n_samples = pad_batch([windows[i] for i in chosen])
        with inference_queue.turn():
            embedding = model.embed(waveform.to(model.device), n_samples.to(model.device))
            logits = model.head(embedding)
        for i, *row in zip(chosen, embedding.float().cpu().numpy(), logits.float().cpu().numpy(), strict=True):
            found[i] = tuple(row)
        progress((first + len(chosen)) / len(order))
    embeddings, logits = zip(*found, strict=True)
    return np.stack(embeddings), np.stack(logits)


@torch.inference_mode()
def frontend_features(model: SERModel, waveform: np.ndarray) -> np.ndarray:
    """What the model's front end makes of one window, before any layer.

    Args:
        waveform: shape = (n_samples,), no longer than the model's window.

    Returns:
        shape = (n_bands, n_frames) of a spectrogram, without its deltas; (88,) of functionals, in units of their spread
        over the training clips; (n_samples,) of a model that hears the waveform itself.
    """
    with inference_queue.turn():
        features = model.frontend(torch.from_numpy(waveform.copy())[None].to(model.device))
        features = model.encode(features) if model.n_parameters() == 0 else features
    return (features[0, 0] if features.ndim == 4 else features[0]).cpu().numpy()
