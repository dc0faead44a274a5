"""The windows of a recording, and the trajectory that their outputs make."""

import math

import numpy as np

from ser_core.audio import (
    SAMPLE_RATE,
    WINDOW_OVERLAP,
    SpeechSegments,
    analysed_bounds,
    speech_duration_s,
    speech_overlap_s,
    speech_segments,
    window_starts,
)
from ser_core.inference.forward import WindowOutputs, calibrated_probabilities, relative_to, run_windows
from ser_core.inference.reference import Reference, fingerprint, reference_fields
from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S, Trajectory
from ser_core.models import SERModel
from ser_core.progress import Progress


def run_recording(
    model: SERModel,
    waveform: np.ndarray,
    window_s: float | None,
    hop_s: float | None,
    speech: SpeechSegments,
    progress: Progress,
    reference: Reference | None,
) -> tuple[WindowOutputs, Trajectory, Reference | None]:
    """The outputs of a recording's windows, the trajectory they make, and what they are relative to, see _of_others.

    Raises:
        ValueError: see predict_windows.
    """
    window_s = model.config.window_s if window_s is None else window_s
    hop_s = window_s * (1 - WINDOW_OVERLAP) if hop_s is None else hop_s
    if not 1 / SAMPLE_RATE <= hop_s <= window_s < math.inf:
        raise ValueError(
            f"window_s = {window_s:g}, hop_s = {hop_s:g}: choose a hop of a sample or more, and no longer than the "
            "window, or samples would be left out."
        )
    bounds = window_bounds(waveform, window_s, hop_s, speech)
    outputs = run_windows(model, [waveform[a:b] for a, b in zip(*bounds, strict=True)], progress, reference)
    return build_trajectory(model, waveform, outputs, bounds, window_s, hop_s, speech, reference)


def build_trajectory(
    model: SERModel,
    waveform: np.ndarray,
    outputs: WindowOutputs,
    bounds: tuple[np.ndarray, np.ndarray],
    window_s: float,
    hop_s: float,
    speech: SpeechSegments,
    reference: Reference | None,
) -> tuple[WindowOutputs, Trajectory, Reference | None]:
    """The trajectory of windows with these outputs and bounds; with the outputs and reference that _of_others gives."""
    outputs, others = _of_others(model, waveform, outputs, bounds, speech, reference)
    start_s, end_s = (edges / SAMPLE_RATE for edges in bounds)
    trajectory = Trajectory(
        model=model.name,
        labels=model.config.labels,
        start_s=start_s,
        end_s=end_s,
        probabilities=calibrated_probabilities(model, outputs.logits),
        speech_s=speech_overlap_s(speech, start_s, end_s),
        window_s=window_s,
        hop_s=hop_s,
        **reference_fields(others),
    )
    return outputs, trajectory, others


def _of_others(
    model: SERModel,
    waveform: np.ndarray,
    outputs: WindowOutputs,
    bounds: tuple[np.ndarray, np.ndarray],
    speech: SpeechSegments,
    reference: Reference | None,
) -> tuple[WindowOutputs, Reference | None]:
    """Outputs of a recording that are relative to other clips only, where it is itself a clip of the reference.

    Compared with itself, a recording seems more ordinary than it is, and the model abstains more often.

    Args:
        outputs: of its windows, relative to the reference.
        bounds: starts and ends of the windows, in samples, each of shape (n_windows,).

    Returns:
        The outputs, and the reference without the recording; None without another clip.
    """
    part = reference.clip_of(waveform) if reference else None
    if reference is None or part is None:
        return outputs, reference
    segments = speech if len(part) == len(waveform) else speech_segments(part)
    known = dict(zip(zip(*bounds, strict=True), outputs.embeddings, strict=True))
    clip = _reference_of_clip(model, part, segments, known)
    if clip is None:
        return outputs, reference
    others = reference.without_clip(clip)
    return relative_to(model, outputs, others), others


def _reference_of_clip(
    model: SERModel, clip: np.ndarray, speech: SpeechSegments, known: dict[tuple[int, int], np.ndarray]
) -> Reference | None:
    """The reference of a single clip; None without speech.

    Args:
        known: start and end of a window, in samples -> its embedding, where it is computed.
    """
    cut = list(zip(*bounds_with_speech(model, clip, speech), strict=True))
    if not cut:
        return None
    if known.keys() >= {*cut}:
        rows = np.stack([known[bounds] for bounds in cut])
    else:  # the windows predicted have another length, or are of a longer recording
        rows = run_windows(model, [clip[a:b] for a, b in cut]).embeddings
    clips = (fingerprint(clip),)
    return Reference(model.name, model.version, rows.mean(0), 1, speech_duration_s(speech), clips=clips)


def bounds_with_speech(
    model: SERModel, waveform: np.ndarray, speech: SpeechSegments, overlap: float = WINDOW_OVERLAP
) -> tuple[np.ndarray, np.ndarray]:
    """The window_bounds of those of the model's windows that contain speech."""
    window_s = model.config.window_s
    starts, ends = window_bounds(waveform, window_s, window_s * (1 - overlap), speech)
    speaks = speech_overlap_s(speech, starts / SAMPLE_RATE, ends / SAMPLE_RATE) >= MIN_SPEECH_TO_PREDICT_S
    return starts[speaks], ends[speaks]


def window_bounds(
    waveform: np.ndarray, window_s: float, hop_s: float, speech: SpeechSegments
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the windows of a recording, in samples, each of shape (n_windows,)."""
    window, hop = round(window_s * SAMPLE_RATE), round(hop_s * SAMPLE_RATE)
    first, last = analysed_bounds(waveform, speech)
    starts = first + window_starts(last - first, window, hop)
    return starts, np.minimum(starts + window, last)
