"""Sounds made from a map: together they are the sound, each holds what it should, and models hear the difference."""

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from ser_core.audio.features import FrontendConfig, LogMel
from ser_core.audio.io import SAMPLE_RATE
from ser_core.inference.forward import calibrated_probabilities, run_windows
from ser_core.inference.prediction.predict import predict
from ser_core.interpret.attribution.explain import SILENCING, Explanation, explain
from ser_core.interpret.faithfulness import (
    CLEAR_GAIN,
    KEPT_SHARES,
    FaithfulnessCurves,
    measure_faithfulness,
    mel_band_centres_hz,
    random_relevance_map,
    relevance_mask,
    split_by_relevance,
)
from ser_core.labels import EMOTIONS
from tests.interpret.test_attribution import HAPPY, Listener, burst

FRONTEND = FrontendConfig()
N_FRAMES = 1 + 40_000 // FRONTEND.hop_length


def explanation(relevance: np.ndarray) -> Explanation:
    return Explanation("by hand", relevance, FRONTEND.hop_length / SAMPLE_RATE)


def tone(hertz: float, n_samples: int = 40_000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(n_samples) / SAMPLE_RATE)).astype(np.float32)


def level_db(waveform: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(waveform, dtype=float)) + 1e-12)


def random(n_bands: int = 64, n_frames: int = N_FRAMES) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n_bands, n_frames))


# --- the mask --------------------------------------------------------------------------------------------------------


def test_the_mask_keeps_the_share_and_the_most_relevant_first(subtests):
    for share in [0.0, 0.05, 0.2, 0.5, 0.95, 1.0]:
        with subtests.test(share=share):
            relevance = random()
            mask = relevance_mask(relevance, share)
            assert mask.mean() == pytest.approx(share, abs=1e-3) and mask.min() >= 0 and mask.max() <= 1
            by_relevance = mask.ravel()[relevance.ravel().argsort()]
            assert (np.diff(by_relevance) >= 0).all()


def test_more_is_kept_with_a_larger_share():
    masks = [relevance_mask(random(), share) for share in KEPT_SHARES]
    assert all((more >= less - 1e-12).all() for less, more in pairwise(masks))


def test_cells_of_equal_relevance_are_treated_alike():
    relevance = np.zeros((64, N_FRAMES))
    relevance[30:40, 50:60] = 1
    mask = relevance_mask(relevance, 0.2)
    assert np.ptp(mask[30:40, 50:60]) == 0 and len(np.unique(mask)) == 2


# --- the sounds ------------------------------------------------------------------------------------------------------


def test_both_parts_together_are_the_sound(speech, subtests):
    for n_bands, n_samples, share in product([64, 1], [1, 100, 40_000], [0.0, 0.3, 1.0]):
        with subtests.test(n_bands=n_bands, n_samples=n_samples, share=share):
            waveform = speech[16_000 : 16_000 + n_samples]
            parts = split_by_relevance(waveform, explanation(random(n_bands, 1 + n_samples // 256)), FRONTEND, share)
            assert all(part.dtype == np.float32 and part.shape == waveform.shape for part in parts)
            np.testing.assert_allclose(sum(parts), waveform, atol=1e-6)


def test_nothing_and_everything_are_exact(speech):
    waveform = speech[16_000:56_000]
    assert not split_by_relevance(waveform, explanation(random()), FRONTEND, 0.0)[0].any()
    kept, removed = split_by_relevance(waveform, explanation(random()), FRONTEND, 1.0)
    np.testing.assert_allclose(kept, waveform, atol=1e-6)
    assert np.abs(removed).max() < 1e-6


def test_a_tone_in_relevant_bands_is_kept_and_another_one_removed():
    near_500 = np.abs(mel_band_centres_hz(FRONTEND) - 500) < 300
    relevance = np.repeat(near_500[:, None].astype(float), N_FRAMES, axis=1)
    kept, removed = split_by_relevance(tone(500) + tone(3000), explanation(relevance), FRONTEND, near_500.mean())
    assert level_db(kept - tone(500)) < level_db(tone(500)) - 40
    assert level_db(removed - tone(3000)) < level_db(tone(3000)) - 40


def test_a_map_of_time_alone_keeps_moments_of_all_frequencies():
    relevance = (np.arange(N_FRAMES) < N_FRAMES / 2).astype(float)[None]
    kept, _ = split_by_relevance(tone(500) + tone(3000), explanation(relevance), FRONTEND, 0.5)
    np.testing.assert_allclose(kept[:18_000], (tone(500) + tone(3000))[:18_000], atol=1e-4)
    assert np.abs(kept[22_000:]).max() < 1e-4


# --- what a model says to them ---------------------------------------------------------------------------------------


def test_answers_are_those_of_the_whole_clip_where_it_is_one_window(new_model, speech):
    model, waveform = new_model(), speech[16_000:56_000]
    (found,) = calibrated_probabilities(model, run_windows(model, [waveform]).logits)
    assert found == pytest.approx(list(predict(model, waveform, [(0, 2.5)]).probabilities.values()), abs=1e-5)


def test_a_true_map_is_better_than_chance_and_its_ends_are_all_and_nothing():
    model, waveform, shares = Listener(), burst() + np.float32(0.02), []
    waveform[16_000:19_200] *= 3
    found = measure_faithfulness(model, waveform, explain(model, waveform, SILENCING, HAPPY), "happy", shares.append)
    logits = run_windows(model, [waveform, np.zeros_like(waveform)]).logits
    whole, nothing = calibrated_probabilities(model, logits)[:, EMOTIONS.index("happy")]
    assert found.kept.shape == found.removed_at_random.shape == (len(KEPT_SHARES),)
    for curve, ends in ((found.kept, (nothing, whole)), (found.removed, (whole, nothing))):
        assert (curve[0], curve[-1]) == pytest.approx(ends, abs=1e-5)
    assert found.kept.mean() > found.kept_at_random.mean() and found.removed.mean() < found.removed_at_random.mean()
    assert shares[-1] == 1
    assert min(found.gains) > 0 and found.gains[0] == pytest.approx((found.kept - found.kept_at_random).mean())
    again = measure_faithfulness(model, waveform, explain(model, waveform, SILENCING, HAPPY), "happy", at_random=found)
    for name, curve in vars(found).items():
        np.testing.assert_allclose(getattr(again, name), curve, atol=1e-6)


def test_a_test_is_passed_where_the_map_is_clearly_better_than_chance():
    gained, equal = np.full(3, 0.5 + 2 * CLEAR_GAIN), np.full(3, 0.5)
    assert FaithfulnessCurves((), gained, equal, equal, gained).n_passed == 2
    assert FaithfulnessCurves((), gained, equal, equal, equal).n_passed == 1
    assert FaithfulnessCurves((), equal, equal, equal, equal).n_passed == 0


def test_a_tone_at_the_centre_of_a_band_is_loudest_there():
    for band in (10, 30, 60):
        features = LogMel(FRONTEND).decibels(torch.from_numpy(tone(mel_band_centres_hz(FRONTEND)[band]))[None])
        assert features[0].mean(1).argmax() == band


def test_random_maps_are_repeatable_and_unlike():
    one, again, other = (
        random_relevance_map((64, 157), 0),
        random_relevance_map((64, 157), 0),
        random_relevance_map((64, 157), 1),
    )
    assert one.shape == (64, 157) and np.array_equal(one, again)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.3
    assert random_relevance_map((1, 3), 0).shape == (1, 3)
