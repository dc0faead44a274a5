"""Worse and worse recordings: the values are tried in order, the harmless one changes nothing, all are heard."""

import numpy as np
import pytest

from ser_core.audio.degradations import PHONE_BAND_HZ
from ser_core.inference.forward import calibrated_probabilities, run_clips
from ser_core.interpret.probes import PERTURBATION_PROBES, perturb_waveform, perturbation_probabilities
from tests.make_corpus import voice

CLIP = voice(150, 0, 2.4)


@pytest.mark.parametrize("kind", PERTURBATION_PROBES)
def test_values_run_one_way_and_change_the_sound_alike_each_time(kind):
    probe = PERTURBATION_PROBES[kind]
    steps = np.sign(np.diff(probe.values))
    assert len(probe.values) >= 5 and abs(steps.sum()) == len(steps)
    for value in (probe.values[0], probe.values[-1]):
        once, again = perturb_waveform(probe, CLIP, value), perturb_waveform(probe, CLIP, value)
        assert np.array_equal(once, again) and once.dtype == np.float32
        assert len(once) != len(CLIP) or np.abs(once - CLIP).max() > 1e-3


@pytest.mark.parametrize(
    "kind", [kind for kind, probe in PERTURBATION_PROBES.items() if probe.identity_value is not None]
)
def test_the_harmless_value_changes_nothing(kind):
    probe = PERTURBATION_PROBES[kind]
    assert probe.identity_value in probe.values
    np.testing.assert_allclose(perturb_waveform(probe, CLIP, probe.identity_value), CLIP, atol=1e-3)


@pytest.mark.parametrize("kind", PERTURBATION_PROBES)
def test_every_value_gets_an_answer(new_model, kind):
    model, probe, shares = new_model(), PERTURBATION_PROBES[kind], []
    found = perturbation_probabilities(model, CLIP, probe, shares.append)
    assert found.shape == (len(probe.values), 8) and np.allclose(found.sum(1), 1)
    assert shares == pytest.approx([(i + 1) / len(probe.values) for i in range(len(probe.values))])
    expected = calibrated_probabilities(
        model, run_clips(model, [perturb_waveform(probe, CLIP, probe.values[-1])]).logits
    )[0]
    np.testing.assert_allclose(found[-1], expected, atol=1e-5)


def test_the_band_narrows_through_that_of_a_telephone():
    assert PHONE_BAND_HZ[1] in PERTURBATION_PROBES["Phone band"].values
    above_5_khz = [
        np.abs(np.fft.rfft(perturb_waveform(PERTURBATION_PROBES["Phone band"], CLIP, hz)))[12_000:].sum()
        for hz in (7000, 2200)
    ]
    assert above_5_khz[1] < 0.05 * above_5_khz[0]
