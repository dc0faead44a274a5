"""Sanity check of attributions: whether a map depends on the learned weights (Adebayo et al. 2018)."""

from copy import deepcopy

import numpy as np
import torch
from scipy.stats import spearmanr

from ser_core.inference import inference_queue
from ser_core.interpret.attribution.explain import Explanation, explain
from ser_core.interpret.attribution.features import AttributionTarget
from ser_core.models import SERModel
from ser_core.progress import Progress, no_progress

N_RANDOMISED_MODELS = 3


def randomise_parameters(model: SERModel, seed: int) -> SERModel:
    """A copy with the values of each weight tensor permuted."""
    with inference_queue.turn():  # hooks of an attribution in another thread must not be copied
        copy = deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in copy.parameters():
            order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
            weight.copy_(weight.flatten()[order].view_as(weight))
    return copy


def parameter_randomisation_test(
    model: SERModel,
    waveform: np.ndarray,
    explanation: Explanation,
    target: AttributionTarget,
    progress: Progress = no_progress,
) -> tuple[float, ...]:
    """Rank correlations (Spearman) of the map with those of models with permuted weights.

    Close to 1 or -1, the map shows the input and not what the model has learned. NaN if one of the maps is constant.
    """
    found: list[float] = []
    for seed in range(N_RANDOMISED_MODELS):
        other = explain(
            randomise_parameters(model, seed),
            waveform,
            explanation.method,
            target,
            lambda share: progress((len(found) + share) / N_RANDOMISED_MODELS),
        )
        flat = np.ptp(other.relevance) == 0 or np.ptp(explanation.relevance) == 0
        found.append(np.nan if flat else spearmanr(explanation.relevance, other.relevance, axis=None).statistic)
        progress(len(found) / N_RANDOMISED_MODELS)
    return tuple(map(float, found))
