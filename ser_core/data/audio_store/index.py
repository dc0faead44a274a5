"""The index: where the samples of each recording are, and their checksum."""

import csv
import os
from pathlib import Path
from typing import NamedTuple

from ser_core import paths

INDEX_FILE, SAMPLES_FILE = "index.csv", "audio.i16"
INDEX_COLUMNS = ("utterance", "start", "n_samples", "trim_start", "trim_end", "crc32")
NO_CHECKSUM = -1  # of a row written before checksums were


class Row(NamedTuple):
    """Samples of one recording, in samples from the first one of the store; trim_* from the start of the recording."""

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
    return Path(os.environ.get("SER_CACHE") or "cache")


def read_index(folder: Path) -> dict[str, Row]:
    """Rows of completely stored recordings, by utterance id.

    An interruption can truncate the last row; lost samples must be decoded again, not read as silence. So must samples
    that two rows refer to: two processes wrote at once, before that was impossible.
    """
    index, n_stored = folder / INDEX_FILE, (folder / SAMPLES_FILE).stat().st_size // 2
    if not index.is_file():
        return {}
    with index.open(newline="") as file:
        lines = csv.reader(line for line in file if line.endswith("\n"))
        rows = {name: Row(*map(int, values)) for name, *values in lines if name != INDEX_COLUMNS[0]}
    shared = _overlapping(rows)
    return {name: row for name, row in rows.items() if row.end <= n_stored and name not in shared}


def _overlapping(rows: dict[str, Row]) -> set[str]:
    """Names of the rows that share samples with another."""
    found, last, end = set(), "", 0
    for name, row in sorted(rows.items(), key=lambda item: item[1]):
        if row.start < end:
            found |= {last, name}
        if row.end > end:
            last, end = name, row.end
    return found


def write_index(folder: Path, rows: dict[str, Row]) -> None:
    with paths.atomic_file(folder / INDEX_FILE, "w", newline="") as file:
        lines = ((name, *(row[:-1] if row.crc32 == NO_CHECKSUM else row)) for name, row in rows.items())
        csv.writer(file, lineterminator="\n").writerows([INDEX_COLUMNS, *lines])


def n_indexed_samples(rows: dict[str, Row]) -> int:
    """Number of samples that the rows refer to."""
    return max((row.end for row in rows.values()), default=0)
