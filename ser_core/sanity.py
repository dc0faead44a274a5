"""Whether a map of relevance depends on what the model has learned (Adebayo et al. 2018)."""

from copy import deepcopy

import numpy as np
import torch
from scipy.stats import spearmanr

from ser_core.explain import Explanation, Progress, Question, explain
from ser_core.models import SERModel
from ser_core.queue import inference_queue

N_SHUFFLES = 3


def can_be_shuffled(model: SERModel) -> bool:
    """Networks have weights; the classifiers of scikit-learn have none that could be shuffled."""
    return next(model.parameters(), None) is not None


def shuffled(model: SERModel, seed: int) -> SERModel:
    """A copy that has learned nothing: the values of each weight tensor change their places among each other."""
    with inference_queue.turn():  # while another thread explains, the model has hooks that must not be copied
        copy = deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in copy.parameters():
            order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
            weight.copy_(weight.flatten()[order].view_as(weight))
    return copy


def sanity_check(
    model: SERModel,
    waveform: np.ndarray,
    explanation: Explanation,
    question: Question,
    progress: Progress = lambda share: None,
) -> tuple[float, ...]:
    """Rank correlations (Spearman) of the map with those of shuffled models (Adebayo et al. 2018).

    Near 1 or -1 the map shows the sound, whatever the model has learned. NaN where a shuffled model's map is the same
    everywhere.
    """
    found = []
    for seed in range(N_SHUFFLES):
        other = explain(
            shuffled(model, seed),
            waveform,
            explanation.method,
            question,
            lambda share, seed=seed: progress((seed + share) / N_SHUFFLES),
        )
        flat = np.ptp(other.relevance) == 0 or np.ptp(explanation.relevance) == 0
        found.append(np.nan if flat else spearmanr(explanation.relevance, other.relevance, axis=None).statistic)
        progress((seed + 1) / N_SHUFFLES)
    return tuple(map(float, found))
