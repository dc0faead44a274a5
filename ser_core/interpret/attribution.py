"""Attribution: the relevance of each part of a window for a prediction.

A map shows what a prediction depends on, not whether it is correct. Relevance is in units of the explained score; for
methods with signs, positive values increase the score of the emotion and negative ones decrease it. By hand:
captum requires a library of charts.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.audio import SAMPLE_RATE, pad_batch, window_starts
from ser_core.inference import CPU_BATCH_SIZE, inference_queue, run_windows
from ser_core.interpret.expected_gradients import expected_gradients, gradient_turn
from ser_core.models import ResoNet, SERModel, SpectrogramModel, unpadded_lengths
from ser_core.progress import Progress, no_progress

OCCLUSION_PATCH_S, OCCLUSION_PATCH_BANDS = 0.25, 16  # of an occluded patch; the step is half a patch
SILENCED_SPAN_S, SILENCED_SPAN_FADE_S = 0.2, 0.01  # of a silenced span; the step is half a span
N_INTEGRATION_STEPS = 128  # of the integral, from silence to the window


@dataclass(frozen=True)
class AttributionTarget:
    """The explained score: of an emotion or, with `instead_of`, the difference of two."""

    emotion: str
    instead_of: str | None = None

    def score(self, labels: Sequence[str], logits):
        """The logit of the emotion, or its difference from that of the other one.

        Args:
            logits: shape = (B, n_classes), numpy or torch.

        Returns:
            shape = (B,).
        """
        score = logits[:, labels.index(self.emotion)]
        return score if self.instead_of is None else score - logits[:, labels.index(self.instead_of)]


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
        ValueError: a method that does not apply to this model; the message lists those that do.
    """
    if method not in attribution_methods(model):
        raise ValueError(
            f"{method!r} does not apply to {model.name}. Choose one of: {', '.join(attribution_methods(model))}."
        )
    found = ATTRIBUTION_METHODS[method](model, waveform, target, progress)
    relevance, gained = found if isinstance(found, tuple) else (found, None)
    hop_s = model.config.frontend.hop_length / SAMPLE_RATE
    return Explanation(method, np.ascontiguousarray(relevance, np.float64), hop_s, gained)


def _grad_cam(model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress) -> np.ndarray:
    """Selvaraju et al. 2017: the channels of the last feature map, each weighted by its mean gradient; with its sign.

    The last layer of ResNet101 is before its ReLU.
    """
    with gradient_turn(), _record_feature_maps(model) as seen:
        features = _window_features(model, waveform).requires_grad_()
        score = _target_score(model, target, features).sum()
        (slope,) = torch.autograd.grad(score, seen[-1])
    weight = slope.mean((2, 3), keepdim=True)
    active = seen[-1].detach().clamp_min(0)  # ResNet101's map is before its ReLU
    relevance = (weight * active).sum(1, keepdim=True)
    return F.interpolate(relevance, features.shape[2:], mode="bilinear")[0, 0].cpu().numpy()


def _integrated_gradients(
    model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress
) -> tuple[np.ndarray, float]:
    """Sundararajan et al. 2017, from the features of silence: a spectrogram without contrast."""
    with inference_queue.turn():
        features, silence = (_window_features(model, sound) for sound in (waveform, np.zeros_like(waveform)))
        with torch.no_grad():
            gained = float(_target_score(model, target, features) - _target_score(model, target, silence))
    nodes, weights = np.polynomial.legendre.leggauss(N_INTEGRATION_STEPS)  # of Gauss's quadrature, from -1 to 1
    way, weight = (torch.from_numpy(values / 2).to(features)[:, None, None, None] for values in (1 + nodes, weights))
    mean_slope = torch.zeros_like(features)
    for first in range(0, N_INTEGRATION_STEPS, CPU_BATCH_SIZE):  # other jobs get their turn in between
        batch = slice(first, first + CPU_BATCH_SIZE)
        with gradient_turn():
            between = (silence + way[batch] * (features - silence)).requires_grad_()
            (slope,) = torch.autograd.grad(_target_score(model, target, between).sum(), between)
        mean_slope += (weight[batch] * slope).sum(0)
        progress((first + CPU_BATCH_SIZE) / N_INTEGRATION_STEPS)
    return (mean_slope * (features - silence)).sum(1)[0].cpu().numpy(), gained


def _occlusion(model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress) -> np.ndarray:
    """Zeiler & Fergus 2014: the loss of score when a patch is set to the mean level of its bands over the window."""
    with inference_queue.turn(), torch.no_grad():
        features = _window_features(model, waveform)
        intact = _target_score(model, target, features)
    mean_level = features.mean(3, keepdim=True)
    hop_s = model.config.frontend.hop_length / SAMPLE_RATE
    masks = _occlusion_masks(features.shape[2], features.shape[3], hop_s).to(features.device)
    losses = []
    for first in range(0, len(masks), CPU_BATCH_SIZE):
        occluded = torch.where(masks[first : first + CPU_BATCH_SIZE, None], mean_level, features)
        with inference_queue.turn(), torch.no_grad():
            losses.append(intact - _target_score(model, target, occluded))
        progress(min(1.0, (first + CPU_BATCH_SIZE) / len(masks)))
    return (torch.einsum("p,pbt->bt", torch.cat(losses), masks.float()) / masks.sum(0)).cpu().numpy()


