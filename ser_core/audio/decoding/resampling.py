"""Downmix and resampling of decoded blocks, until the last one or the allowed duration."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import soxr

from ser_core.audio.decoding.stream import AudioError, DecodedStream
from ser_core.audio.repairs.signal import Repair, SignalStatistics

MIN_SOURCE_RATE = 2_000  # in Hz; below it no speech band is left: such a rate comes from a damaged header
MAX_SOURCE_RATE = 768_000  # in Hz; that of the fastest converters on the market
TRUNCATION_TOLERANCE_S = 0.1  # codecs pad and cut up to a few thousand samples at the end: no audio is lost
SILENT_PEAK = 1e-4  # -80 dBFS: a track without sound


@dataclass(frozen=True, eq=False)
class DecodedAudio:
    """A recording as its decoder left it: mono, resampled, with what the decoder and the repair have found."""

    source: DecodedStream
    waveform: np.ndarray  # at the requested sample rate
    n_read: int  # samples at the rate of the source
    n_not_finite: int
    capped: bool  # the file is longer than allowed
    signal: SignalStatistics
    repair: Repair

    @property
    def decoded_s(self) -> float:
        return self.n_read / max(self.source.rate, 1)

    @property
    def is_truncated(self) -> bool:
        missing_s = (self.source.header_duration_s or 0.0) - self.decoded_s - self.source.ignored_jump_s
        return not self.capped and (self.source.truncated or missing_s > TRUNCATION_TOLERANCE_S)

    @property
    def is_silent(self) -> bool:
        return self.signal.channel_peak < SILENT_PEAK


class _MonoBlocks:
    """The mono blocks of a file until its end or the allowed duration, and what is counted in them."""

    def __init__(self, source: DecodedStream, max_duration_s: float, repair: Repair):
        self._source, self._max_duration_s, self._repair = source, max_duration_s, repair
        self.signal = SignalStatistics()
        self.n_read, self.n_not_finite = 0, 0
        self.capped = False

    def of(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for block in blocks:
            room = round(self._max_duration_s * self._source.rate) - self.n_read
            self.capped = len(block) > room
            yield self._downmix(block[:room])
            if self.capped:
                return

    def _downmix(self, block: np.ndarray) -> np.ndarray:
        mono = self._repair.downmix(block, self.n_read, self._source.rate)
        self.signal.add(block, mono, self.n_read, self._source.rate)
        self.n_read += len(mono)
        self.n_not_finite += int(np.count_nonzero(~np.isfinite(mono)))
        return mono


def resample_blocks(
    blocks: Generator[np.ndarray, None, None],
    source: DecodedStream,
    sample_rate: int,
    max_duration_s: float,
    repair: Repair,
) -> DecodedAudio:
    """Downmix and resample blocks until the last one or the allowed duration."""
    mono = _MonoBlocks(source, max_duration_s, repair)
    with closing(blocks):
        chunks = list(_resampled(mono.of(blocks), source, sample_rate))
    waveform = np.concatenate([np.empty(0, np.float32), *chunks])
    n_not_finite = mono.n_not_finite or int(np.count_nonzero(~np.isfinite(waveform)))
    return DecodedAudio(source, waveform, mono.n_read, n_not_finite, mono.capped, mono.signal, repair)


def _resampled(blocks: Iterable[np.ndarray], source: DecodedStream, sample_rate: int) -> Iterator[np.ndarray]:
    """Each block resampled, then what the resampler has held back."""
    resample, n_read = None, 0
    for block in blocks:
        resample = resample or _resampler(source.rate, sample_rate)  # the first block has set the rate
        n_read += len(block)
        yield resample(block, False)
    if resample and n_read:
        n_padding = max(0, source.rate // sample_rate - n_read)  # a single sample at 48 kHz would yield none at 16 kHz
        yield resample(np.zeros(n_padding, np.float32), True)


def _resampler(source_rate: int, sample_rate: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """A function (block, is_last) -> resampled block."""
    if not MIN_SOURCE_RATE <= source_rate <= MAX_SOURCE_RATE:
        raise AudioError(
            f"This file declares a sample rate of {source_rate} Hz, outside {MIN_SOURCE_RATE}-{MAX_SOURCE_RATE} "
            "Hz: its header is damaged. Export the recording again."
        )
    if source_rate == sample_rate:
        return lambda block, is_last: block
    return soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality="HQ").resample_chunk
