"""LogMel against librosa, and that a clip's features do not depend on its neighbours in a batch."""

import warnings
from dataclasses import replace
from itertools import product

import lazy_loader
import numpy as np
import pytest
import torch

from ser_core.audio.features import FrontendConfig, LogMel, frame_mask, standardise_features

librosa = lazy_loader.load("librosa")  # its import compiles for many seconds

PLAIN = FrontendConfig(normalise=False)
CONFIGS = {
    "the models' own": PLAIN,
    "finer": FrontendConfig(
        n_fft=1024, win_length=400, hop_length=160, n_mels=128, fmin=50, fmax=7600, normalise=False
    ),
}


def librosa_db(waveform: np.ndarray, c: FrontendConfig) -> np.ndarray:
    """The reference, shape = (n_mels, n_frames)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=")  # clips shorter than a frame
        power = librosa.feature.melspectrogram(
            y=waveform,
            sr=c.sample_rate,
            n_fft=c.n_fft,
            win_length=c.win_length,
            hop_length=c.hop_length,
            n_mels=c.n_mels,
            fmin=c.fmin,
            fmax=c.fmax,
            pad_mode="constant",
        )
    return librosa.power_to_db(power, top_db=c.top_db)


def features(waveform: np.ndarray, config: FrontendConfig) -> np.ndarray:
    """Features of one clip, shape = (C, n_mels, n_frames)."""
    return LogMel(config)(torch.tensor(waveform)[None])[0].numpy()


def noise(n_samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, n_samples).astype(np.float32)


def padded(*clips: np.ndarray, extra: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A zero-padded batch and its true lengths."""
    n_samples = torch.tensor([len(clip) for clip in clips])
    rows = [np.pad(clip, (0, int(n_samples.max()) + extra - len(clip))) for clip in clips]
    return torch.tensor(np.stack(rows)), n_samples


# --- against librosa -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_decibels_equal_librosa(subtests):
    for n_samples, name in product([1, 2, 100, 255, 256, 257, 512, 5000, 48_000, 48_001], CONFIGS):
        with subtests.test(n_samples=n_samples, name=name):
            waveform = noise(n_samples)
            expected = librosa_db(waveform, CONFIGS[name])
            np.testing.assert_allclose(features(waveform, CONFIGS[name])[0], expected, atol=1e-3)


@pytest.mark.slow
def test_decibels_of_speech_equal_librosa(speech, subtests):
    for name in CONFIGS:
        with subtests.test(name=name):
            waveform = np.pad(speech, (0, 4000))
            expected = librosa_db(waveform, CONFIGS[name])
            assert expected.max() - expected.min() == pytest.approx(80, abs=1e-3)  # the floor is reached
            np.testing.assert_allclose(features(waveform, CONFIGS[name])[0], expected, atol=1e-3)


@pytest.mark.slow
def test_each_further_window_is_a_channel_that_equals_librosa(speech, subtests):
    for length in [256, 1024, 2048]:
        with subtests.test(length=length):
            found = features(speech, replace(PLAIN, more_windows=(length,), deltas=1))
            assert found.shape[0] == replace(PLAIN, more_windows=(length,), deltas=1).n_channels == 3
            np.testing.assert_allclose(found[0], librosa_db(speech, PLAIN), atol=1e-3)
            np.testing.assert_allclose(
                found[1], librosa_db(speech, replace(PLAIN, n_fft=length, win_length=length)), atol=1e-3
            )
            np.testing.assert_array_equal(found[2], features(speech, replace(PLAIN, deltas=1))[1])


