"""Models for recordings in which only some of the emotions can occur."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ser_core.labels import check_possible_emotions
from ser_core.models.base import SERModel, check_model
from ser_core.models.calibration import Calibration

IMPOSSIBLE_LOGIT = -1e9  # finite, and of no probability at every temperature and distance
TIE = 1e-6  # of probabilities that differ by rounding alone


def limit_emotions(model: SERModel, emotions: Sequence[str]) -> SERModel:
    """A copy of the model, sharing its weights, that chooses among the emotions that can occur; itself for all of them.

    The others get the probability 0; those of the rest keep their ratios, and the threshold of abstention stays: on
    left-out corpora, both hold for fewer emotions as for all (docs/results.md). A model that knows none of the emotions
    is not sure: a confidence no higher than by chance is below the threshold, where there is one.

    Args:
        model: from load_model, or one that is limited or enrolled already.
        emotions: two of EMOTIONS or more.

    Raises:
        TypeError: no model.
        ValueError: as check_possible_emotions, or fewer than two that the model could choose so far.
    """
    check_model(model)
    possible = [emotion for emotion in check_possible_emotions(emotions) if emotion in model.possible_emotions]
    if (chosen := check_possible_emotions(possible)) == model.possible_emotions:
        return model
    limited = copy.copy(model)
    limited.possible_emotions = chosen
    limited.calibration = _above_chance(model.calibration, 1 / len(chosen))
    excluded = [i for i, emotion in enumerate(model.config.labels) if emotion not in possible]
    limited.classify = partial(_excluding, model.classify, excluded)  # type: ignore[method-assign]  # of this copy alone
    return limited


def _above_chance(calibration: Calibration, chance: float) -> Calibration:
    """With thresholds above the confidence of equal probabilities; a model without a threshold gets none."""
    names = ("min_confidence", "reference_min_confidence")
    fitted = {name: value for name in names if (value := getattr(calibration, name))}
    return replace(calibration, **{name: max(value, chance + TIE) for name, value in fitted.items()})


def _excluding(classify: Callable[..., Tensor], excluded: Sequence[int], *arguments: Any, **named: Any) -> Tensor:
    """The logits of SERModel.classify, with its arguments, and none for some emotions."""
    logits = classify(*arguments, **named)
    return logits.index_fill(-1, torch.tensor(excluded, device=logits.device, dtype=torch.long), IMPOSSIBLE_LOGIT)
