"""Blocks at their time stamps, as in a player."""

from collections.abc import Iterator

import numpy as np

from ser_core.audio.decoding.stream import BLOCK_SAMPLES, DecodedStream

MIN_GAP_S = 0.05  # between time stamps; a smaller one is their rounding
MIN_JUMP_BACK_S = 1.0  # between joined streams; a smaller one is an overlap
MAX_GAP_S = 600.0  # a greater one comes from a damaged time stamp


class Timeline:
    """Places blocks at their time stamps, with silence in the gaps."""

    def __init__(
        self, source: DecodedStream, start_s: float | None, declared_s: float | None, has_picture: bool = False
    ):
        """
        Args:
            source: gets the gaps, to report them.
            start_s: time stamp of the start; None for a format without time stamps.
            declared_s: duration of the file, if known; a later time stamp is wrong.
            has_picture: the sound may begin after it.
        """
        self._source, self._origin_s, self._has_picture = source, start_s, has_picture
        self._latest_s = declared_s or np.inf
        self._n_samples = 0

    def place(self, block: np.ndarray, at_s: float | None, rate: int) -> Iterator[np.ndarray]:
        """The silence up to the time stamp, in pieces, and the block."""
        n_missing = self._missing(at_s, rate)
        for start in range(0, n_missing, BLOCK_SAMPLES):
            yield np.zeros((min(BLOCK_SAMPLES, n_missing - start), block.shape[1]), np.float32)
        self._n_samples += n_missing + len(block)
        yield block

    def _missing(self, at_s: float | None, rate: int) -> int:
        """Samples between the end of the last block and a time stamp."""
        if at_s is None or self._origin_s is None:
            return 0
        if not self._n_samples and not self._has_picture:
            self._origin_s = at_s  # what is missing before it was never sound: decoders drop the lead-in of a codec
        due_s = at_s - self._origin_s
        gap_s = due_s - self._n_samples / rate
        if MIN_GAP_S < gap_s <= MAX_GAP_S and due_s < self._latest_s + MIN_GAP_S:
            if self._n_samples:
                self._source.gaps_s += gap_s
            else:
                self._source.start_gap_s = gap_s
            return round(gap_s * rate)
        if gap_s > MIN_GAP_S or gap_s < -MIN_JUMP_BACK_S:  # to a time that cannot be
            self._source.ignored_jump_s = max(self._source.ignored_jump_s, gap_s)
            self._origin_s += gap_s
        return 0