@pytest.mark.slow
def test_deltas_equal_librosa(subtests):
    for n_samples in [9 * 256, 10_000, 48_001]:
        with subtests.test(n_samples=n_samples):
            waveform = noise(n_samples)
            level_db = librosa_db(waveform, PLAIN)
            found = features(waveform, replace(PLAIN, deltas=2))
            assert found.shape == (3, 64, 1 + n_samples // 256)
            for order in (1, 2):
                np.testing.assert_allclose(found[order], librosa.feature.delta(level_db, order=order), atol=1e-3)


@pytest.mark.slow
def test_a_delta_of_speech_equals_librosa(speech):
    expected = librosa.feature.delta(librosa_db(speech, PLAIN))
    np.testing.assert_allclose(features(speech, replace(PLAIN, deltas=1))[1], expected, atol=1e-3)


def test_clips_too_short_for_a_delta_have_none(subtests):
    for n_samples in [1, 300, 2047]:
        with subtests.test(n_samples=n_samples):
            found = features(noise(n_samples), replace(PLAIN, deltas=2))
            assert np.isfinite(found).all() and not found[1:].any() and found[0].any()


def test_silence_is_finite():
    for config in (PLAIN, FrontendConfig(deltas=2)):
        assert np.isfinite(features(np.zeros(3000, np.float32), config)).all()


# --- normalisation ---------------------------------------------------------------------------------------------------


def test_each_channel_has_zero_mean_and_unit_variance(speech):
    found = features(speech, FrontendConfig(deltas=1))
    np.testing.assert_allclose(found.mean((1, 2)), 0, atol=1e-4)
    assert found[0].std() == pytest.approx(1, abs=1e-3)
    plain = features(speech, PLAIN)[0]
    np.testing.assert_allclose(found[0], (plain - plain.mean()) / plain.std(), atol=1e-3)


def test_each_cepstral_coefficient_has_zero_mean_and_unit_variance(speech):
    found = features(speech, FrontendConfig(n_mfcc=13))[0]
    np.testing.assert_allclose(found.mean(1), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(1), 1, atol=1e-3)


def test_a_clip_that_never_changes_does_not_become_noise():
    """A level that varies by a thousandth of a decibel, below what anyone hears."""
    steady = 0.001 * torch.randn(1, 1, 64, 50, generator=torch.Generator().manual_seed(0))
    assert standardise_features(steady, None).abs().max() < 0.1


def test_features_do_not_depend_on_the_level(speech, subtests):
    for gain in [0.1, 0.5, 3.0]:
        with subtests.test(gain=gain):
            config = FrontendConfig(deltas=1)
            np.testing.assert_allclose(features(gain * speech, config), features(speech, config), atol=1e-4)
            assert (
                np.abs(features(gain * speech, PLAIN) - features(speech, PLAIN)).mean() > 3
            )  # dB: or nothing was tested


# --- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        PLAIN,
        FrontendConfig(),
        FrontendConfig(deltas=2),
        FrontendConfig(n_mfcc=13, deltas=1),
        FrontendConfig(more_windows=(1024,)),
    ],
    ids=["plain", "normalised", "deltas", "coefficients", "windows"],
)
def test_a_padded_batch_equals_single_clips(config):
    clips = [noise(n, seed=n) for n in (1, 700, 2100, 2400, 9000, 30_000)]  # 2100: a single window of the derivative
    batch, n_samples = padded(*clips, extra=5000)
    together = LogMel(config)(batch, n_samples).numpy()
    for row, clip in zip(together, clips, strict=True):
        alone = features(clip, config)
        np.testing.assert_allclose(row[..., : alone.shape[-1]], alone, atol=1e-4)
        assert not row[..., alone.shape[-1] :].any()


def test_a_click_at_the_very_end_sets_the_same_floor_in_a_padded_batch():
    clip = noise(4000) * 1e-4
    clip[-1] = 0.9
    batch, n_samples = padded(clip, noise(9000))
    together = LogMel(FrontendConfig())(batch, n_samples)[0].numpy()
    alone = features(clip, FrontendConfig())
    np.testing.assert_allclose(together[..., : alone.shape[-1]], alone, atol=1e-4)


@pytest.mark.slow
def test_frames_are_counted_as_librosa_does():
    lengths = [1, 255, 256, 257, 4096]
    frames = LogMel(PLAIN).n_frames(torch.tensor(lengths)).tolist()
    assert frames == [librosa_db(noise(n), PLAIN).shape[1] for n in lengths]


def test_frame_mask():
    assert frame_mask(torch.tensor([0, 2, 3]), 3).tolist() == [[False] * 3, [True, True, False], [True] * 3]


def test_the_filters_are_not_part_of_a_checkpoint():
    assert not LogMel(PLAIN).state_dict()
