"""Changes of features, with given parameters."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ser_core.audio import frame_mask

LEVEL_FRAMES = 19  # over which automatic gain control measures the level


def warp_frequency(features: Tensor, factor: Tensor) -> Tensor:
    """Stretches the mel axis: vocal tract length perturbation (Jaitly & Hinton 2013) on the mel scale.

    Args:
        features: shape = (B, C, n_mels, n_frames).
        factor: shape = (B,); band i is read from band i * factor, 1.0 changes nothing.
    """
    n_mels = features.shape[2]
    position = (torch.arange(n_mels, device=features.device)[None, :] * factor[:, None]).clamp_max(n_mels - 1)
    left = position.long()
    right = (left + 1).clamp_max(n_mels - 1)
    fraction = (position - left)[:, None, :, None]

    def take(index: Tensor) -> Tensor:
        return features.gather(2, index[:, None, :, None].expand_as(features))

    return take(left) * (1 - fraction) + take(right) * fraction


def tilt_spectrum(features: Tensor, tilt: Tensor, n_deltas: int = 0) -> Tensor:
    """Adds a linear spectral tilt from -tilt to +tilt over the mel axis: another microphone or room. tilt: shape (B,).

    n_deltas: number of last channels that are derivatives, which a constant tilt does not change.
    """
    line = torch.linspace(-1, 1, features.shape[2], device=features.device)
    added = tilt[:, None, None, None] * line[None, None, :, None]
    first = features.shape[1] - n_deltas
    return torch.cat([features[:, :first] + added, features[:, first:]], dim=1)


def automatic_gain_control(features: Tensor, n_frames: Tensor, share: Tensor) -> Tensor:
    """Removes a share of the slow changes of the level, as automatic gain control does.

    Args:
        features: in decibels, shape = (B, C, n_mels, n_frames).
        n_frames: true lengths, shape = (B,).
        share: 0 changes nothing, 1 equalises the level of all intervals of LEVEL_FRAMES; shape = (B,).
    """
    inside = frame_mask(n_frames, features.shape[3]).float()[:, None]
    level = features[:, :1].amax(2) * inside  # a band that is loud makes a frame loud
    summed, count = (
        F.avg_pool1d(x, LEVEL_FRAMES, 1, LEVEL_FRAMES // 2, count_include_pad=False) for x in (level, inside)
    )
    slow = summed / count.clamp_min(1e-3)
    mean = level.sum(2, keepdim=True) / inside.sum(2, keepdim=True)
    return features - (share[:, None, None] * (slow - mean))[:, :, None] * inside[:, :, None]


def noise_gate(features: Tensor, threshold: Tensor, depth: Tensor) -> Tensor:
    """Attenuates low levels, as noise suppression does.

    Args:
        features: normalised decibels, shape = (B, C, n_mels, n_frames).
        threshold, depth: value below which, and share of the distance to it by which, is attenuated; shape = (B,).
    """
    under = (threshold[:, None, None, None] - features).clamp_min(0)
    return features - depth[:, None, None, None] * under


def mask_spectrum(features: Tensor, start: Tensor, width: Tensor, dim: int) -> Tensor:
    """Sets a band or an interval to zero, the clip's mean (SpecAugment, Park et al. 2019).

    Args:
        features: shape = (B, C, n_mels, n_frames).
        start, width: shape = (B,), in bands (dim=2) or frames (dim=3).
    """
    axis = torch.arange(features.shape[dim], device=features.device)[None, :]
    hit = (axis >= start[:, None]) & (axis < (start + width)[:, None])
    shape = (len(features), 1, -1, 1) if dim == 2 else (len(features), 1, 1, -1)
    return features.masked_fill(hit.view(shape), 0.0)


def mixup(features: Tensor, targets: Tensor, order: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Mixes each clip with another one of the batch (mixup, Zhang et al. 2018).

    Args:
        features: shape = (B, ...).
        targets: class probabilities, shape = (B, n_classes).
        order: the partner of each clip, shape = (B,).
        share: weight of the clip itself, shape = (B,).
    """
    own = share.view(-1, *[1] * (features.ndim - 1))
    mixed = own * features + (1 - own) * features[order]
    return mixed, share[:, None] * targets + (1 - share[:, None]) * targets[order]
