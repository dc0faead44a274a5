"""Files below a folder, and the names of audio files."""

import heapq
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".webm", ".mp4", ".mov", ".mkv", ".aiff"),
    *(".aif", ".aifc", ".amr", ".awb", ".wma", ".wave", ".weba", ".mka", ".m4b", ".m4v", ".mpga", ".mp2", ".3gp"),
    *(".3g2", ".caf", ".au", ".snd", ".w64", ".rf64", ".wv", ".ape", ".asf", ".avi", ".flv", ".ts", ".spx", ".voc"),
)
"""Suffixes of files that `read_audio` reads, the usual ones first; for lists and choices: it ignores names."""

LINK_TO_PARENT = "a link to a folder that contains it"
LINK_TO_KNOWN = "a link to a folder that is read elsewhere"

NAMES_IN_MEMORY = 100_000  # of one folder; about 10 MB


def walk_files(
    root: Path,
    is_included: Callable[[str, str], bool] = lambda folder, name: True,
    on_link: Callable[[Path, str], None] = lambda link, reason: None,
    on_error: Callable[[OSError], None] | None = None,
) -> Iterator[Path]:
    """All files below a folder, also in linked folders; each folder once. Neither all names nor all of one folder are
    in memory.

    Args:
        root: the folder; a link is followed.
        is_included: by folder and name; an entry for which it is False is skipped.
        on_link: called with a linked folder that is not entered, and LINK_TO_PARENT or LINK_TO_KNOWN.
        on_error: called with the error of a folder that cannot be listed, which is skipped otherwise.

    Yields:
        The files of a folder, sorted, then those of its subfolders; at the end those of linked folders, in the order
        of their links. Broken links are files.
    """
    above_root = _identities_above(root / "entry")
    seen: set[tuple[int, int]] = set()
    links = [root]
    while links:
        link = links.pop(0)
        if link != root and _identity(link) in above_root | _identities_above(link):
            on_link(link, LINK_TO_PARENT)
        elif _identity(link) in seen:
            on_link(link, LINK_TO_KNOWN)
        else:
            yield from _walk_real(link, is_included, on_error, seen, links)


def _walk_real(
    root: Path,
    is_included: Callable[[str, str], bool],
    on_error: Callable[[OSError], None] | None,
    seen: set[tuple[int, int]],
    links: list[Path],
) -> Iterator[Path]:
    """Files without those in linked folders, which are appended to `links`; folders in `seen` are skipped."""
    waiting = [root]
    while waiting:
        here = waiting.pop()
        if (identity := _identity(here)) in seen:
            continue
        seen.add(identity)
        folders: list[Path] = []
        try:
            yield from (here / name for name in sort_on_disk(_file_names(here, is_included, folders)))
        except OSError as error:
            if on_error:
                on_error(error)
        folders.sort()
        links += [folder for folder in folders if folder.is_symlink()]
        waiting += reversed([folder for folder in folders if not folder.is_symlink()])


def _file_names(where: Path, is_included: Callable[[str, str], bool], folders: list[Path]) -> Iterator[str]:
    """Names of the files of a folder, in any order; its subfolders are appended to `folders`."""
    with os.scandir(where) as entries:
        for entry in entries:
            if not is_included(str(where), entry.name):
                continue
            if _is_folder(entry):
                folders.append(where / entry.name)
            else:
                yield entry.name


def _is_folder(entry: os.DirEntry) -> bool:
    """Also a link to one; False for a link to itself."""
    with suppress(OSError):
        return entry.is_dir()
    return False


def sort_on_disk(names: Iterable[str], n_in_memory: int = NAMES_IN_MEMORY) -> Iterator[str]:
    """Names in order. Of more than n_in_memory, sorted runs wait in temporary files."""
    with ExitStack() as files:
        names, runs = iter(names), []
        while run := sorted(islice(names, n_in_memory)):
            runs.append(_stored(run, files.enter_context(TemporaryFile("w+"))) if len(run) == n_in_memory else run)
        yield from heapq.merge(*runs)


def _stored(names: Iterable[str], file: IO[str]) -> Iterator[str]:
    """The same names, read from a file."""
    file.writelines(json.dumps(name) + "\n" for name in names)
    file.seek(0)
    return map(json.loads, file)


def _identities_above(path: Path) -> set[tuple[int, int]]:
    """All real folders that contain a path."""
    folder = path.parent.resolve()
    return {_identity(above) for above in (folder, *folder.parents)}


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
