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
    with pytest.raises(ValueError, match="temperature"):
        Calibration(*values)


def test_the_default_changes_no_logits_and_never_abstains():
    assert (Calibration().temperature, Calibration().min_confidence) == (1, 0)
    logits = np.ones((2, 8), np.float32)
    assert Calibration().scale_by_distance(logits, np.array([0.5, 3])) is logits
    assert Calibration(distance_power=0.5).scale_by_distance(logits, None) is logits  # of a model without a detector
    np.testing.assert_allclose(
        Calibration(distance_power=0.5).scale_by_distance(logits, np.array([0.25, 99]))[:, 0], [2, 0.5]
    )
