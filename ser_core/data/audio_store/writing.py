"""Decoding of recordings into the store.

One process writes at a time, and each row has a checksum of its samples: no clip can have those of another unnoticed.
"""

import csv
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.audio import AudioError, decoder_pool, load_audio, trim_silence
from ser_core.data.audio_store.index import (
    INDEX_FILE,
    SAMPLES_FILE,
    Row,
    audio_cache_folder,
    n_indexed_samples,
    read_index,
    write_index,
)
from ser_core.data.audio_store.reading import AudioStore, StoreError
from ser_core.data.utterances import Utterance

DecodedClip = tuple[np.ndarray, tuple[int, int]]
"""Samples, int16, and the start and end of their part without silence."""


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
    busy = StoreError(
        f"Another process decodes recordings into {folder}. Wait for its end, or name another folder by SER_CACHE."
    )
    with paths.only_writer(folder, busy):
        done = _start_writing(folder)
        missing = [u for u in utterances if u.id not in done]
        yield from _append(folder, n_indexed_samples(done), missing, n_workers or os.cpu_count() or 1)


def _start_writing(folder: Path) -> dict[str, Row]:
    """The intact rows, after which the file of the samples ends."""
    for file in (SAMPLES_FILE, INDEX_FILE):
        (folder / file).touch()
    damaged = AudioStore(folder).damaged()
    done = {name: row for name, row in read_index(folder).items() if name not in damaged}
    write_index(folder, done)
    os.truncate(folder / SAMPLES_FILE, 2 * n_indexed_samples(done))
    return done


def _append(folder: Path, end: int, missing: Sequence[Utterance], n_workers: int) -> Iterator[tuple[Utterance, str]]:
    with (
        decoder_pool.at_once(n_workers),
        (folder / SAMPLES_FILE).open("ab") as sink,
        (folder / INDEX_FILE).open("a", newline="") as index_file,
        _decoded(missing, n_workers) as decoded,
    ):
        writer = csv.writer(index_file, lineterminator="\n")
        for utterance, result in zip(missing, decoded, strict=True):
            if isinstance(result, str):
                yield utterance, result
                continue
            pcm, trim = result
            sink.write(pcm.tobytes())
            sink.flush()  # samples are written before the row that refers to them
            writer.writerow([utterance.id, *Row(end, len(pcm), *trim, zlib.crc32(pcm.data))])
            index_file.flush()
            end += len(pcm)
            yield utterance, ""


@contextmanager
def _decoded(utterances: Sequence[Utterance], n_workers: int) -> Iterator[Iterator[DecodedClip | str]]:
    """The result of each, in order; the end of the context cancels the rest."""
    with ThreadPoolExecutor(n_workers) as threads:  # they wait for the decoders, which are processes
        results = threads.map(_decode_recording, [u.path for u in utterances])
        with closing(results):  # type: ignore[type-var]  # it has close()
            yield results


def _decode_recording(path: Path) -> DecodedClip | str:
    """The samples and their bounds without silence, or the reason why the file cannot be read."""
    try:
        waveform = load_audio(path)
    except AudioError as error:
        return str(error)
    pcm = np.clip(np.round(waveform * 32768), -32768, 32767).astype("<i2")
    return pcm, trim_silence(pcm.astype(np.float32) / 32768)
