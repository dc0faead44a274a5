"""Repairs of a signal: channels that cancel each other, and needles."""

import numpy as np
import pytest

from ser_core.audio.repairs.signal import NO_REPAIR, Repair, SignalStatistics, downmix
from tests.make_corpus import voice

RATE = 16_000


def repair_of(channels: np.ndarray, block_samples: int = 3000) -> Repair | None:
    """The repair of a file that comes in blocks, shape = (n_samples, n_channels)."""
    statistics = SignalStatistics()
    for start in range(0, len(channels), block_samples):
        block = channels[start : start + block_samples]
        statistics.add(block, downmix(block), start, RATE)
    return statistics.repair(RATE)


@pytest.fixture
def mono() -> np.ndarray:
    return voice(150, seed=0, duration_s=2.0).astype(np.float32)


def test_ordinary_files_need_no_repair(mono):
    assert repair_of(mono[:, None]) is None
    assert repair_of(np.stack([mono, 0.5 * mono], 1)) is None
    assert repair_of(np.zeros((RATE, 2), np.float32)) is None
    clicked = 0.01 * mono
    clicked[4000] = 0.9  # within full scale
    assert repair_of(clicked[:, None]) is None
    dither = 1e-5 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert repair_of(np.concatenate([np.stack([dither, -dither], 1), np.stack([mono, mono], 1)])) is None


def test_channels_that_cancel_are_inverted_where_they_do(mono):
    channels = np.stack([mono, mono], 1)
    channels[RATE:, 1] *= -1
    repair = repair_of(channels)
    np.testing.assert_allclose(repair.downmix(channels, 0, RATE), mono, atol=1e-6)
    np.testing.assert_allclose(repair.downmix(channels[5000:], 5000, RATE), mono[5000:], atol=1e-6)
    assert len(repair.notes()) == 1 and "50%" in repair.notes()[0]


def test_the_louder_channel_is_never_inverted(mono):
    channels = np.stack([mono, 0.9 * mono], 1)
    channels[RATE:, 1] *= -1
    found = repair_of(channels).downmix(channels, 0, RATE)
    np.testing.assert_allclose(found, 0.95 * mono, atol=1e-6)  # a turn in the middle would click


def test_quiet_channels_that_cancel_are_inverted_too(mono):
    quiet = 0.01 * mono  # about -60 dBFS
    repair = repair_of(np.stack([quiet, -quiet], 1))
    np.testing.assert_allclose(repair.downmix(np.stack([quiet, -quiet], 1), 0, RATE), quiet, atol=1e-7)


def test_needles_are_cut_to_the_level_of_the_rest(mono):
    pricked = mono.copy()
    pricked[4000] = 1e5
    repair = repair_of(pricked[:, None])
    found = repair.downmix(pricked[:, None], 0, RATE)
    assert repair.n_spikes == 1 and np.abs(found).max() <= 2 * np.abs(mono).max()
    np.testing.assert_array_equal(np.delete(found, 4000), np.delete(mono, 4000))


def test_a_loud_file_has_no_needles(mono):
    assert repair_of(20 * mono[:, None] / np.abs(mono).max()) is None
    accent = 2.5 * mono / np.abs(mono).max()
    accent[4000] = 5.0
    assert repair_of(accent[:, None]) is None
    beep = np.full(2 * RATE, 0.01, np.float32)
    beep[:1600] = 4.0
    assert repair_of(beep[:, None]) is None


def test_without_a_repair_the_mean_over_channels_is_kept(mono):
    channels = np.stack([mono, 0.5 * mono], 1)
    np.testing.assert_array_equal(NO_REPAIR.downmix(channels, 0, RATE), downmix(channels))
    assert NO_REPAIR.notes() == ()
