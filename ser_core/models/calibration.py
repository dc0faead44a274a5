"""Calibration of a model: what turns its logits into probabilities one can rely on, and its abstention threshold."""

from dataclasses import dataclass

import numpy as np

MIN_FACTOR, MAX_TEMPERATURE, MAX_GAIN = 1e-3, 1000.0, 10.0
NEAREST, FARTHEST = 0.1, 4.0  # distances from the training data beyond which the logits change no more


@dataclass(frozen=True)
class Calibration:
    """From logits to calibrated probabilities, fitted on speakers or corpora that the model was not trained on.

    A window that is far from the training data deserves less confidence than one like them: its logits are divided by a
    power of its distance first. One with reference clips deserves more: its logits are multiplied by a gain.
    """

    temperature: float = 1.0  # logits are divided by it
    min_confidence: float = 0.0  # below it the prediction is "not sure"
    distance_power: float = 0.0  # of the distance from the training data; 0: it does not count
    reference_gain: float = 1.0  # its power of the weight of the reference multiplies the logits
    reference_min_confidence: float | None = None  # with a reference, in place of min_confidence; None: the same

    def __post_init__(self):
        bounds = {
            "temperature": (MIN_FACTOR, MAX_TEMPERATURE),
            "min_confidence": (0, 1),
            "distance_power": (0, 2),
            "reference_gain": (MIN_FACTOR, MAX_GAIN),
            "reference_min_confidence": (0, 1),
        }
        for name, (lowest, highest) in bounds.items():
            value = getattr(self, name)
            if name == "reference_min_confidence" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
                raise ValueError(f"{name} = {value!r:.20} is no number in {lowest:g}..{highest:g}")

    def scale(
        self, logits: np.ndarray, distances: np.ndarray | None, reference_weight: float | np.ndarray = 0.0
    ) -> np.ndarray:
        """Logits whose softmax at the temperature is calibrated, shape = (n, n_classes).

        Args:
            logits: shape = (n, n_classes).
            distances: see NoveltyDetector.distance, shape = (n,); None: of a model without a detector.
            reference_weight: see reference_weight, a number or shape = (n,); 0: without a reference.
        """
        scale = np.ones(len(logits))
        if distances is not None and self.distance_power:
            scale = np.clip(distances, NEAREST, FARTHEST) ** self.distance_power
        scale = scale / self.reference_gain ** np.asarray(reference_weight)
        return (logits / scale[:, None]).astype(logits.dtype)

    def threshold(self, has_reference: bool) -> float:
        """The confidence below which a prediction is "not sure"."""
        fitted = self.reference_min_confidence
        return fitted if has_reference and fitted is not None else self.min_confidence
