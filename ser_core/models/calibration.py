"""Calibration of a model: what turns its logits into probabilities one can rely on."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Calibration:
    """From logits to calibrated probabilities, fitted on development speakers."""

    temperature: float = 1.0  # logits are divided by it
    min_confidence: float = 0.0  # below it the prediction is "not sure"

    def __post_init__(self):
        if not (0 < self.temperature < math.inf and 0 <= self.min_confidence <= 1):
            raise ValueError(f"{self} needs a positive temperature and a confidence in 0..1")
