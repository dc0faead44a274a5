"""How far models agree on one recording, and what they say together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ser_core.inference.results import Prediction

ENSEMBLE_NAME = "together"


def ensemble_prediction(predictions: Sequence[Prediction]) -> Prediction:
    """The mean of the models' calibrated probabilities as one more answer.

    It abstains where most of the models do: no threshold of its own was ever fitted.

    Args:
        predictions: at least one, all of the same recording and of the same emotions.
    """
    emotions = list(predictions[0].probabilities)
    mean = stack_probabilities(predictions).mean(0).tolist()
    ranked = sorted(zip(emotions, mean, strict=True), key=lambda pair: -pair[1])
    unsure = sum(prediction.abstain for prediction in predictions)
    reason = f"{unsure} of {len(predictions)} models are not sure." if 2 * unsure > len(predictions) else ""
    return replace(
        predictions[0],
        model=ENSEMBLE_NAME,
        emotion=ranked[0][0],
        confidence=ranked[0][1],
        probabilities=dict(zip(emotions, mean, strict=True)),
        top3=tuple(ranked[:3]),
        abstain=bool(reason),
        reason=reason,
        start_s=min(prediction.start_s for prediction in predictions),
        end_s=max(prediction.end_s for prediction in predictions),
        version="",
        novelty=None,  # each has embeddings of its own
    )


def stack_probabilities(predictions: Sequence[Prediction]) -> np.ndarray:
    """One row for each model, shape = (n_models, n_emotions)."""
    return np.array([list(prediction.probabilities.values()) for prediction in predictions])


def pairwise_agreement(probabilities: np.ndarray) -> np.ndarray:
    """What every two models have in common: 1 less the total variation distance, 1 for equal, 0 for disjoint answers.

    Args:
        rows: probabilities, shape = (n_models, n_emotions).

    Returns:
        shape = (n_models, n_models).
    """
    return np.minimum(probabilities[:, None], probabilities[None]).sum(2)


def ensemble_disagreement(probabilities: np.ndarray) -> float:
    """How far the models are from their mean, in [0, 1]: total variation distance, averaged.

    Args:
        rows: probabilities, shape = (n_models, n_emotions).
    """
    return float(np.abs(probabilities - probabilities.mean(0)).sum(1).mean() / 2)