def _occlusion_masks(n_bands: int, n_frames: int, hop_s: float) -> Tensor:
    """The patches one after the other, bool, shape = (n_patches, n_bands, n_frames); the last ones may be cut off."""
    sizes = min(OCCLUSION_PATCH_BANDS, n_bands), min(round(OCCLUSION_PATCH_S / hop_s), n_frames)
    over = []
    for n, size in zip((n_bands, n_frames), sizes, strict=True):
        step = max(1, size // 2)
        distance = torch.arange(n) - step * torch.arange(1 - (size - n) // step)[:, None]
        over.append((distance >= 0) & (distance < size))
    bands, frames = over
    return (bands[:, None, :, None] & frames[None, :, None, :]).flatten(0, 1)


def _self_attention(model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress) -> np.ndarray:
    """Self-attention of ResoNet to each frame, relative to the average of 1; shape = (1, n_frames).

    The mean over heads and queries, the same for every emotion.
    """
    resonet = cast(ResoNet, model)  # the only family that this method is offered for
    with inference_queue.turn(), torch.no_grad():
        features = _window_features(model, waveform)
        steps, _ = resonet.encode_sequence(features, unpadded_lengths(features))
        normed = resonet.norm(steps)
        weights = resonet.attention(normed, normed, normed)[1]
    attention = weights.mean(1, keepdim=True) * weights.shape[-1]
    return F.interpolate(attention, features.shape[-1], mode="linear")[0].cpu().numpy()


def _expected_gradients(
    model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress
) -> np.ndarray:
    return expected_gradients(model, waveform, lambda logits: target.score(model.config.labels, logits), progress)


def _silencing(model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress) -> np.ndarray:
    """The loss of score when a span of the window is silenced: for any model; shape = (1, n_frames)."""
    length = round(SILENCED_SPAN_S * SAMPLE_RATE)
    starts = window_starts(len(waveform), length, length // 2)
    silenced = [waveform * _silencing_envelope(len(waveform), start, start + length) for start in starts]
    logits = run_windows(model, [waveform, *silenced], progress).logits
    intact, *silenced_scores = target.score(model.config.labels, logits)
    centres = np.arange(1 + len(waveform) // model.config.frontend.hop_length) * model.config.frontend.hop_length
    centres = np.minimum(centres, len(waveform) - 1)
    covers = (centres >= starts[:, None]) & (centres < starts[:, None] + length)
    return ((intact - np.array(silenced_scores)) @ covers / covers.sum(0))[None]


def _silencing_envelope(n_samples: int, start: int, end: int) -> np.ndarray:
    """1 outside a span, 0 inside, with linear fades around it; shape = (n_samples,)."""
    fade = SILENCED_SPAN_FADE_S * SAMPLE_RATE
    at = np.arange(n_samples)
    return np.clip(np.maximum(start - at, at - (end - 1)) / fade, 0, 1).astype(np.float32)


GRAD_CAM, OCCLUSION, INTEGRATED_GRADIENTS = "Grad-CAM", "Occlusion", "Integrated gradients"
EXPECTED_GRADIENTS, SELF_ATTENTION, SILENCING = "Expected gradients", "Attention", "Silence"
ATTRIBUTION_METHODS = {
    GRAD_CAM: _grad_cam,
    OCCLUSION: _occlusion,
    INTEGRATED_GRADIENTS: _integrated_gradients,
    EXPECTED_GRADIENTS: _expected_gradients,
    SELF_ATTENTION: _self_attention,
    SILENCING: _silencing,
}


def _window_features(model: SERModel, waveform: np.ndarray) -> Tensor:
    """The features of one window, shape = (1, C, n_bands, n_frames)."""
    batch, _ = pad_batch([waveform])
    with torch.no_grad():
        return model.frontend(batch.to(model.device))


def _target_score(model: SERModel, target: AttributionTarget, features: Tensor) -> Tensor:
    return target.score(model.config.labels, model.classify(model.encode(features)))


@contextmanager
def _record_feature_maps(model: SERModel) -> Iterator[list[Tensor]]:
    """The 2-D feature maps of all layers in the order of computation; each of shape (1, C, height, width)."""
    seen = []

    def keep(layer: nn.Module, arguments: tuple, output: Tensor | tuple) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor) and first.ndim == 4:
            seen.append(first)

    handles = [layer.register_forward_hook(keep) for layer in model.modules()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
