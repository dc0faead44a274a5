"""Agreement of models on one recording, and their ensemble."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ser_core.inference.results import Prediction, answer_fields

ENSEMBLE_NAME = "ensemble"


def ensemble_prediction(predictions: Sequence[Prediction]) -> Prediction:
    """The mean of the models' calibrated probabilities as one more prediction.

    It abstains if most of the models do: it has no threshold of its own.

    Args:
        predictions: at least one, all of the same recording and of the same emotions.

    Raises:
        ValueError: no prediction.
    """
    if not predictions:
        raise ValueError("An ensemble needs at least one prediction: the list is empty.")
    mean = stack_probabilities(predictions).mean(0).tolist()
    enrolled = max(predictions, key=lambda prediction: prediction.reference_clips)
    unsure = sum(prediction.abstain for prediction in predictions)
    reason = f"{unsure} of {len(predictions)} models are not sure." if 2 * unsure > len(predictions) else ""
    return replace(
        predictions[0],
        model=ENSEMBLE_NAME,
        **answer_fields(dict(zip(predictions[0].probabilities, mean, strict=True)), predictions[0].possible_emotions),
        abstain=bool(reason),
        reason=reason,
        start_s=min(prediction.start_s for prediction in predictions),
        end_s=max(prediction.end_s for prediction in predictions),
        version="",
        novelty=None,  # each model has its own embedding space
        familiarity=None,
        **{name: getattr(enrolled, name) for name in ("reference_clips", "reference_source", "reference_note")},
        arousal=_mean([prediction.arousal for prediction in predictions]),
        valence=_mean([prediction.valence for prediction in predictions]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean; None if there are none, as without speech."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def stack_probabilities(predictions: Sequence[Prediction]) -> np.ndarray:
    """One row per model, shape = (n_models, n_emotions)."""
    return np.array([list(prediction.probabilities.values()) for prediction in predictions])


def pairwise_agreement(probabilities: np.ndarray) -> np.ndarray:
    """Agreement of every two models: 1 minus the total variation distance.

    Args:
        probabilities: of each model, shape = (n_models, n_emotions).

    Returns:
        shape = (n_models, n_models).
    """
    return np.minimum(probabilities[:, None], probabilities[None]).sum(2)


def ensemble_disagreement(probabilities: np.ndarray) -> float:
    """Mean total variation distance of the models from their mean, in [0, 1].

    Args:
        probabilities: of each model, shape = (n_models, n_emotions).
    """
    return float(np.abs(probabilities - probabilities.mean(0)).sum(1).mean() / 2)
