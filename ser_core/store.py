"""All recordings decoded once: one memory-mapped int16 array (16 kHz mono) and an index beside it."""

import csv
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from ser_core.audio import AudioError, load_audio, trim_silence
from ser_core.corpora import Utterance

COLUMNS = ("utterance", "start", "n_samples", "trim_start", "trim_end")


def cache_folder() -> Path:
    """Where decoded recordings are kept: SER_CACHE, or `cache/` in the working directory."""
    return Path(os.environ.get("SER_CACHE", "cache"))


class AudioStore:
    """Read access to decoded recordings.

    Raises:
        FileNotFoundError: nothing has been decoded yet; the message names the command.
    """

    def __init__(self, folder: Path | None = None):
        folder = folder or cache_folder()
        index, samples = folder / "index.csv", folder / "audio.i16"
        if not index.is_file() or not samples.is_file():
            raise FileNotFoundError(f"No decoded recordings in {folder}. Run: python -m scripts.prepare_corpora")
        with index.open(newline="") as file:
            self._rows = {row["utterance"]: tuple(int(row[c]) for c in COLUMNS[1:]) for row in csv.DictReader(file)}
        self._samples = np.memmap(samples, dtype="<i2", mode="r")

    def __contains__(self, utterance_id: str) -> bool:
        return utterance_id in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def waveform(self, utterance_id: str) -> np.ndarray:
        """The whole recording, float32 in [-1, 1], shape = (n_samples,)."""
        start, n_samples, _, _ = self._rows[utterance_id]
        return self._samples[start : start + n_samples].astype(np.float32) / 32768

    def trimmed(self, utterance_id: str) -> np.ndarray:
        """The recording without the silence at its ends (audio.trim_silence), shape = (n_samples,)."""
        start, _, trim_start, trim_end = self._rows[utterance_id]
        return self._samples[start + trim_start : start + trim_end].astype(np.float32) / 32768

    def duration_s(self, utterance_id: str) -> float:
        return self._rows[utterance_id][1] / 16_000


def decode_all(
    utterances: Iterable[Utterance], folder: Path | None = None, n_workers: int | None = None
) -> Iterator[tuple[Utterance, str]]:
    """Decodes every recording that the store lacks; an interrupted run continues where it stopped.

    Yields:
        (utterance, "") for each decoded one, (utterance, reason) for each file that could not be read.
    """
    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    index, samples = folder / "index.csv", folder / "audio.i16"
    if not index.is_file():
        index.write_text(",".join(COLUMNS) + "\n")
    with index.open(newline="") as file:
        rows = list(csv.DictReader(file))
    done = {row["utterance"] for row in rows}
    end = sum(int(row["n_samples"]) for row in rows)
    samples.touch()
    os.truncate(samples, 2 * end)  # what an interruption left behind without an index line
    missing = [u for u in utterances if u.id not in done]
    with (
        ProcessPoolExecutor(n_workers) as pool,
        samples.open("ab") as sink,
        index.open("a", newline="") as index_file,
    ):
        writer = csv.writer(index_file, lineterminator="\n")
        decoded = pool.map(_decode, [u.path for u in missing], chunksize=16)
        for utterance, result in zip(missing, decoded, strict=True):
            if isinstance(result, str):
                yield utterance, result
                continue
            pcm, trim = result
            sink.write(pcm.tobytes())
            sink.flush()  # samples reach the disk before the line that promises them
            writer.writerow([utterance.id, end, len(pcm), *trim])
            index_file.flush()
            end += len(pcm)
            yield utterance, ""


def _decode(path: Path) -> tuple[np.ndarray, tuple[int, int]] | str:
    try:
        waveform = load_audio(path)
    except AudioError as error:
        return str(error)
    pcm = np.clip(np.round(waveform * 32768), -32768, 32767).astype("<i2")
    return pcm, trim_silence(pcm.astype(np.float32) / 32768)
