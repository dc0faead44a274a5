"""The names of all files of a job, one JSON string per line of a file: never all of them in memory."""

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from ser_core.audio import LINK_TO_PARENT, walk_files

PLAN_FILE = "plan.jsonl"


class BatchError(ValueError):
    """A job that cannot start or continue; the message names the cause and the cure."""


@dataclass(frozen=True)
class ArchivePart:
    """One of several parts of an archive. Machines that agree on the number need not talk to each other."""

    number: int  # from 1
    n_parts: int

    def __str__(self) -> str:
        return f"{self.number}/{self.n_parts}"

    def holds(self, name: str) -> bool:
        """Whether a file, or all files of a speaker, belong to this part; equal on every machine."""
        return zlib.crc32(os.fsencode(name)) % self.n_parts == self.number - 1


def write_plan(names: Iterable[str], parts: Path) -> int:
    """Writes the names of all files; returns their number.

    Args:
        names: relative to the folder of the job.
        parts: where the plan is written.
    """
    n_files = 0
    with (parts / PLAN_FILE).open("w") as plan:
        for name in names:
            n_files += 1
            plan.write(json.dumps(name) + "\n")
    return n_files


def names_in_folder(folder: str, own: Sequence[Path]) -> Iterator[str]:
    """Names of all files below a folder, relative to it.

    Args:
        folder: see open_job.
        own: files and folders of the job itself, which are left out.

    Raises:
        BatchError: a folder cannot be listed.
    """
    left_out = {path.name: os.path.realpath(path) for path in own}
    loops: list[Path] = []  # in the plan, so that they are among the files that could not be read

    def on_link(link: Path, reason: str) -> None:
        loops.extend([link] if reason == LINK_TO_PARENT else [])

    def is_included(where: str, name: str) -> bool:
        is_own = name in left_out and os.path.realpath(os.path.join(where, name)) == left_out[name]
        return not is_own and not name.startswith(".")

    for path in chain(walk_files(Path(folder), is_included, on_link, _raise_unlistable), loops):
        yield path.relative_to(folder).as_posix()


def _raise_unlistable(error: OSError) -> None:
    """Without an error, an unreadable folder would look empty."""
    raise BatchError(f"{error.filename} cannot be listed: {error.strerror}. Make it readable, or move it away.")


def read_plan(parts: Path) -> Iterator[str]:
    """The names, one after the other."""
    with (parts / PLAN_FILE).open() as plan:
        for line in plan:
            yield json.loads(line)


def read_batches(parts: Path, numbers: Sequence[int], batch_size: int) -> Iterator[tuple[int, list[str]]]:
    """Batches by number, in rising order; the names of others are not read.

    Yields:
        The number of a batch, from 0, and the names of its files.
    """
    at = 0
    with (parts / PLAN_FILE).open() as plan:
        for number in numbers:
            lines = islice(plan, (number - at) * batch_size, (number + 1 - at) * batch_size)
            yield number, [json.loads(line) for line in lines]
            at = number + 1
