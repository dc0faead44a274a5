"""The committed files of the protocols, one CSV for each, and the names of their test parts."""

import csv
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ser_core import paths
from ser_core.data.protocols.assignment import PROTOCOLS
from ser_core.data.utterances import Utterance


class ProtocolError(ValueError):
    """Unknown protocol or fold, or a missing file; the message lists the valid names or the command."""


def split_name(protocol: str, fold: str | None) -> str:
    """Name of a test part, e.g. "resonet" or "speaker-independent-0"."""
    return protocol if fold is None else f"{protocol}-{fold}"


def write_protocol(name: str, utterances: Iterable[Utterance]) -> Path:
    """Writes assets/protocols/<name>.csv with the columns utterance, corpus, speaker, emotion and fold or part.

    Raises:
        ProtocolError: unknown name.
    """
    ordered = sorted(utterances, key=lambda u: u.id)
    assigned = _protocol_function(name)(ordered)
    column = "part" if "train" in assigned.values() else "fold"
    path = paths.PROTOCOLS / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with paths.atomic_file(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["utterance", "corpus", "speaker", "emotion", column])
        writer.writerows([u.id, u.corpus, u.speaker, u.emotion, assigned[u.id]] for u in ordered if u.id in assigned)
    return path


def _protocol_function(name: str):
    if name not in PROTOCOLS:
        raise ProtocolError(f"Unknown protocol {name!r}. There are: {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


def read_protocol(name: str) -> list[dict[str, str]]:
    """Rows of a committed protocol file.

    Raises:
        ProtocolError: unknown name, or the file is missing.
    """
    _protocol_function(name)
    path = paths.PROTOCOLS / f"{name}.csv"
    if not path.is_file():
        raise ProtocolError(f"{path.name} is missing. Create it with: python -m scripts.make_protocols")
    return list(_read_rows(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=len(PROTOCOLS))
def _read_rows(path: Path, changed_ns: int) -> tuple[dict[str, str], ...]:
    """Cached: a page reads the folds of every protocol at each run."""
    with path.open(newline="") as file:
        return tuple(csv.DictReader(file))


def protocol_folds(name: str) -> tuple[str, ...]:
    """Folds of a protocol; empty for a protocol with a single split."""
    return tuple(sorted({row["fold"] for row in read_protocol(name) if "fold" in row}))


def protocol_of_split(split: str) -> str | None:
    """Protocol of a test part, the inverse of split_name; None for another text."""
    for name in filter(split.startswith, PROTOCOLS):  # reading every file would make a page wait
        if split in [split_name(name, fold) for fold in protocol_folds(name) or (None,)]:
            return name
    return None
