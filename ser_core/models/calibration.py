"""Calibration of a model: what turns its logits into probabilities one can rely on, and its abstention threshold."""

import math
from dataclasses import dataclass

import numpy as np

NEAREST, FARTHEST = 0.1, 4.0  # distances from the training data beyond which the logits change no more


@dataclass(frozen=True)
class Calibration:
    """From logits to calibrated probabilities, fitted on speakers or corpora that the model was not trained on.

    A window that is far from the training data deserves less confidence than one like them: its logits are divided by a
    power of its distance first.
    """

    temperature: float = 1.0  # logits are divided by it
    min_confidence: float = 0.0  # below it the prediction is "not sure"
    distance_power: float = 0.0  # of the distance from the training data; 0: it does not count

    def __post_init__(self):
        if not (0 < self.temperature < math.inf and 0 <= self.min_confidence <= 1 and 0 <= self.distance_power <= 2):
            raise ValueError(f"{self} needs a positive temperature, a confidence in 0..1 and a power in 0..2")

    def scale_by_distance(self, logits: np.ndarray, distances: np.ndarray | None) -> np.ndarray:
        """Logits divided by the power of the distance of their windows, shape = (n, n_classes).

        Args:
            logits: shape = (n, n_classes).
            distances: see NoveltyDetector.distance, shape = (n,); None: of a model without a detector, as they are.
        """
        if distances is None or not self.distance_power:
            return logits
        scale = np.clip(distances, NEAREST, FARTHEST) ** self.distance_power
        return (logits / scale[:, None]).astype(logits.dtype)
