"""The windows of a recording, and the trajectory that their outputs make."""

import numpy as np

from ser_core.audio import SAMPLE_RATE, WINDOW_OVERLAP, SpeechSegments, analysed_bounds, speech_overlap_s, window_starts
from ser_core.inference.forward import WindowOutputs, calibrated_probabilities, run_windows
from ser_core.inference.reference import Reference, reference_fields
from ser_core.inference.results import Trajectory
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
) -> tuple[WindowOutputs, Trajectory]:
    """The outputs of a recording's windows, and the trajectory they make.

    Raises:
        ValueError: see predict_windows.
    """
    window_s = model.config.window_s if window_s is None else window_s
    hop_s = window_s * (1 - WINDOW_OVERLAP) if hop_s is None else hop_s
    if not 0 < hop_s <= window_s:
        raise ValueError(
            f"window_s = {window_s:g}, hop_s = {hop_s:g}: choose a hop above 0 and no longer than the window, or "
            "samples would be left out."
        )
    starts, ends = window_bounds(waveform, window_s, hop_s, speech)
    outputs = run_windows(model, [waveform[a:b] for a, b in zip(starts, ends, strict=True)], progress, reference)
    return outputs, build_trajectory(model, starts, ends, window_s, hop_s, speech, outputs.logits, reference)


def window_bounds(
    waveform: np.ndarray, window_s: float, hop_s: float, speech: SpeechSegments
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the windows of a recording, in samples, each of shape (n_windows,)."""
    window, hop = round(window_s * SAMPLE_RATE), round(hop_s * SAMPLE_RATE)
    first, last = analysed_bounds(waveform, speech)
    starts = first + window_starts(last - first, window, hop)
    return starts, np.minimum(starts + window, last)


def build_trajectory(
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
        **reference_fields(reference),
    )
