"""Between the encoder and the head: statistics over time, and the input of a head that takes a reference."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ser_core.models.base import Weight

MIN_VARIANCE = 1e-10  # of a clip of one frame, whose deviation would have no gradient


def head_input(embedding: Tensor, reference: Tensor | None, used: Weight) -> Tensor:
    """[embedding, 0, 0] alone, [0, embedding - reference, 1] with a reference, shape = (B, 2 * embedding_dim + 1).

    Args:
        used: 1 for clips whose reference is used, 0 for the others, or a weight between; a number, or shape = (B, 1).
    """
    if reference is None:
        return F.pad(embedding, (0, embedding.shape[1] + 1))
    used = embedding.new_ones(len(embedding), 1) * used
    return torch.cat([embedding * (1 - used), (embedding - reference) * used, used], 1)


def mean_and_deviation(frames: Tensor, inside: Tensor) -> Tensor:
    """Mean and standard deviation over the frames of each clip.

    Args:
        frames: shape = (B, n_frames, width).
        inside: True in each clip, shape = (B, n_frames).

    Returns:
        shape = (B, 2, width).
    """
    share = (inside / inside.sum(1, keepdim=True))[..., None]
    mean = (frames * share).sum(1)
    variance = ((frames - mean[:, None]).square() * share).sum(1)
    return torch.stack([mean, variance.clamp_min(MIN_VARIANCE).sqrt()], 1)
