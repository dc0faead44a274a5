"""Read access to the decoded recordings, whole or as the clips of a training."""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ser_core.audio import SAMPLE_RATE
from ser_core.data.audio_store.index import (
    INDEX_FILE,
    NO_CHECKSUM,
    SAMPLES_FILE,
    Row,
    audio_cache_folder,
    n_indexed_samples,
    read_index,
)


class StoreError(ValueError):
    """Store of recordings that cannot be used; the message names the cause and the cure."""


class AudioStore:
    """Read access to decoded recordings.

    Raises:
        FileNotFoundError: no recordings have been decoded yet; the message names the command.
    """

    def __init__(self, folder: Path | None = None):
        folder = folder or audio_cache_folder()
        if not (folder / INDEX_FILE).is_file() or not (folder / SAMPLES_FILE).is_file():
            raise FileNotFoundError(f"No decoded recordings in {folder}. Run: python -m scripts.prepare_corpora")
        self._rows = read_index(folder)
        n_samples = n_indexed_samples(self._rows)
        # "c" (copy on write): torch needs a writable array; writes would not reach the file.
        self._samples = (
            np.memmap(folder / SAMPLES_FILE, "<i2", "c", shape=n_samples) if n_samples else np.empty(0, "<i2")
        )

    def __contains__(self, utterance_id: str) -> bool:
        return utterance_id in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def waveform(self, utterance_id: str) -> np.ndarray:
        """Full recording, float32 in [-1, 1], shape = (n_samples,).

        Raises:
            StoreError: the samples are not those that were stored.
        """
        return self._checked(utterance_id).astype(np.float32) / 32768

    def trimmed(self, utterance_id: str) -> np.ndarray:
        """Recording without leading and trailing silence (audio.trim_silence), shape = (n_samples,).

        Raises:
            StoreError: the samples are not those that were stored.
        """
        row = self._rows[utterance_id]
        return self._checked(utterance_id)[row.trim_start : row.trim_end].astype(np.float32) / 32768

    def duration_s(self, utterance_id: str) -> float:
        """Duration of the full recording in seconds."""
        return self._rows[utterance_id].n_samples / SAMPLE_RATE

    def damaged(self) -> set[str]:
        """Recordings whose samples are not those that were stored; all samples are read."""
        return {name for name, row in self._rows.items() if not self._is_intact(row)}

    def check(self, utterance_ids: Iterable[str]) -> None:
        """
        Raises:
            StoreError: a recording is not in the store, or its samples are not those that were stored.
        """
        for name in utterance_ids:
            if name not in self:
                raise StoreError(f"{name} is not decoded. Run: python -m scripts.prepare_corpora")
            self._checked(name)

    def _checked(self, utterance_id: str) -> np.ndarray:
        row = self._rows[utterance_id]
        if not self._is_intact(row):
            raise StoreError(
                f"The stored samples of {utterance_id} are damaged. Run: python -m scripts.prepare_corpora, which "
                "decodes them again."
            )
        return self._samples[row.start : row.end]

    def _is_intact(self, row: Row) -> bool:
        return row.crc32 == NO_CHECKSUM or row.crc32 == zlib.crc32(self._samples[row.start : row.end].data)


class TrimmedClips:
    """Clips of a store without leading and trailing silence, on the device of the training.

    All samples of the store are copied to a GPU once; on the CPU they stay in the memory-mapped file.
    """

    def __init__(self, store: AudioStore, ids: Sequence[str], device: torch.device):
        """
        Raises:
            StoreError: the samples of a clip are not those that were stored.
        """
        store.check(ids)
        rows = np.array([store._rows[i] for i in ids])
        self._starts, self._lengths = rows[:, 0] + rows[:, 2], rows[:, 3] - rows[:, 2]
        self._samples = torch.from_numpy(store._samples).to(device)

    def cut(self, indices: np.ndarray, max_samples: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Random crop of each clip, or the full clip if it is not longer.

        Args:
            indices: into the ids, shape = (B,).
            max_samples: length of a crop.
            rng: draws the positions of the crops.

        Returns:
            float32 in [-1, 1], shape = (B, n_samples), zero behind the end of a crop; true lengths, shape = (B,).
        """
        spare = np.maximum(self._lengths[indices] - max_samples, 0)
        starts = self._starts[indices] + [rng.integers(n + 1) for n in spare]
        n_samples = torch.from_numpy(self._lengths[indices] - spare).to(self._samples.device)
        position = torch.arange(int(n_samples.max()), device=n_samples.device)
        index = torch.from_numpy(starts).to(n_samples.device)[:, None] + position
        inside = position < n_samples[:, None]
        return self._samples[index.clamp_max(len(self._samples) - 1)].float() / 32768 * inside, n_samples
