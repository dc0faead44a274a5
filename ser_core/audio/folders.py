"""Files below a folder, and the names of audio files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".webm", ".mp4", ".mov", ".mkv", ".aiff"),
    *(".aif", ".aifc", ".amr", ".awb", ".wma", ".wave", ".weba", ".mka", ".m4b", ".m4v", ".mpga", ".mp2", ".3gp"),
    *(".3g2", ".caf", ".au", ".snd", ".w64", ".rf64", ".wv", ".ape", ".asf", ".avi", ".flv", ".ts", ".spx", ".voc"),
)
"""Suffixes of files that `read_audio` reads, the usual ones first; for lists and choices: it ignores names."""

LINK_TO_PARENT = "a link to a folder that contains it"
LINK_TO_KNOWN = "a link to a folder that is read elsewhere"


def walk_files(
    root: Path,
    is_included: Callable[[str, str], bool] = lambda folder, name: True,
    on_link: Callable[[Path, str], None] = lambda link, reason: None,
    on_error: Callable[[OSError], None] | None = None,
) -> Iterator[Path]:
    """All files below a folder, also in linked folders; each folder once.

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
    for where, folders, files in os.walk(root, onerror=on_error):
        here = _identity(Path(where))
        if here in seen:
            folders.clear()
            continue
        seen.add(here)
        entries = [Path(where, name) for name in sorted(folders) if is_included(where, name)]
        links += [path for path in entries if path.is_symlink()]
        folders[:] = [path.name for path in entries if not path.is_symlink()]
        yield from (Path(where, name) for name in sorted(files) if is_included(where, name))


def _identities_above(path: Path) -> set[tuple[int, int]]:
    """All real folders that contain a path."""
    folder = path.parent.resolve()
    return {_identity(above) for above in (folder, *folder.parents)}


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
