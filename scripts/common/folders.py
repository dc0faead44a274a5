"""Recordings and messages for folders of one's own, shared by the scripts that take recordings of the corpora."""

import argparse
import sys
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ser_core.data import (
    UNKNOWN_EMOTION,
    CorporaListing,
    CorpusError,
    Utterance,
    content_digest,
    emotion_word,
    read_folder,
)
from ser_core.labels import EMOTIONS

MAX_LISTED = 20  # names with the same reason
MAX_NAMED = 5  # files in one message


def join_mappings(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The words and emotions of all --map.

    Raises:
        CorpusError: a word, in any case, has two emotions.
    """
    found: dict[str, str] = {}
    for word, emotion in pairs:
        if (before := found.setdefault(emotion_word(word), emotion)) != emotion:
            raise CorpusError(f"--map takes {word!r} for {before} and for {emotion}: leave one of them out.")
    return found


def read_folders(options: argparse.Namespace, emotions: Sequence[str] = EMOTIONS) -> list[Utterance]:
    """Recordings of all --folder; what is left out is printed by reason and number.

    Args:
        options: with `folder` and `map`.
        emotions: that can occur; recordings of others are left out.

    Raises:
        CorpusError: a folder without usable recordings, a recording of two of them, two of one name, or none but words.
    """
    if options.map and not options.folder:
        raise CorpusError("--map is for the words of --folder: name the folder too.")
    found: dict[Path, Utterance] = {}
    folders: dict[str, Path] = {}
    words = join_mappings(options.map)
    for path in options.folder:
        listing = without_others(read_folder(path, words), emotions)
        print_left_out(path, listing)
        if listing.note:
            print(f"{folder_title(path)}: {listing.note}", file=sys.stderr)
        new = {utterance.path.resolve(): utterance for utterance in listing.utterances}
        if again := sorted(found.keys() & new.keys()):
            raise CorpusError(f"Recordings of two --folder: {len(again)} ({again[0]}). Name each folder once.")
        check_one_corpus(path, {utterance.corpus for utterance in new.values()}, folders)
        found |= new
    if options.folder and not found:
        raise CorpusError(f"No recording of --folder is {' or '.join(emotions)}: name the --emotions that occur.")
    print_copies(found.values())
    return list(found.values())


def without_others(listing: CorporaListing, emotions: Sequence[str]) -> CorporaListing:
    """The same without recordings of other emotions, which are excluded with this reason."""
    others = {own_name(u): f"{u.emotion} is not in --emotions" for u in listing.utterances if u.emotion not in emotions}
    kept = tuple(utterance for utterance in listing.utterances if utterance.emotion in emotions)
    return replace(listing, utterances=kept, excluded=listing.excluded | others)


def check_one_corpus(path: Path, corpora: Iterable[str], folders: dict[str, Path]) -> None:
    """Checks that no other folder of the same name has the same corpus; adds the corpora to `folders`.

    Raises:
        CorpusError: one has: its speakers of the same names would count as the same.
    """
    folder = (path.parent if path.is_file() else path).resolve()
    for corpus in corpora:
        other = folders.setdefault(corpus, folder)
        if other != folder and other.name == folder.name:
            raise CorpusError(
                f"{other} and {folder} are both the corpus {corpus}. Rename one of the folders, or name their corpora "
                "in a column corpus."
            )


def folder_title(path: Path) -> str:
    """The name of a --folder in messages, also of the present one."""
    return path.name or path.absolute().name


def print_left_out(path: Path, listing: CorporaListing) -> None:
    """One line for each reason: how many recordings, and the first of them."""
    first: dict[str, str] = {}
    for where, reason in listing.excluded.items():
        first.setdefault(reason, where)
    for reason, n in Counter(listing.excluded.values()).most_common():
        print(
            f"{folder_title(path)}: {n} left out, {reason}: {first[reason]}{'' if n == 1 else ', ...'}", file=sys.stderr
        )
    if any(UNKNOWN_EMOTION in reason for reason in first):
        print(f"To use them, map their words: --map WORD=EMOTION ({', '.join(EMOTIONS)})", file=sys.stderr)


def print_copies(utterances: Iterable[Utterance]) -> None:
    """How many recordings of all folders have the content of another, with its labels and with others; the first."""
    by_content: dict[tuple[str, int], list[Utterance]] = {}
    for utterance in utterances:
        by_content.setdefault((content_digest(utterance.id), utterance.path.stat().st_size), []).append(utterance)
    alike: list[tuple[Utterance, Utterance]] = []
    contrary: list[tuple[Utterance, Utterance]] = []
    for first, *copies in by_content.values():
        for copy in copies:
            same = (copy.emotion, copy.speaker) == (first.emotion, first.speaker)
            (alike if same else contrary).append((first, copy))
    for pairs, what in (
        (alike, "copies of others, and count again"),
        (contrary, "copies of others with other labels, and count with both"),
    ):
        if pairs:
            names = [f"{utterance.corpus}/{own_name(utterance)}" for utterance in pairs[0]]
            print(f"--folder: {len(pairs)} recordings are {what}: {' = '.join(names)}", file=sys.stderr)


def own_name(utterance: Utterance) -> str:
    """The name of a recording of one's own, as its table or folder has it."""
    return utterance.id.split("/", 3)[3].rpartition("#")[0]


def print_listed(title: str, entries: Mapping[str, str]) -> None:
    """Names with their reasons; of a frequent reason the number and the first names."""
    if not entries:
        return
    print(f"\n{title}: {len(entries)}")
    counts = Counter(entries.values())
    for reason, n in counts.items():
        if n > MAX_LISTED:
            first = islice((name for name, given in entries.items() if given == reason), MAX_NAMED)
            print(f"  {n} files: {reason} ({', '.join(first)}, ...)")
    print(*(f"  {name}: {reason}" for name, reason in entries.items() if counts[reason] <= MAX_LISTED), sep="\n")


def check_decoded(utterances: Iterable[Utterance], store: Container[str]) -> None:
    """Checks that recordings of one's own are in the store (AudioStore).

    Raises:
        FileNotFoundError: some are not; the message names the first of them and the command.
    """
    if missing := [str(utterance.path) for utterance in utterances if utterance.id not in store]:
        named = ", ".join(missing[:MAX_NAMED]) + (", ..." if len(missing) > MAX_NAMED else "")
        raise FileNotFoundError(
            f"Recordings of --folder that are not decoded: {len(missing)} ({named}). Run: "
            "python -m scripts.prepare_corpora with the same --folder and --map. It lists the files that cannot be "
            "read: repair or remove these."
        )
