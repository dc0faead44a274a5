"""Attribution: the relevance of each part of a window for a prediction.

A map shows what a prediction depends on, not whether it is correct. Relevance is in units of the explained score; for
methods with signs, positive values increase the score of the emotion and negative ones decrease it. By hand:
captum requires a library of charts.
"""

from dataclasses import dataclass

import numpy as np
from torch import nn

from ser_core.audio import SAMPLE_RATE, check_waveform
from ser_core.interpret.attribution.expected_gradients import expected_gradients
from ser_core.interpret.attribution.features import AttributionTarget
from ser_core.interpret.attribution.gradients import grad_cam, integrated_gradients, self_attention
from ser_core.interpret.attribution.occlusion import occlusion, silencing
from ser_core.models import SERModel, SpectrogramModel
from ser_core.progress import Progress, no_progress


@dataclass(frozen=True, eq=False)
class Explanation:
    """A map of relevance over one window, in frames of the model's spectrogram."""

    method: str  # a key of ATTRIBUTION_METHODS
    relevance: np.ndarray  # (n_bands, n_frames), lowest band first; n_bands = 1 for methods over time alone
    hop_s: float  # frame i is centred at i * hop_s
    score_difference: float | None = None  # integrated gradients only: the score of the window minus that of silence

    @property
    def over_time(self) -> np.ndarray:
        """Sum over the bands, shape = (n_frames,)."""
        return self.relevance.sum(0)

    @property
    def over_frequency(self) -> np.ndarray:
        """Sum over the frames, shape = (n_bands,)."""
        return self.relevance.sum(1)

    @property
    def completeness_error(self) -> float | None:
        """Difference between the sum of the map and `score_difference`, in units of the score."""
        return None if self.score_difference is None else abs(float(self.relevance.sum()) - self.score_difference)


def attribution_methods(model: SERModel) -> tuple[str, ...]:
    """The methods that apply to a model, in the order in which they are tried: the fastest and finest first.

    Those over features need 2-D convolutions over a spectrogram: rows of cepstral coefficients are not frequencies.
    """
    if not model.is_neural:
        return (SILENCING,)
    convolves = isinstance(model, SpectrogramModel) and any(isinstance(layer, nn.Conv2d) for layer in model.modules())
    if not convolves or model.config.frontend.n_mfcc:
        return (EXPECTED_GRADIENTS, SILENCING)
    own = (SELF_ATTENTION,) if getattr(model, "attention", None) else ()
    return (GRAD_CAM, OCCLUSION, INTEGRATED_GRADIENTS, EXPECTED_GRADIENTS, *own, SILENCING)


def explain(
    model: SERModel,
    waveform: np.ndarray,
    method: str,
    target: AttributionTarget,
    progress: Progress = no_progress,
) -> Explanation:
    """The relevance of every part of one window.

    Args:
        waveform: no longer than the model's window, shape = (n_samples,).
        method: one of attribution_methods(model).
        progress: called with the share that is done.

    Raises:
        AudioError: a waveform as check_waveform refuses it.
        ValueError: a method that does not apply to this model, or an emotion that it does not have; the message lists
            the others. A waveform longer than the window.
    """
    check_waveform(waveform)
    if len(waveform) > (window := round(model.config.window_s * SAMPLE_RATE)):
        raise ValueError(f"{len(waveform)} samples are more than a window of {model.name}: give {window} at most.")
    if method not in attribution_methods(model):
        raise ValueError(
            f"{method!r} does not apply to {model.name}. Choose one of: {', '.join(attribution_methods(model))}."
        )
    found = ATTRIBUTION_METHODS[method](model, waveform, target, progress)
    relevance, gained = found if isinstance(found, tuple) else (found, None)
    hop_s = model.config.frontend.hop_length / SAMPLE_RATE
    return Explanation(method, np.ascontiguousarray(relevance, np.float64), hop_s, gained)


GRAD_CAM, OCCLUSION, INTEGRATED_GRADIENTS = "Grad-CAM", "Occlusion", "Integrated gradients"
EXPECTED_GRADIENTS, SELF_ATTENTION, SILENCING = "Expected gradients", "Attention", "Silence"
ATTRIBUTION_METHODS = {
    GRAD_CAM: grad_cam,
    OCCLUSION: occlusion,
    INTEGRATED_GRADIENTS: integrated_gradients,
    EXPECTED_GRADIENTS: expected_gradients,
    SELF_ATTENTION: self_attention,
    SILENCING: silencing,
}
