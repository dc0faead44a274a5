"""Methods that look inside the network: gradients and attention."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.inference import CPU_BATCH_SIZE, inference_queue
from ser_core.interpret.attribution.expected_gradients import gradient_turn
from ser_core.interpret.attribution.features import AttributionTarget, target_score, window_features
from ser_core.models import ResoNet, SERModel, unpadded_lengths
from ser_core.progress import Progress

N_INTEGRATION_STEPS = 128  # of the integral, from silence to the window


def grad_cam(model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress) -> np.ndarray:
    """Selvaraju et al. 2017: the channels of the last feature map, each weighted by its mean gradient; with its sign.

    The last map of ResNet101 is before its ReLU, which is applied here.
    """
    with gradient_turn(), _record_feature_maps(model) as seen:
        features = window_features(model, waveform).requires_grad_()
        score = target_score(model, target, features).sum()
        (slope,) = torch.autograd.grad(score, seen[-1])
    weight = slope.mean((2, 3), keepdim=True)
    active = seen[-1].detach().clamp_min(0)
    relevance = (weight * active).sum(1, keepdim=True)
    return F.interpolate(relevance, features.shape[2:], mode="bilinear")[0, 0].cpu().numpy()


def integrated_gradients(
    model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress
) -> tuple[np.ndarray, float]:
    """Sundararajan et al. 2017, from the features of silence: a spectrogram without contrast."""
    with inference_queue.turn():
        features, silence = (window_features(model, sound) for sound in (waveform, np.zeros_like(waveform)))
        gained = (
            target_score(model, target, features) - target_score(model, target, silence)
        ).item()  # exact, as slopes
    nodes, weights = np.polynomial.legendre.leggauss(N_INTEGRATION_STEPS)  # of Gauss's quadrature, from -1 to 1
    way, weight = (torch.from_numpy(values / 2).to(features)[:, None, None, None] for values in (1 + nodes, weights))
    mean_slope = torch.zeros_like(features)
    for first in range(0, N_INTEGRATION_STEPS, CPU_BATCH_SIZE):  # other jobs get their turn in between
        batch = slice(first, first + CPU_BATCH_SIZE)
        with gradient_turn():
            between = (silence + way[batch] * (features - silence)).requires_grad_()
            (slope,) = torch.autograd.grad(target_score(model, target, between).sum(), between)
        mean_slope += (weight[batch] * slope).sum(0)
        progress((first + CPU_BATCH_SIZE) / N_INTEGRATION_STEPS)
    return (mean_slope * (features - silence)).sum(1)[0].cpu().numpy(), gained


def self_attention(model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress) -> np.ndarray:
    """Self-attention of ResoNet to each frame, relative to the average of 1; shape = (1, n_frames).

    The mean over heads and queries, the same for every emotion.
    """
    resonet = cast(ResoNet, model)  # the only family that this method is offered for
    with inference_queue.turn(), torch.no_grad():
        features = window_features(model, waveform)
        steps, _ = resonet.encode_sequence(features, unpadded_lengths(features))
        normed = resonet.norm(steps)
        weights = resonet.attention(normed, normed, normed)[1]
    attention = weights.mean(1, keepdim=True) * weights.shape[-1]
    return F.interpolate(attention, features.shape[-1], mode="linear")[0].cpu().numpy()


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
