"""Store of decoded recordings: one memory-mapped int16 array (16 kHz mono) and its index (CSV)."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ser_core import paths
from ser_core.audio import SAMPLE_RATE, AudioError, load_audio, trim_silence
from ser_core.data.utterances import Utterance

INDEX_FILE, SAMPLES_FILE = "index.csv", "audio.i16"
INDEX_COLUMNS = ("utterance", "start", "n_samples", "trim_start", "trim_end")


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
        """Full recording, float32 in [-1, 1], shape = (n_samples,)."""
        start, n_samples, _, _ = self._rows[utterance_id]
        return self._samples[start : start + n_samples].astype(np.float32) / 32768

    def trimmed(self, utterance_id: str) -> np.ndarray:
        """Recording without leading and trailing silence (audio.trim_silence), shape = (n_samples,)."""
        start, _, trim_start, trim_end = self._rows[utterance_id]
        return self._samples[start + trim_start : start + trim_end].astype(np.float32) / 32768

    def duration_s(self, utterance_id: str) -> float:
        """Duration of the full recording in seconds."""
        return self._rows[utterance_id][1] / SAMPLE_RATE


class TrimmedClips:
    """Clips of a store without leading and trailing silence, on the device of the training.

    All samples of the store are copied to a GPU once; on the CPU they stay in the memory-mapped file.
    """

    def __init__(self, store: AudioStore, ids: Sequence[str], device: torch.device):
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
    """Decode every recording that is not in the store; an interrupted run can be continued.

    Yields:
        (utterance, "") for each decoded file, (utterance, reason) for each file that could not be read.
    """
    folder = folder or audio_cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SAMPLES_FILE).touch()
    done = _read_index(folder)
    end = _n_indexed_samples(done)
    _write_index(folder, done)
    os.truncate(folder / SAMPLES_FILE, 2 * end)
    missing = [u for u in utterances if u.id not in done]
    with (
        ProcessPoolExecutor(n_workers) as pool,
        (folder / SAMPLES_FILE).open("ab") as sink,
        (folder / INDEX_FILE).open("a", newline="") as index_file,
        closing(  # cancels the rest
            pool.map(_decode_recording, [u.path for u in missing], chunksize=16)  # type: ignore[type-var]  # it has close()
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
            writer.writerow([utterance.id, end, len(pcm), *trim])
            index_file.flush()
            end += len(pcm)
            yield utterance, ""


def _read_index(folder: Path) -> dict[str, tuple[int, ...]]:
    """Utterance id -> start, n_samples, trim_start, trim_end, of completely stored recordings.

    An interruption can truncate the last row; lost samples must be decoded again, not read as silence.
    """
    index, n_stored = folder / INDEX_FILE, (folder / SAMPLES_FILE).stat().st_size // 2
    if not index.is_file():
        return {}
    with index.open(newline="") as file:
        lines = csv.reader(line for line in file if line.endswith("\n"))
        rows = {name: tuple(int(v) for v in values) for name, *values in lines if name != INDEX_COLUMNS[0]}
    return {name: row for name, row in rows.items() if row[0] + row[1] <= n_stored}


def _write_index(folder: Path, rows: dict[str, tuple[int, ...]]) -> None:
    with paths.atomic_path(folder / INDEX_FILE) as temporary, temporary.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([INDEX_COLUMNS, *((name, *row) for name, row in rows.items())])


def _n_indexed_samples(rows: dict[str, tuple[int, ...]]) -> int:
    """Number of samples that the rows refer to."""
    return max((start + n_samples for start, n_samples, *_ in rows.values()), default=0)


def _decode_recording(path: Path) -> tuple[np.ndarray, tuple[int, int]] | str:
    try:
        waveform = load_audio(path)
    except AudioError as error:
        return str(error)
    pcm = np.clip(np.round(waveform * 32768), -32768, 32767).astype("<i2")
    return pcm, trim_silence(pcm.astype(np.float32) / 32768)
