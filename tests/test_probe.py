"""Worse and worse recordings: the values are tried in order, the harmless one changes nothing, all are heard."""

import numpy as np
import pytest

from ser_core.inference import calibrated, clip_logits
from ser_core.probe import PROBES, answers_over, changed
from ser_core.robustness import PHONE_BAND_HZ
from tests.make_corpus import voice

CLIP = voice(150, 0, 2.4)


@pytest.mark.parametrize("kind", PROBES)
def test_values_run_one_way_and_change_the_sound_alike_each_time(kind):
    probe = PROBES[kind]
    steps = np.sign(np.diff(probe.values))
    assert len(probe.values) >= 5 and abs(steps.sum()) == len(steps)
    for value in (probe.values[0], probe.values[-1]):
        once, again = changed(probe, CLIP, value), changed(probe, CLIP, value)
        assert np.array_equal(once, again) and once.dtype == np.float32
        assert len(once) != len(CLIP) or np.abs(once - CLIP).max() > 1e-3


@pytest.mark.parametrize("kind", [kind for kind, probe in PROBES.items() if probe.harmless is not None])
def test_the_harmless_value_changes_nothing(kind):
    probe = PROBES[kind]
    assert probe.harmless in probe.values
    np.testing.assert_allclose(changed(probe, CLIP, probe.harmless), CLIP, atol=1e-3)


@pytest.mark.parametrize("kind", PROBES)
def test_every_value_gets_an_answer(new_model, kind):
    model, probe, shares = new_model(), PROBES[kind], []
    found = answers_over(model, CLIP, probe, shares.append)
    assert found.shape == (len(probe.values), 8) and np.allclose(found.sum(1), 1)
    assert shares == pytest.approx([(i + 1) / len(probe.values) for i in range(len(probe.values))])
    expected = calibrated(model, clip_logits(model, [changed(probe, CLIP, probe.values[-1])]))[0]
    np.testing.assert_allclose(found[-1], expected, atol=1e-5)


def test_the_band_narrows_through_that_of_a_telephone():
    assert PHONE_BAND_HZ[1] in PROBES["Phone band"].values
    above_5_khz = [np.abs(np.fft.rfft(changed(PROBES["Phone band"], CLIP, hz)))[12_000:].sum() for hz in (7000, 2200)]
    assert above_5_khz[1] < 0.05 * above_5_khz[0]
