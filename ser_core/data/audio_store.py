"""Store of decoded recordings: one memory-mapped int16 array (16 kHz mono) and its index (CSV).

One process writes at a time, and each row has a checksum of its samples: no clip can have those of another unnoticed.
"""

import csv
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ser_core import paths
from ser_core.audio import SAMPLE_RATE, AudioError, decoder_pool, load_audio, trim_silence
from ser_core.data.utterances import Utterance

INDEX_FILE, SAMPLES_FILE = "index.csv", "audio.i16"
INDEX_COLUMNS = ("utterance", "start", "n_samples", "trim_start", "trim_end", "crc32")
NO_CHECKSUM = -1  # of a row written before checksums were


class StoreError(ValueError):
    """Store of recordings that cannot be used; the message names the cause and the cure."""


class _Row(NamedTuple):
    start: int
    n_samples: int
    trim_start: int
    trim_end: int
    crc32: int = NO_CHECKSUM

    @property
    def end(self) -> int:
        return self.start + self.n_samples


def audio_cache_folder() -> Path:
    """Folder of the decoded recordings: SER_CACHE, or `cache/` in the working directory."""
    return Path(os.environ.get("SER_CACHE", "cache"))


class AudioStore:
    """Read access to decoded recordings.

    Raises:
        FileNotFoundError: no recordings have been decoded yet; the message names the command.
    """

    def __init__(self, folder: Path | None = None):
        folder = folder or audio_cache_folder()
        if not (folder / INDEX_FILE).is_file() or not (folder / SAMPLES_FILE).is_file():
            raise FileNotFoundError(f"No decoded recordings in {folder}. Run: python -m scripts.prepare_corpora")
        self._rows = _read_index(folder)
        n_samples = _n_indexed_samples(self._rows)
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
            StoreError: the samples of a recording are not those that were stored.
        """
        for name in utterance_ids:
            self._checked(name)

    def _checked(self, utterance_id: str) -> np.ndarray:
        row = self._rows[utterance_id]
        if not self._is_intact(row):
            raise StoreError(
                f"The stored samples of {utterance_id} are damaged. Run: python -m scripts.prepare_corpora, which "
                "decodes them again."
            )
        return self._samples[row.start : row.end]

    def _is_intact(self, row: _Row) -> bool:
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


def decode_recordings(
    utterances: Iterable[Utterance], folder: Path | None = None, n_workers: int | None = None
) -> Iterator[tuple[Utterance, str]]:
    """Decode every recording that is not in the store, or damaged there; an interrupted run can be continued.

    Yields:
        (utterance, "") for each decoded file, (utterance, reason) for each file that could not be read.

    Raises:
        StoreError: another process writes to the folder.
    """
    folder = folder or audio_cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _only_writer(folder):
        done = _start_writing(folder)
        missing = [u for u in utterances if u.id not in done]
        yield from _append(folder, _n_indexed_samples(done), missing, n_workers or os.cpu_count() or 1)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    try:
        with paths.only_writer(folder):
            yield
    except BlockingIOError:
        raise StoreError(
            f"Another process decodes recordings into {folder}. Wait for its end, or name another folder by SER_CACHE."
        ) from None


def _start_writing(folder: Path) -> dict[str, _Row]:
    """The intact rows, after which the file of the samples ends."""
    for file in (SAMPLES_FILE, INDEX_FILE):
        (folder / file).touch()
    damaged = AudioStore(folder).damaged()
    done = {name: row for name, row in _read_index(folder).items() if name not in damaged}
    _write_index(folder, done)
    os.truncate(folder / SAMPLES_FILE, 2 * _n_indexed_samples(done))
    return done


def _append(folder: Path, end: int, missing: Sequence[Utterance], n_workers: int) -> Iterator[tuple[Utterance, str]]:
    with (
        decoder_pool.at_once(n_workers),
        ThreadPoolExecutor(n_workers) as threads,  # they wait for the decoders, which are processes
        (folder / SAMPLES_FILE).open("ab") as sink,
        (folder / INDEX_FILE).open("a", newline="") as index_file,
        closing(  # cancels the rest
            threads.map(_decode_recording, [u.path for u in missing])  # type: ignore[type-var]  # it has close()
        ) as decoded,
    ):
        writer = csv.writer(index_file, lineterminator="\n")
        for utterance, result in zip(missing, decoded, strict=True):
            if isinstance(result, str):
                yield utterance, result
                continue
            pcm, trim = result
            sink.write(pcm.tobytes())
            sink.flush()  # samples are written before the row that refers to them
            writer.writerow([utterance.id, *_Row(end, len(pcm), *trim, zlib.crc32(pcm.data))])
            index_file.flush()
            end += len(pcm)
            yield utterance, ""


def _read_index(folder: Path) -> dict[str, _Row]:
    """Rows of completely stored recordings, by utterance id.

    An interruption can truncate the last row; lost samples must be decoded again, not read as silence. So must samples
    that two rows refer to: two processes wrote at once, before that was impossible.
    """
    index, n_stored = folder / INDEX_FILE, (folder / SAMPLES_FILE).stat().st_size // 2
    if not index.is_file():
        return {}
    with index.open(newline="") as file:
        lines = csv.reader(line for line in file if line.endswith("\n"))
        rows = {name: _Row(*map(int, values)) for name, *values in lines if name != INDEX_COLUMNS[0]}
    shared = _overlapping(rows)
    return {name: row for name, row in rows.items() if row.end <= n_stored and name not in shared}


def _overlapping(rows: dict[str, _Row]) -> set[str]:
    """Names of the rows that share samples with another."""
    found, last, end = set(), "", 0
    for name, row in sorted(rows.items(), key=lambda item: item[1]):
        if row.start < end:
            found |= {last, name}
        if row.end > end:
            last, end = name, row.end
    return found


def _write_index(folder: Path, rows: dict[str, _Row]) -> None:
    with paths.atomic_path(folder / INDEX_FILE) as temporary, temporary.open("w", newline="") as file:
        lines = ((name, *(row[:-1] if row.crc32 == NO_CHECKSUM else row)) for name, row in rows.items())
        csv.writer(file, lineterminator="\n").writerows([INDEX_COLUMNS, *lines])


def _n_indexed_samples(rows: dict[str, _Row]) -> int:
    """Number of samples that the rows refer to."""
    return max((row.end for row in rows.values()), default=0)


def _decode_recording(path: Path) -> tuple[np.ndarray, tuple[int, int]] | str:
    try:
        waveform = load_audio(path)
    except AudioError as error:
        return str(error)
    pcm = np.clip(np.round(waveform * 32768), -32768, 32767).astype("<i2")
    return pcm, trim_silence(pcm.astype(np.float32) / 32768)
