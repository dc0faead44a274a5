"""Methods that take parts away: patches of the spectrogram, spans of the sound."""

import numpy as np
import torch
from torch import Tensor

from ser_core.audio import SAMPLE_RATE, window_starts
from ser_core.inference import CPU_BATCH_SIZE, inference_queue, run_windows
from ser_core.interpret.attribution.features import AttributionTarget, target_score, window_features
from ser_core.models import SERModel
from ser_core.progress import Progress

OCCLUSION_PATCH_S, OCCLUSION_PATCH_BANDS = 0.25, 16  # of an occluded patch; the step is half a patch
SILENCED_SPAN_S, SILENCED_SPAN_FADE_S = 0.2, 0.01  # of a silenced span; the step is half a span


def occlusion(model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress) -> np.ndarray:
    """Zeiler & Fergus 2014: the loss of score when a patch is set to the mean level of its bands over the window."""
    with inference_queue.turn(), torch.no_grad():
        features = window_features(model, waveform)
        intact = target_score(model, target, features)
    mean_level = features.mean(3, keepdim=True)
    hop_s = model.config.frontend.hop_length / SAMPLE_RATE
    masks = _occlusion_masks(features.shape[2], features.shape[3], hop_s).to(features.device)
    losses = []
    for first in range(0, len(masks), CPU_BATCH_SIZE):
        occluded = torch.where(masks[first : first + CPU_BATCH_SIZE, None], mean_level, features)
        with inference_queue.turn(), torch.no_grad():
            losses.append(intact - target_score(model, target, occluded))
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


def silencing(model: SERModel, waveform: np.ndarray, target: AttributionTarget, progress: Progress) -> np.ndarray:
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
