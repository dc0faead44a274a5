"""The windows of a recording, and the trajectory that their outputs make."""

import math
from dataclasses import replace

import numpy as np

from ser_core.audio import (
    SAMPLE_RATE,
    WINDOW_OVERLAP,
    SpeechSegments,
    Windows,
    analysed_bounds,
    speech_duration_s,
    speech_segments,
    windows_between,
)
from ser_core.inference.forward import WindowOutputs, calibrated_probabilities, relative_to, run_windows
from ser_core.inference.reference import Reference, reference_fields
from ser_core.inference.reference_clips import fingerprint
from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S, Trajectory
from ser_core.models import SERModel
from ser_core.progress import Progress


def recording_windows(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments,
    window_s: float | None = None,
    hop_s: float | None = None,
) -> Windows:
    """The windows over the analysed part of a recording, by default those that predict pools.

    Arguments and errors as of predict_windows.
    """
    window_s = model.config.window_s if window_s is None else window_s
    hop_s = window_s * (1 - WINDOW_OVERLAP) if hop_s is None else hop_s
    if not 1 / SAMPLE_RATE <= hop_s <= window_s < math.inf:
        raise ValueError(
            f"window_s = {window_s:g}, hop_s = {hop_s:g}: choose a hop of a sample or more, and no longer than the "
            "window, or samples would be left out."
        )
    return windows_between(*analysed_bounds(waveform, speech), window_s, hop_s)


def run_recording(
    model: SERModel,
    waveform: np.ndarray,
    windows: Windows,
    speech: SpeechSegments,
    progress: Progress,
    reference: Reference | None,
) -> tuple[WindowOutputs, Trajectory, Reference | None]:
    """The outputs of a recording's windows, the trajectory they make, and what they are relative to, see _of_others."""
    outputs = run_windows(model, windows.cut(waveform), progress, reference)
    return build_trajectory(model, waveform, windows, outputs, speech, reference)


def build_trajectory(
    model: SERModel,
    waveform: np.ndarray,
    windows: Windows,
    outputs: WindowOutputs,
    speech: SpeechSegments,
    reference: Reference | None,
) -> tuple[WindowOutputs, Trajectory, Reference | None]:
    """The trajectory of windows with these outputs; with the outputs and reference that _of_others gives."""
    outputs, others = _of_others(model, waveform, windows, outputs, speech, reference)
    trajectory = Trajectory(
        model=model.name,
        labels=model.config.labels,
        start_s=windows.start_s,
        end_s=windows.end_s,
        probabilities=calibrated_probabilities(model, outputs.logits),
        speech_s=windows.speech_s(speech),
        window_s=windows.window_s,
        hop_s=windows.hop_s,
        **reference_fields(others),
    )
    return outputs, trajectory, others


def _of_others(
    model: SERModel,
    waveform: np.ndarray,
    windows: Windows,
    outputs: WindowOutputs,
    speech: SpeechSegments,
    reference: Reference | None,
) -> tuple[WindowOutputs, Reference | None]:
    """Outputs of a recording that are relative to other clips only, where it is itself a clip of the reference.

    Compared with itself, a recording seems more ordinary than it is, and the model abstains more often.

    Args:
        outputs: of its windows, relative to the reference.

    Returns:
        The outputs, and the reference without the recording; None without another clip.
    """
    part = reference.clip_of(waveform) if reference else None
    if reference is None or part is None:
        return outputs, reference
    segments = speech if len(part) == len(waveform) else speech_segments(part)
    known = dict(zip(windows.bounds, outputs.embeddings, strict=True))
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
    windows = windows_with_speech(model, clip, speech)
    if not windows.bounds:
        return None
    if known.keys() >= {*windows.bounds}:
        rows = np.stack([known[bounds] for bounds in windows.bounds])
    else:  # the windows predicted have another length, or are of a longer recording
        rows = run_windows(model, windows.cut(clip)).embeddings
    clips = (fingerprint(clip),)
    return Reference(model.name, model.version, rows.mean(0), 1, speech_duration_s(speech), clips=clips)


def windows_with_speech(
    model: SERModel,
    waveform: np.ndarray,
    speech: SpeechSegments,
    overlap: float = WINDOW_OVERLAP,
    window_s: float | None = None,
) -> Windows:
    """The windows over a recording that contain speech; window_s: of each, by default that of the model."""
    window_s = model.config.window_s if window_s is None else window_s
    windows = recording_windows(model, waveform, speech, window_s, window_s * (1 - overlap))
    speaks = windows.speech_s(speech) >= MIN_SPEECH_TO_PREDICT_S
    return replace(windows, starts=windows.starts[speaks], ends=windows.ends[speaks])
