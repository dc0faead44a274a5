"""Repairs of a signal that would otherwise be lost: channels that cancel each other, and needles in float samples.

Both are found in a first pass over the blocks of a file, and applied in a second one: ordinary files are decoded once,
and keep every bit.
"""

from dataclasses import dataclass

import numpy as np

POLARITY_BIN_S = 0.5
CANCELLED_POWER = 0.05  # of the mean over channels, as a share of that of as many uncorrelated channels
AUDIBLE_POWER = 1e-8  # -80 dBFS; below it, dither may cancel
MAX_CHANNELS = 64  # compared with each other

SPIKE_MIN_PEAK = 2.0  # smaller ones are overshoots
SPIKE_MAX_SHARE = 1e-4  # of the samples; a louder sound has more
SPIKE_GAP_OCTAVES = 2  # without any sample, between the rest and the spikes


@dataclass(frozen=True, eq=False)
class Repair:
    """What to change in a second pass."""

    polarity: np.ndarray | None = None  # 1 or -1 by bin of POLARITY_BIN_S and channel, shape = (n_bins, n_channels)
    spike_limit: float = np.inf  # samples beyond are cut to it
    n_spikes: int = 0
    spike_peak: float = 0.0

    def downmix(self, block: np.ndarray, start: int, rate: int) -> np.ndarray:
        """Mean over the channels, repaired.

        Args:
            block: shape = (n_samples, n_channels).
            start: position of its first sample in the file.
            rate: in Hz.
        """
        if self.polarity is not None:
            bins = (start + np.arange(len(block))) // _bin_samples(rate)
            block = block * self.polarity[np.minimum(bins, len(self.polarity) - 1)]
        mono = downmix(block)
        return np.clip(mono, -self.spike_limit, self.spike_limit) if self.n_spikes else mono

    def notes(self) -> tuple[str, ...]:
        """A sentence for each repair."""
        notes = []
        if self.polarity is not None:
            share = (self.polarity < 0).any(1).mean()
            notes.append(
                f"The channels cancelled each other in {share:.0%} of the recording: some were inverted there."
            )
        if self.n_spikes:
            notes.append(
                f"Spikes of up to {self.spike_peak:.3g} times full scale ({self.n_spikes} samples) were cut to the "
                "level of the rest."
            )
        return tuple(notes)


NO_REPAIR = Repair()


class SignalStatistics:
    """Measurements on the blocks of a file, from the first to the last, that show whether a repair is needed."""

    def __init__(self) -> None:
        self.peak = 0.0  # of the mean over channels
        self.channel_peak = 0.0  # of the loudest channel: channels that cancel each other are no silence
        self._gram: dict[int, np.ndarray] = {}  # bin -> sums of the products of all channels, (n_channels, n_channels)
        self._octaves = np.zeros(256, np.int64)  # samples by their exponent

    def add(self, block: np.ndarray, mono: np.ndarray, start: int, rate: int) -> None:
        """Count a block, shape = (n_samples, n_channels), and its mean over channels, shape = (n_samples,)."""
        if not len(mono):
            return
        self.peak = max(self.peak, float(np.abs(mono).max()))
        self.channel_peak = max(self.channel_peak, float(block.max()), -float(block.min()))
        exponents = np.ascontiguousarray(mono, np.float32).view(np.uint32) >> 23 & 0xFF
        self._octaves += np.bincount(exponents, minlength=256)
        if 1 < block.shape[1] <= MAX_CHANNELS:
            self._add_products(block, start, _bin_samples(rate))

    def _add_products(self, block: np.ndarray, start: int, bin_samples: int) -> None:
        first = start // bin_samples
        cuts = np.arange((first + 1) * bin_samples - start, len(block), bin_samples)
        for number, part in enumerate(np.split(block, cuts), first):
            with np.errstate(invalid="ignore", over="ignore"):  # not finite: counted by the caller
                self._gram[number] = self._gram.get(number, 0.0) + part.T @ part

    def repair(self, rate: int) -> Repair | None:
        """The repair of this file; None if it needs none."""
        polarity = self._polarity(_bin_samples(rate))
        limit, n_spikes = self._spikes()
        if polarity is None and not n_spikes:
            return None
        return Repair(polarity, limit, n_spikes, self.peak)

    def _polarity(self, bin_samples: int) -> np.ndarray | None:
        if not self._gram:
            return None
        n_bins = max(self._gram) + 1
        gram = np.stack([np.broadcast_to(self._gram.get(n, 0.0), self._shape()) for n in range(n_bins)])
        n_channels = gram.shape[1]
        power = np.einsum("bcc->bc", gram)
        mixed = gram.sum((1, 2)) / n_channels  # n_channels times the power of the mean over channels
        audible = power.mean(1) > AUDIBLE_POWER * bin_samples
        cancelled = audible & (mixed < CANCELLED_POWER * power.mean(1))
        if not cancelled.any():
            return None
        against_loudest = gram[:, power.sum(0).argmax()] < 0
        return np.where(cancelled[:, None] & against_loudest, -1, 1).astype(np.float32)

    def _shape(self) -> tuple[int, ...]:
        return next(iter(self._gram.values())).shape

    def _spikes(self) -> tuple[float, int]:
        """The level of all samples but the spikes, and the number of spikes; (inf, 0) without any."""
        if not SPIKE_MIN_PEAK < self.peak < np.inf:
            return np.inf, 0
        used = np.flatnonzero(self._octaves)[::-1]
        above = np.cumsum(self._octaves[used])
        for octave, below, n_spikes in zip(used[:-1], used[1:], above[:-1], strict=True):
            if n_spikes > max(1, SPIKE_MAX_SHARE * self._octaves.sum()):
                break
            if octave - below > SPIKE_GAP_OCTAVES and below > 0:
                return float(2.0 ** (int(below) - 126)), int(n_spikes)
        return np.inf, 0


def downmix(samples: np.ndarray) -> np.ndarray:
    """Mean over the channels, shape = (n_samples, n_channels) -> (n_samples,)."""
    n_channels = samples.shape[1]
    if n_channels == 1:
        return samples[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):  # samples that are not finite are counted by the caller
        return samples @ np.full(n_channels, 1 / n_channels, np.float32)


def _bin_samples(rate: int) -> int:
    return max(1, round(POLARITY_BIN_S * rate))
