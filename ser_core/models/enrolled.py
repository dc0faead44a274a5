"""Logits of clips relative to other clips of their speakers, as enrolment gives them."""

import numpy as np
import torch

from ser_core.models.base import SERModel, reference_weight
from ser_core.models.offsets import mean_offset

REFERENCE_SEED = 0  # of the drawing of reference clips


@torch.inference_mode()
def enrolled_logits(
    model: SERModel,
    embeddings: np.ndarray,
    speakers: np.ndarray,
    n_clips: int,
    usable: np.ndarray | None = None,
    emotions: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Logits relative to other clips of the same speaker, drawn at random; of a speaker without others, logits alone.

    Args:
        model: that takes a reference.
        embeddings: of the clips, shape = (n, embedding_dim).
        speakers: names, shape = (n,).
        n_clips: of a reference; fewer, where a speaker has fewer.
        usable: True for clips that may be in a reference, shape = (n,); None: all.
        emotions: of the clips, whose offsets are taken off the references, shape = (n,); None: unknown.

    Returns:
        logits, shape = (n, n_classes), and the weight of each reference, shape = (n,); 0: none.
    """
    rng = np.random.default_rng(REFERENCE_SEED)
    usable = np.ones(len(speakers), bool) if usable is None else usable
    described = embeddings if emotions is None else embeddings - _offsets_of(model, emotions)
    logits, weights = model.classify(torch.from_numpy(embeddings)).numpy(), np.zeros(len(speakers), np.float32)
    for speaker in np.unique(speakers):
        (own,) = np.nonzero(speakers == speaker)
        (pool,) = np.nonzero((speakers == speaker) & usable)
        if len(pool) < 2:
            continue
        chosen = [_others(pool, int(row), n_clips, rng) for row in own]
        references = torch.from_numpy(np.stack([described[rows].mean(0) for rows in chosen]))
        weights[own] = [reference_weight(len(rows)) for rows in chosen]
        relative = torch.from_numpy(weights[own, None])
        logits[own] = model.classify(torch.from_numpy(embeddings[own]), references, relative).numpy()
    return logits, weights


def _offsets_of(model: SERModel, emotions: np.ndarray) -> np.ndarray:
    """The offset of the emotion of each clip, shape = (n, embedding_dim)."""
    return np.stack([mean_offset(model, [emotion]) for emotion in emotions])


def _others(pool: np.ndarray, row: int, n_clips: int, rng: np.random.Generator) -> np.ndarray:
    others = pool[pool != row]
    return rng.choice(others, min(n_clips, len(others)), replace=False)
