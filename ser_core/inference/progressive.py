"""Progressive prediction of a long recording: one run on a fine grid, from which longer windows and hops are pooled.

The windows are predicted in passes, each with half the hop of the one before: the first pass soon covers the recording
coarsely, the last one completes the grid.

The logits of a longer window are the mean over the model's windows inside it, each weighted by its seconds of speech,
as in the prediction for a recording. As the windows on the grid overlap, the middle counts a little more than the ends.
The shortest window is `trajectory_window_s` of the model.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from ser_core.audio import SpeechSegments, Windows, windows_between
from ser_core.inference.forward import CPU_BATCH_SIZE, run_windows
from ser_core.inference.reference import Reference, reference_fields
from ser_core.inference.results import Trajectory
from ser_core.models import SERModel

GRID_HOP_S = 0.5
MIN_WINDOW_WEIGHT_S = 1e-6  # of a window without speech: matters only if no window has any


@dataclass(frozen=True, eq=False)
class PartialTrajectory:
    """Logits of a model's windows over a recording, as far as they are computed."""

    model: str
    version: str
    labels: tuple[str, ...]
    temperature: float  # of the calibration
    min_confidence: float  # below it the model is not sure
    grid: Windows
    speech_s: np.ndarray  # (n_windows,)
    passes: tuple[np.ndarray, ...]  # indices of the windows in the order of prediction
    logits: np.ndarray  # (n_windows, n_classes), NaN for windows still to come
    n_predicted: int = 0
    reference: Reference | None = None  # of the speaker

    @property
    def share(self) -> float:
        """The share of windows predicted, in [0, 1]."""
        return self.n_predicted / len(self.logits)

    @property
    def n_passes(self) -> int:
        """The number of finished passes; the first one covers the recording."""
        return int(np.searchsorted(np.cumsum([len(windows) for windows in self.passes]), self.n_predicted, "right"))

    @property
    def known(self) -> np.ndarray:
        """Indices of the windows of the finished passes, or of the first one so far; in order."""
        return np.sort(np.concatenate(self.passes[: max(self.n_passes, 1)])[: self.n_predicted])

    @property
    def predicted_hop_s(self) -> float:
        """From one window of the finished passes to the next, in seconds."""
        return self.grid.hop_s * 2 ** (len(self.passes) - max(self.n_passes, 1))

    @property
    def until_s(self) -> float:
        """End of the last of these windows, in seconds; 0 before the first one."""
        return float(self.grid.end_s[self.known[-1]]) if self.n_predicted else 0.0


def start_trajectory(
    model: SERModel,
    bounds: tuple[int, int],
    speech: SpeechSegments,
    hop_s: float = GRID_HOP_S,
    reference: Reference | None = None,
) -> PartialTrajectory:
    """The grid of a recording, before any prediction.

    Args:
        bounds: (start, end) in samples of the analysed part: analysed_bounds(waveform, speech).
        speech: (start_s, end_s) of the speech in the recording.
        hop_s: of the grid; the last window ends at the bound, so that only the last hop may be shorter.
        reference: of the one speaker of the recording.
    """
    grid = windows_between(*bounds, model.trajectory_window_s, hop_s)
    widest = 2 ** int(np.log2(max(model.trajectory_window_s / hop_s, 1)))  # more would leave samples out
    return PartialTrajectory(
        model=model.name,
        version=model.version,
        labels=model.config.labels,
        temperature=model.calibration.temperature,
        min_confidence=model.calibration.threshold(reference is not None),
        grid=grid,
        speech_s=grid.speech_s(speech),
        passes=_passes(len(grid.starts), widest),
        logits=np.full((len(grid.starts), len(model.config.labels)), np.nan, np.float32),
        reference=reference,
    )


def _passes(n_windows: int, stride: int) -> tuple[np.ndarray, ...]:
    """Every stride-th window and the last one; those half-way between them; and so on until there are no more."""
    passes = [np.append(np.arange(0, n_windows - 1, stride), n_windows - 1)]
    while stride > 1:
        passes.append(np.arange(stride // 2, n_windows - 1, stride))
        stride //= 2
    return tuple(passes)


def extend_trajectory(
    model: SERModel, waveform: np.ndarray, partial: PartialTrajectory, n_windows: int = CPU_BATCH_SIZE
) -> PartialTrajectory:
    """The trajectory with the next n_windows predicted, with the reference given at the start."""
    piece = np.concatenate(partial.passes)[partial.n_predicted : partial.n_predicted + n_windows]
    logits = partial.logits.copy()
    windows = [waveform[partial.grid.starts[i] : partial.grid.ends[i]] for i in piece]
    logits[piece] = run_windows(model, windows, reference=partial.reference).logits
    return replace(partial, logits=logits, n_predicted=partial.n_predicted + len(piece))


def pool_trajectory(
    partial: PartialTrajectory,
    speech: SpeechSegments,
    n_model_windows: int = 1,
    hop_s: float | None = None,
) -> Trajectory:
    """The predictions so far, in windows n_model_windows times as long as the model's.

    Args:
        partial: with at least one predicted window.
        speech: (start_s, end_s) of the speech in the recording.
        hop_s: a multiple of the grid's, at most a window; by default that of the grid. During the first passes the
            trajectory has a multiple of the hop so far instead.

    Raises:
        ValueError: a hop that is not a multiple, or longer than the window.
    """
    grid, known = partial.grid, partial.known
    hop_s = _available_hop_s(partial, grid.hop_s if hop_s is None else hop_s)
    windows = windows_between(grid.starts[0], grid.ends[known[-1]], n_model_windows * grid.window_s, hop_s)
    return Trajectory(
        model=partial.model,
        labels=partial.labels,
        start_s=windows.start_s,
        end_s=windows.end_s,
        probabilities=softmax(_pooled_logits(partial, windows) / partial.temperature, axis=-1),
        speech_s=windows.speech_s(speech),
        window_s=windows.window_s,
        hop_s=windows.hop_s,
        **reference_fields(partial.reference),
    )


def _available_hop_s(partial: PartialTrajectory, hop_s: float) -> float:
    """The nearest hop that the windows predicted so far allow."""
    step_s = partial.grid.hop_s
    n_asked, n_known = round(hop_s / step_s), round(partial.predicted_hop_s / step_s)
    if not np.isclose(hop_s, n_asked * step_s):
        raise ValueError(f"hop_s = {hop_s} must be a multiple of {step_s}, the hop of the grid")
    return partial.predicted_hop_s * max(1, n_asked // n_known)


def _pooled_logits(partial: PartialTrajectory, windows: Windows) -> np.ndarray:
    """Mean logits of the predicted windows inside each longer one, weighted by speech; shape = (n, n_classes)."""
    known = partial.known
    weight = partial.speech_s[known, None] + MIN_WINDOW_WEIGHT_S
    total = np.cumsum(np.hstack([weight * partial.logits[known].astype(np.float64), weight]), axis=0)
    total = np.vstack([np.zeros(total.shape[1]), total])  # before each window
    low = np.searchsorted(partial.grid.starts[known], windows.starts)
    high = np.searchsorted(partial.grid.ends[known], windows.ends, "right")
    sums = total[high] - total[low]
    return sums[:, :-1] / sums[:, -1:]
