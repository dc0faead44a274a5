"""Calibration: the values it accepts."""

import math

import numpy as np
import pytest

from ser_core.models.calibration import Calibration


@pytest.mark.parametrize(
    "values",
    [(0, 0), (-1, 0), (math.inf, 0), (math.nan, 0), (1, -0.1), (1, 1.1), (1, math.nan), (1, 0, -1), (1, 0, math.nan)],
)
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ValueError, match=r"(temperature|min_confidence|distance_power) = .* is no number in"):
        Calibration(*values)


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, 1e30, True, "1.5", None, [1.5]])
def test_values_for_references_out_of_range_are_refused(value):
    with pytest.raises(ValueError, match="reference_gain = "):
        Calibration(reference_gain=value)
    if value is not None and value != 0:
        with pytest.raises(ValueError, match="reference_min_confidence = "):
            Calibration(reference_min_confidence=value)


def test_the_default_changes_no_logits_and_never_abstains():
    default, logits = Calibration(), np.ones((2, 8), np.float32)
    assert default.temperature == 1 and default.threshold(False) == default.threshold(True) == 0
    np.testing.assert_array_equal(default.scale(logits, np.array([0.5, 3]), 0.8), logits)
    near = Calibration(distance_power=0.5)
    np.testing.assert_array_equal(near.scale(logits, None), logits)  # of a model without a detector
    np.testing.assert_allclose(near.scale(logits, np.array([0.25, 99]))[:, 0], [2, 0.5])
    np.testing.assert_allclose(near.scale(logits, np.array([0.0, 0.1]))[:, 0], np.sqrt(10))  # a clip trained on


def test_a_reference_raises_the_confidence_by_its_weight():
    logits = np.ones((3, 8), np.float32)
    fitted = Calibration(2.0, 0.4, reference_gain=4.0, reference_min_confidence=0.5)
    scaled = fitted.scale(logits, None, np.array([0, 0.5, 1]))
    np.testing.assert_allclose(scaled[:, 0], [1, 2, 4])
    assert (fitted.threshold(False), fitted.threshold(True)) == (0.4, 0.5)
    assert Calibration(2.0, 0.4, reference_min_confidence=0.0).threshold(True) == 0
    assert scaled.dtype == np.float32
